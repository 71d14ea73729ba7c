"""Stored readings of the cloud as an OpenMetrics file with the live metrics' families."""

import struct
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import IO, Final, Self

from iometer_exporter.errors import OutputError
from iometer_exporter.meter.guard import Limits, MeterGuard
from iometer_exporter.meter.models import Reading
from iometer_exporter.metrics import families as metrics
from iometer_exporter.metrics.families import Family
from iometer_exporter.metrics.lines import escape, number
from iometer_exporter.provider.api.models import MeterReading
from iometer_exporter.provider.served.installations import FUTURE_SECONDS
from iometer_exporter.provider.served.labels import Labels
from iometer_exporter.provider.served.shard import Shard, in_shard
from iometer_exporter.provider.sorted_readings import Spool, no_room

FAMILIES: Final = (*metrics.COUNTERS, *metrics.INSTANTANEOUS, metrics.READING_TIMESTAMP)
"""In the order of the file."""

_SAMPLE: Final = struct.Struct("<Idd")
_SAMPLES_AT_ONCE: Final = 4096

_READINGS_PER_REPORT: Final = 1000
"""Looked at between two reports of progress."""


@dataclass(slots=True)
class Report:
    """Counts of readings by outcome; each of this shard is counted once."""

    received: int = 0
    written: int = 0
    meters: int = 0
    duplicates: int = 0
    left: Counter[str] = field(default_factory=Counter)
    """By the number of the meter: those that others serve."""
    refused: Counter[str] = field(default_factory=Counter)
    """By why: `decreased` and `implausible` as the guard says, `future` for a time that has not come."""


class Backfill:
    """Takes readings in any order and writes them as one file, by way of files without a name in a folder.

    Methods raise OutputError where the folder cannot take them, such as on a full disk; `write` raises the
    OSError of the file that it writes.
    """

    def __init__(
        self,
        folder: Path,
        *,
        limits: Limits,
        shard: Shard,
        labels: Mapping[str, str] = MappingProxyType({}),
        others: Collection[str] = frozenset(),
    ) -> None:
        """Nothing is left in the folder; `labels` are added to every series, as a scrape adds its own.

        Meters with the numbers `others` are left to those who serve them already.
        """
        self.report = Report()
        self._more = "".join(f',{name}="{escape(value)}"' for name, value in labels.items())
        self._folder = folder
        self._limits = limits
        self._shard = shard
        self._others = frozenset(others)
        self._spool = Spool(folder)
        self._is_sorted = False
        self._series: dict[tuple[str, str], int] = {}
        self._labels = Labels()
        self._names: dict[str, str] = {}
        self._columns: dict[tuple[Family, tuple[str, ...]], _Column] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.close()
        for column in self._columns.values():
            # What is still in a buffer is of no use, and may fit nowhere.
            with suppress(OSError):
                column.close()

    def name(self, installations: Iterable[tuple[str, str]]) -> None:
        """Name installations as the exporter does, before any reading.

        Ids and external ids are given in the order of the inventory.
        """
        for installation_id, external_id in installations:
            if in_shard(installation_id, self._shard):
                self._label(installation_id, external_id)

    def of_shard(self, readings: Iterable[MeterReading]) -> Iterator[MeterReading]:
        """Those of the readings that this shard takes."""
        return (each for each in readings if in_shard(each.installation_id, self._shard))

    def add(self, readings: Iterable[MeterReading]) -> None:
        """Take readings; those of installations in other shards are left to others."""
        self._spool.add(self._accepted(readings))

    def _accepted(self, readings: Iterable[MeterReading]) -> Iterator[tuple[int, Reading]]:
        for each in self.of_shard(readings):
            self.report.received += 1
            if each.reading.meter in self._others:
                self.report.left[each.reading.meter] += 1
                continue
            if (each.reading.time - each.received).total_seconds() > FUTURE_SECONDS:
                self.report.refused["future"] += 1
                continue
            key = (self._label(each.installation_id, each.external_id), each.reading.meter)
            yield self._series.setdefault(key, len(self._series)), each.reading

    def _label(self, installation_id: str, external_id: str) -> str:
        """The label of the installation, which a reading may tell of before the inventory does."""
        label = self._names.get(installation_id)
        if label is None:
            label = self._names[installation_id] = self._labels.take(installation_id, external_id)
        return label

    def sort(self, done: Callable[[int], None] = lambda _: None) -> None:
        """Sort and judge the readings; `done` is told how many have been looked at since it was last told."""
        try:
            self._sort(done)
        except OSError as error:
            raise _no_room(self._folder, error) from error
        self._is_sorted = True

    @property
    def samples(self) -> int:
        """How many samples there are to write, once the readings are sorted."""
        return sum(column.size for column in self._columns.values())

    def write(self, out: IO[bytes], done: Callable[[int], None] = lambda _: None) -> None:
        """Write the file; `done` is told how many samples have been written since it was last told."""
        if not self._is_sorted:
            self.sort()
        labels = [
            f'installation="{escape(installation)}",meter="{escape(meter)}"{self._more}'
            for installation, meter in self._series
        ]
        for family in FAMILIES:
            columns = sorted((more, column) for (one, more), column in self._columns.items() if one is family)
            if columns:
                out.write(_head(family))
            for more, column in columns:
                names = zip(family.labels[2:], more, strict=True)
                own = "".join(f',{name}="{escape(value)}"' for name, value in names)
                for count, lines in column.lines(family.name, labels, own):
                    out.write(lines)
                    done(count)
        out.write(b"# EOF\n")

    def _sort(self, done: Callable[[int], None]) -> None:
        """Judge every reading in its place, and put its values where they are written from."""
        report = self.report
        current, counted, guard, last, looked_at = -1, -1, MeterGuard(), None, 0
        for series, reading in self._spool.sorted():
            looked_at += 1
            if looked_at == _READINGS_PER_REPORT:
                done(looked_at)
                looked_at = 0
            if series != current:
                current, guard, last = series, MeterGuard(), None
            if reading.time == last:
                report.duplicates += 1
                continue
            last = reading.time
            time = last.timestamp()
            # The clock of the readings: they are past, and arrive all at once.
            judgement = guard.judge(reading, time, self._limits)
            if judgement.rejection is not None:
                report.refused[judgement.rejection] += 1
                continue
            report.written += 1
            report.meters += series != counted
            counted = series
            counters = metrics.counters(judgement.energies, judgement.served.time)
            for samples in (counters, metrics.instantaneous(reading)):
                for family, more, value in samples:
                    if value is not None:
                        self._column(family, more).add(series, time, value)
        for column in self._columns.values():
            column.rewind()
        done(looked_at)

    def _column(self, family: Family, more: tuple[str, ...]) -> "_Column":
        column = self._columns.get((family, more))
        if column is None:
            column = _Column(self._folder)
            self._columns[family, more] = column
        return column


class _Column:
    """The values of one family, and of one tariff or phase, in the order of series and time."""

    def __init__(self, folder: Path) -> None:
        """Values go into a file in the folder, which has no name; raises OSError, as `add` and `close` do."""
        self.size = 0
        """Number of values."""
        self._folder = folder
        self._file = tempfile.TemporaryFile(dir=folder, buffering=1 << 16)  # noqa: SIM115 (closed by close)

    def __lt__(self, _other: object) -> bool:
        # Of two in one list the labels have decided.
        return False

    def add(self, series: int, time: float, value: float) -> None:
        """Append a value of the series at a Unix time."""
        self._file.write(_SAMPLE.pack(series, time, value))
        self.size += 1

    def lines(self, name: str, labels: Sequence[str], more: str) -> Iterator[tuple[int, bytes]]:
        """Lines of the exposition, many at once, and how many these are; `labels` are those of each series.

        Raises OutputError where the folder fails: whoever writes the lines has errors of their own.
        """
        while data := self._next():
            lines = [
                f"{name}{{{labels[series]}{more}}} {number(value)} {time:.3f}\n"
                for series, time, value in _SAMPLE.iter_unpack(data)
            ]
            yield len(lines), "".join(lines).encode()

    def rewind(self) -> None:
        """Go to the begin, after the last value has been added."""
        self._file.seek(0)

    def _next(self) -> bytes:
        try:
            data: bytes = self._file.read(_SAMPLE.size * _SAMPLES_AT_ONCE)
        except OSError as error:
            raise _no_room(self._folder, error) from error
        return data

    def close(self) -> None:
        """Close the file, which is gone with that."""
        self._file.close()


def _no_room(folder: Path, error: OSError) -> OutputError:
    return no_room(folder, error.strerror or str(error))


def _head(family: Family) -> bytes:
    name = family.name.removesuffix("_total")
    lines = [f"# HELP {name} {family.help}", f"# TYPE {name} {family.type}"]
    if family.unit:
        lines.append(f"# UNIT {name} {family.unit}")
    return "".join(f"{line}\n" for line in lines).encode()
