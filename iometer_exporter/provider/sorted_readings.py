"""Readings of a whole fleet on disk, sorted by meter and time: they need not fit into the memory."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

from iometer_exporter.errors import OutputError
from iometer_exporter.meter.models import Reading, Register
from iometer_exporter.meter.obis import ObisCode

_CACHE_KIB: Final = 16 * 1024
"""Memory of SQLite, and as much again while it sorts."""

_ROWS_AT_ONCE: Final = 1000

Kind = tuple[ObisCode, str]
"""Code and unit of a register."""


class Spool:
    """Readings by the number of their series, in files in the folder that have no name.

    SQLite takes the name away as soon as it has created such a file: the readings are gone with this process,
    however it ends. Methods raise OutputError where the folder cannot take them, such as on a full disk.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers: dict[Kind, int] = {}
        self._kinds: list[Kind] = []
        with self._failing():
            # An empty name is a database of its own on disk.
            self._database = sqlite3.connect("", isolation_level=None)
            # It belongs where there is room for the output, as what is sorted does, and not into a small
            # /tmp. SQLite reads its environment when Python imports it, so only this can say where; one that
            # is built without deprecated features ignores it, and goes by that environment.
            self._database.execute(f"PRAGMA temp_store_directory = {_quoted(folder)}")
            # Nobody else reads it and nothing outlives the process: no journal, no waiting for the disk.
            for setting in (
                "journal_mode=OFF",
                "synchronous=OFF",
                f"cache_size=-{_CACHE_KIB}",
                "temp_store=FILE",
            ):
                self._database.execute(f"PRAGMA {setting}")
            self._database.execute("CREATE TABLE reading (series INTEGER, time REAL, registers TEXT)")

    def add(self, readings: Iterable[tuple[int, Reading]]) -> None:
        """Keep readings, each with the number of its series."""
        with self._failing():
            self._database.execute("BEGIN")
            self._database.executemany(
                "INSERT INTO reading VALUES (?, ?, ?)",
                ((series, reading.time.timestamp(), self._packed(reading)) for series, reading in readings),
            )
            self._database.execute("COMMIT")

    def sorted(self) -> Iterator[tuple[int, Reading]]:
        """Every reading, by series and then by time; of one time those that came first, first."""
        with self._failing():
            rows = self._database.execute("SELECT * FROM reading ORDER BY series, time, rowid")
        while True:
            with self._failing():
                batch = rows.fetchmany(_ROWS_AT_ONCE)
            if not batch:
                return
            for series, time, registers in batch:
                yield series, self._unpacked(time, registers)

    def close(self) -> None:
        """Close the files, which are gone with that."""
        self._database.close()

    def _packed(self, reading: Reading) -> str:
        """Number of the kind and value of each register: a fleet has few kinds, and very many readings."""
        numbers, parts = self._numbers, []
        for code, value, unit in reading.registers.values():
            number = numbers.get((code, unit))
            if number is None:
                number = numbers[code, unit] = len(self._kinds)
                self._kinds.append((code, unit))
            parts.append(f"{number} {value}")
        return " ".join(parts)

    def _unpacked(self, time: float, packed: str) -> Reading:
        registers: dict[ObisCode, Register] = {}
        parts = packed.split()
        for number, value in zip(parts[::2], parts[1::2], strict=True):
            code, unit = self._kinds[int(number)]
            registers[code] = Register(code, Decimal(value), unit)
        return Reading("", datetime.fromtimestamp(time, UTC), registers)

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise no_room(self._folder, str(error)) from error


def no_room(folder: Path, why: str) -> OutputError:
    """The error of a folder that cannot take what is kept there."""
    return OutputError(f"cannot keep readings in the folder {folder} until they are sorted: {why}")


def _quoted(folder: Path) -> str:
    # A name that is no Unicode cannot be said in SQL; SQLite then finds a folder of its own.
    text = str(folder) if str(folder).isprintable() else ""
    return "'" + text.replace("'", "''") + "'"
