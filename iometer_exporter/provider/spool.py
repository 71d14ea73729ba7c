"""Readings of a whole fleet on disk, sorted by meter and time: they need not fit into the memory."""

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

from iometer_exporter.models import Reading, Register
from iometer_exporter.obis import ObisCode

_CACHE: Final = 16 * 1024
"""KiB that SQLite may keep in memory, and as much again while it sorts."""

_FETCHED: Final = 1000


class Spool:
    """Readings by the number of their series; a file in the folder, which it fills and does not remove."""

    def __init__(self, folder: Path) -> None:
        # Sorting takes as much room as the readings: it belongs where they are, and not into a small /tmp.
        os.environ["SQLITE_TMPDIR"] = str(folder)
        # Nobody else reads it and nothing outlives the process: no journal, no waiting for the disk.
        self._database = sqlite3.connect(folder / "readings.sqlite", isolation_level=None)
        for setting in ("journal_mode=OFF", "synchronous=OFF", f"cache_size=-{_CACHE}", "temp_store=FILE"):
            self._database.execute(f"PRAGMA {setting}")
        self._database.execute("CREATE TABLE reading (series INTEGER, time REAL, registers TEXT)")

    def add(self, readings: Iterable[tuple[int, Reading]]) -> None:
        """Keep readings, each with the number of its series."""
        self._database.execute("BEGIN")
        self._database.executemany(
            "INSERT INTO reading VALUES (?, ?, ?)",
            ((series, reading.time.timestamp(), _packed(reading)) for series, reading in readings),
        )
        self._database.execute("COMMIT")

    def sorted(self) -> Iterator[tuple[int, Reading]]:
        """Every reading, by series and then by time; of one time those that came first, first."""
        rows = self._database.execute("SELECT * FROM reading ORDER BY series, time, rowid")
        while batch := rows.fetchmany(_FETCHED):
            for series, time, registers in batch:
                yield series, _unpacked(time, registers)

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def _packed(reading: Reading) -> str:
    return json.dumps(
        [(str(each.code), str(each.value), each.unit) for each in reading.registers.values()],
        separators=(",", ":"),
    )


def _unpacked(time: float, registers: str) -> Reading:
    found = [
        Register(ObisCode.parse(code), Decimal(value), unit) for code, value, unit in json.loads(registers)
    ]
    return Reading("", datetime.fromtimestamp(time, UTC), {register.code: register for register in found})
