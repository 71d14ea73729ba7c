"""What a backfill has fetched, in a folder, so that the same command goes on where it was stopped.

One file, which is only appended to: a record that says what was asked for, one for each page of installations
with their names, and then one for each page of readings with the cursor of those that follow. A record is a
kind, a length, a checksum, and JSON compressed by zlib:

    H {"format": "iometer-exporter backfill", "version": 1, "url": "…", "start": 1735689600.0, …}
    I [["8c2f…", "home-000001"], …]
    R {"cursor": "…", "kinds": [["1-0:1.8.0", "Wh"], …], "readings": […], …}

From the first record on that is not whole, such as one that was half written, all is cut off, and fetched
again from where the record before it ends. So nothing is doubled and nothing is missing. Token and secret are
not in the file. It is of its owner alone (0600), since it tells what customers use.
"""

import errno
import json
import os
import stat
import struct
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from sys import intern
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

from iometer_exporter import wording
from iometer_exporter.errors import IOmeterError, OutputError
from iometer_exporter.meter.models import Reading, Register
from iometer_exporter.meter.obis import ObisCode
from iometer_exporter.provider.api.models import MeterReading, ReadingsPage
from iometer_exporter.provider.served.shard import Shard
from iometer_exporter.state.locking import lock

NAME: Final = "iometer-exporter-backfill.kept"
"""Of the file in the folder."""

_NEW_NAME: Final = f".{NAME}.new"
"""Of a file that has no header yet."""

_FORMAT: Final = "iometer-exporter backfill"
_VERSION: Final = 1

_RECORD: Final = struct.Struct("<cII")
_HEADER, _INSTALLATIONS, _READINGS = b"H", b"I", b"R"

_LONGEST_RECORD_BYTES: Final = 1 << 26
"""Bytes; no page is nearly as long."""

_COMPRESSION: Final = 1
"""Level of zlib: the fastest, which leaves a fifth."""

_SYNC_SECONDS: Final = 5.0
"""After which what was fetched is forced to the disk: that much is fetched again when a machine fails."""

_PRIVATE_FILE: Final = 0o600
_PRIVATE_FOLDER: Final = 0o700

_NO_LOCKS_OF_FOLDERS: Final = (errno.EBADF,)
"""Errors of a file system that has locks, but none of folders."""

_WORDS: Final = {
    "url": "of the API at",
    "account": "of the account",
    "since": "of the last",
    "shard": "of the shard",
}
"""What the header says, in the words of a sentence."""

Name = tuple[str, str]
"""Id and external id of an installation."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a backfill asks for; one that asks for anything else cannot go on with it.

    `account` is the id of the provider, `since` is in seconds.
    """

    url: str
    account: str
    since: float
    shard: Shard


class KeptPages:
    """The file in the folder, which is locked until the end of the block.

    Methods raise OutputError where the folder cannot take it or give it back, IOmeterError where it is
    somebody else's.
    """

    def __init__(self, folder: Path) -> None:
        """Make the folder, if it is not there, and cut off what is not whole of the file in it."""
        self.folder: Final = folder
        self.header: dict[str, Any] | None = None
        """What was asked for when the file was begun; None where nothing is kept yet."""
        self.is_begun = False
        """Whether `begin` has found that this is what is asked for."""
        self.cut_bytes = 0
        """Bytes at the end that were not whole."""
        self.has_readings = False
        """Whether a page of readings is kept, and so the names of all installations."""
        self._path = folder / NAME
        self._file: BinaryIO | None = None
        self._first_names = 0
        self._first_readings = 0
        self._synced = time.monotonic()
        with self._as_output_errors():
            with suppress(FileExistsError):
                folder.mkdir(_PRIVATE_FOLDER)
            self._lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                self._take_lock()
                if os.path.lexists(self._path):
                    self._go_on()
            except BaseException:
                self.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def begin(self, asked: Asked, start: datetime) -> datetime:
        """The time from which on readings are asked for: the start, or that of the run that was stopped.

        Raises IOmeterError where that run asked for something else.
        """
        wanted = {
            "url": asked.url,
            "account": asked.account,
            "since": asked.since,
            "shard": "/".join(map(str, asked.shard)),
        }
        if self.header is None:
            with self._as_output_errors():
                self._create(wanted | {"start": start.timestamp()})
            self.is_begun = True
            return start
        if different := [name for name, value in wanted.items() if self.header.get(name) != value]:
            differences = ", ".join(
                _difference(name, self.header.get(name), wanted[name]) for name in different
            )
            raise IOmeterError(
                f"what is kept in the folder {self.folder} is of another backfill, {differences}: "
                "ask for the same, or take another folder"
            )
        self.is_begun = True
        return datetime.fromtimestamp(self.header["start"], UTC)

    def keep_names(self, names: Iterable[Name]) -> None:
        """Append a page of the names of installations."""
        self._append(_INSTALLATIONS, list(names))

    def names(self) -> Iterator[list[Name]]:
        """The names of all installations, page by page; nothing where `has_readings` is false."""
        for _, names in self._records(self._first_names, self._first_readings):
            yield [(id, external_id) for id, external_id in names]

    def keep(self, page: ReadingsPage) -> None:
        """Append a page of readings."""
        self._append(_READINGS, _packed(page))
        self.has_readings = True

    def pages(self) -> Iterator[tuple[ReadingsPage, int]]:
        """Every page of readings in the order in which they were kept, and its size in bytes.

        Ids of meters are not kept.
        """
        if self.has_readings:
            for size, values in self._records(self._first_readings, None):
                with self._as_damage():
                    page = _unpacked(values)
                yield page, size

    @property
    def size(self) -> int:
        """Bytes that `pages` reads."""
        return os.fstat(self._opened.fileno()).st_size - self._first_readings if self.has_readings else 0

    def remove(self) -> None:
        """Remove the file, and the folder if that was all in it."""
        with self._as_output_errors():
            self._path.unlink(missing_ok=True)
        self.has_readings = False
        with suppress(OSError):
            self.folder.rmdir()

    def close(self) -> None:
        """Let another process go on with the folder."""
        if self._file is not None:
            # What is still in a buffer did not fit.
            self._file.raw.close()  # type: ignore[attr-defined]
            self._file = None
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    @property
    def _opened(self) -> BinaryIO:
        if self._file is None:
            raise ValueError("nothing is kept before `begin`")
        return self._file

    def _take_lock(self) -> None:
        try:
            lock(self._lock, unlockable=_NO_LOCKS_OF_FOLDERS)
        except BlockingIOError as error:
            raise IOmeterError(
                f"the folder {self.folder} is in use by another backfill: give each a folder of its own"
            ) from error

    def _go_on(self) -> None:
        self._file = self._open(self._path, os.O_RDWR | os.O_APPEND)
        with self._as_damage():
            found = self._whole_record()
            if found is None or found[0] != _HEADER:
                raise ValueError
            header = json.loads(zlib.decompress(found[1]))
            if header["format"] != _FORMAT:
                raise ValueError
            if header["version"] != _VERSION:
                raise IOmeterError(f"{self._path} is of another version of this program: remove it")
            datetime.fromtimestamp(header["start"], UTC)
        self.header = header
        self._first_names = end = self._file.tell()
        while (record := self._whole_record()) is not None:
            if record[0] == _READINGS and not self.has_readings:
                self.has_readings = True
                self._first_readings = end
            end = self._file.tell()
        size = os.fstat(self._file.fileno()).st_size
        self.cut_bytes = size - end
        # Installations are numbered from the first one on: a part of them is of no use.
        keep = end if self.has_readings else self._first_names
        if keep < size:
            os.truncate(self._file.fileno(), keep)

    def _create(self, header: dict[str, Any]) -> None:
        path = self.folder / _NEW_NAME
        path.unlink(missing_ok=True)
        self._file = self._open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL)
        self._append(_HEADER, {"format": _FORMAT, "version": _VERSION} | header)
        os.fsync(self._file.fileno())
        os.replace(path, self._path)
        os.fsync(self._lock)

    def _open(self, path: Path, flags: int) -> BinaryIO:
        opened = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, _PRIVATE_FILE)
        status = os.fstat(opened)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            os.close(opened)
            raise IOmeterError(f"{path} is not a file of this user: take another folder")
        return open(opened, "r+b")

    def _append(self, kind: bytes, values: Any) -> None:
        content = zlib.compress(json.dumps(values, separators=(",", ":")).encode(), _COMPRESSION)
        head = _RECORD.pack(kind, len(content), zlib.crc32(content, zlib.crc32(kind)))
        with self._as_output_errors():
            self._opened.write(head + content)
            # With that, it outlives this process.
            self._opened.flush()
            if time.monotonic() - self._synced >= _SYNC_SECONDS:
                os.fsync(self._opened.fileno())
                self._synced = time.monotonic()

    def _whole_record(self) -> tuple[bytes, bytes] | None:
        """Kind and compressed content of the next record; None where there is none, or it is not whole."""
        head = self._opened.read(_RECORD.size)
        if len(head) < _RECORD.size:
            return None
        kind, length, checksum = _RECORD.unpack(head)
        if length > _LONGEST_RECORD_BYTES:
            return None
        content = self._opened.read(length)
        return (kind, content) if zlib.crc32(content, zlib.crc32(kind)) == checksum else None

    def _records(self, begin: int, end: int | None) -> Iterator[tuple[int, Any]]:
        """Size and values of each record between two places; the end is that of the file if None."""
        with self._as_output_errors():
            self._opened.seek(begin)
        while end is None or self._opened.tell() < end:
            with self._as_output_errors():
                record = self._whole_record()
            if record is None:
                return
            with self._as_damage():
                values = json.loads(zlib.decompress(record[1]))
            yield _RECORD.size + len(record[1]), values

    @contextmanager
    def _as_damage(self) -> Iterator[None]:
        try:
            yield
        except (ValueError, LookupError, TypeError, ArithmeticError, zlib.error) as error:
            raise OutputError(f"{self._path} is damaged, or of something else: remove it") from error

    @contextmanager
    def _as_output_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputError(
                f"cannot keep readings in the folder {self.folder}: {error.strerror or error}"
            ) from error


def _difference(name: str, kept: Any, wanted: Any) -> str:
    """What was asked for in another way, in words."""
    if name == "since":
        kept, wanted = wording.duration(kept), wording.duration(wanted)
    return f"{_WORDS[name]} {kept} and not {wanted}"


def _packed(page: ReadingsPage) -> dict[str, Any]:
    # A fleet has few kinds of registers: each is said once in a page.
    kinds: dict[tuple[ObisCode, str], int] = {}
    readings = []
    for each in page.readings:
        registers: list[Any] = []
        for code, value, unit in each.reading.registers.values():
            registers += kinds.setdefault((code, unit), len(kinds)), str(value)
        time, received = each.reading.time.timestamp(), each.received.timestamp()
        readings.append(
            (each.installation_id, each.external_id, each.reading.meter, time, received, registers)
        )
    return {
        "cursor": page.cursor,
        "problems": page.problems,
        "errors": page.errors,
        "kinds": [(str(code), unit) for code, unit in kinds],
        "readings": readings,
    }


def _unpacked(values: dict[str, Any]) -> ReadingsPage:
    kinds = [(ObisCode.parse(code), intern(unit)) for code, unit in values["kinds"]]
    readings = []
    for installation_id, external_id, meter, at, received, sent in values["readings"]:
        registers = {}
        for kind, value in zip(sent[::2], sent[1::2], strict=True):
            code, unit = kinds[kind]
            registers[code] = Register(code, Decimal(value), unit)
        reading = Reading(meter, datetime.fromtimestamp(at, UTC), registers)
        readings.append(
            MeterReading(installation_id, external_id, "", datetime.fromtimestamp(received, UTC), reading)
        )
    return ReadingsPage(tuple(readings), values["cursor"], tuple(values["problems"]), tuple(values["errors"]))
