"""The file of `--state.file`: what must be known after a restart, on disk.

JSON Lines: a header, one line for each entry, and a last line that counts and sums up the lines before it. An
entry is `[kind, key, payload]`: the kind says whose it is, the key and the payload are that owner's. So a
file of any length is read and written a line at a time.

    {"format": "iometer-exporter state", "version": 1, "boot": "…", "ended": true}
    ["meter", "meter:1ISK0012345678", {…}]
    {"entries": 1, "crc32": "89abcdef"}

The file is replaced as a whole, so it is never half written. It is of its owner alone (0600), since it tells
what a household uses. Beside it lies `FILE.lock`: locked by the exporter that writes, so that two do not
write over each other, and not empty while that exporter knows more than the file.
"""

import json
import os
import stat
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final

from iometer_exporter.errors import StateError
from iometer_exporter.state.locking import lock

Entry = tuple[str, str, Any]
"""Kind, key and payload, which is JSON."""

_FORMAT: Final = "iometer-exporter state"
_VERSION: Final = 1

_LONGEST_LINE_BYTES: Final = 1 << 20
"""Bytes; no entry is nearly as long."""

_LARGEST_FILE_BYTES: Final = 1 << 30
"""Bytes: those of a million meters. To read more would hold up the start."""

_MOST_BAD_FILES: Final = 3
"""Unusable files that are kept for a person to look at."""

_PRIVATE: Final = 0o600

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class StateFile:
    """The file at a path; links in the path are followed once, here. Every method may block."""

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.realpath(path))
        self._lock_path = self.path.with_name(f"{self.path.name}.lock")
        self._new_path = self.path.with_name(f".{self.path.name}.new")
        self._lock: int | None = None
        self.is_blocked = False
        """Whether something stands at the path that this program must not replace: do not write."""

    def read(self) -> tuple[Iterator[Entry], bool]:
        """The entries, and whether the exporter that wrote them may have known more in the end.

        Nothing where there is no file, or an empty one. Raises StateError for a file that cannot be used; it
        has then been set aside, if that was possible.
        """
        try:
            file = self._open()
            if file is None:
                return iter(()), False
            try:
                header = _verified(file)
            except StateError:
                file.close()
                raise
        except (OSError, StateError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise StateError(f"{self.path} {reason}: {self._set_aside()}") from error
        # Of another boot, the mark beside the file says nothing: it was never forced to the disk.
        is_known = header.get("ended") is True or header.get("boot") == _boot() != ""
        return _entries(file), self._is_behind() or not is_known

    def write(self, entries: Sequence[Entry], *, ended: bool = False) -> None:
        """Replace the file by one with these entries; raises OSError or StateError if that fails."""
        with Writer(self, ended=ended) as writer:
            writer.add(entries)
            writer.finish()

    def lock(self) -> None:
        """Become the one that writes; raises StateError while another does, OSError if it cannot be known."""
        if self._lock is not None:
            return
        flags = os.O_RDWR | os.O_CREAT | _flag("O_NOFOLLOW") | _flag("O_NONBLOCK") | _flag("O_CLOEXEC")
        opened = os.open(self._lock_path, flags, _PRIVATE)
        try:
            if not stat.S_ISREG(os.fstat(opened).st_mode):
                raise StateError(f"{self._lock_path} is not a regular file: remove it")
            lock(opened)
        except BlockingIOError as error:
            os.close(opened)
            raise StateError(
                f"{self.path} is written by another exporter: give each a file of its own"
            ) from error
        except BaseException:
            os.close(opened)
            raise
        self._lock = opened

    def mark(self, *, behind: bool) -> None:
        """Note beside the file whether more is known than it says; nothing happens where that fails."""
        if self._lock is None:
            return
        # The size alone, in the file system's memory: it need not outlive the host, whose boot is known.
        with suppress(OSError):
            os.ftruncate(self._lock, 1 if behind else 0)

    def close(self) -> None:
        """Let another exporter write."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _open(self) -> IO[bytes] | None:
        try:
            # To open a device may do something; a FIFO would be waited for.
            status = self.path.lstat()
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(status.st_mode):
            raise StateError("is not a regular file")
        if not status.st_size:
            return None
        if status.st_size > _LARGEST_FILE_BYTES:
            raise StateError("is larger than any state")
        opened = os.open(self.path, os.O_RDONLY | _flag("O_NONBLOCK") | _flag("O_CLOEXEC"))
        return os.fdopen(opened, "rb")

    def _is_behind(self) -> bool:
        try:
            return self._lock_path.lstat().st_size > 0
        except OSError:
            return True

    def _set_aside(self) -> str:
        """Rename the file, so that it is in nobody's way, and say so; the oldest such file gives way."""
        try:
            if not stat.S_ISREG(self.path.lstat().st_mode):
                self.is_blocked = True
                return "nothing is kept"
            names = [self.path.with_name(f"{self.path.name}.bad-{n}") for n in range(1, _MOST_BAD_FILES + 1)]
            name = next((name for name in names if not os.path.lexists(name)), None)
            if name is None:
                name = min(names, key=lambda name: name.lstat().st_mtime)
            os.replace(self.path, name)
        except OSError as error:
            self.is_blocked = True
            return f"it cannot be set aside ({error.strerror}), so nothing is kept"
        return f"it is set aside as {name.name}"


class Writer:
    """A new version of the file, which takes its place when it is finished."""

    def __init__(self, file: StateFile, *, ended: bool) -> None:
        """Begin to write; `ended` says that nobody will know more. Raises OSError or StateError."""
        file.lock()
        self._file = file
        self._count = 0
        self._sum = 0
        with suppress(FileNotFoundError):
            os.unlink(file._new_path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _flag("O_NOFOLLOW") | _flag("O_CLOEXEC")
        self._out = os.fdopen(os.open(file._new_path, flags, _PRIVATE), "wb")
        self._is_finished = False
        self._line({"format": _FORMAT, "version": _VERSION, "boot": _boot(), "ended": ended})

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    def add(self, entries: Sequence[Entry]) -> None:
        """Append entries."""
        for entry in entries:
            self._line(entry)
        self._count += len(entries)

    def finish(self) -> None:
        """Put the new version in the place of the old one, on the disk."""
        self._line({"entries": self._count, "crc32": f"{self._sum:08x}"})
        self._out.flush()
        os.fsync(self._out.fileno())
        self._out.close()
        path = self._file.path
        with suppress(FileNotFoundError):
            if not stat.S_ISREG(path.lstat().st_mode):
                raise StateError(f"{path} is not a regular file, and is not replaced by one")
        os.replace(self._file._new_path, path)
        self._is_finished = True
        with suppress(OSError):
            _sync_folder(path.parent)

    def discard(self) -> None:
        """Leave the old version where it is, unless the new one is finished."""
        with suppress(OSError):
            self._out.close()
        if not self._is_finished:
            with suppress(OSError):
                os.unlink(self._file._new_path)

    def _line(self, value: Any) -> None:
        line = json.dumps(value, separators=(",", ":")).encode() + b"\n"
        self._sum = zlib.crc32(line, self._sum)
        self._out.write(line)


def _verified(file: IO[bytes]) -> dict[str, Any]:
    """The header of a file that is complete, undamaged and ours; raises StateError for any other."""
    line = file.readline(_LONGEST_LINE_BYTES)
    header = _parsed(line)
    if not isinstance(header, dict) or header.get("format") != _FORMAT:
        raise StateError("is not a state file of this program")
    if header.get("version") != _VERSION:
        raise StateError("is of another version of this program")
    total, count = 0, -1
    while following := file.readline(_LONGEST_LINE_BYTES):
        total = zlib.crc32(line, total)
        count += 1
        line = following
    if _parsed(line) != {"entries": count, "crc32": f"{total:08x}"}:
        raise StateError("is damaged")
    return header


def _entries(file: IO[bytes]) -> Iterator[Entry]:
    """The entries of a file that has been verified, which is closed at the end."""
    with file:
        file.seek(0)
        file.readline(_LONGEST_LINE_BYTES)
        while line := file.readline(_LONGEST_LINE_BYTES):
            match _parsed(line):
                case [str(kind), str(key), payload]:
                    yield kind, key, payload


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _boot() -> str:
    """The id of this boot of the host, which no other has; empty where it is not known."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | _flag("O_CLOEXEC"))
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _flag(name: str) -> int:
    """The flag of `os.open`; 0 where the system has none of that name."""
    flag = getattr(os, name, 0)
    assert isinstance(flag, int)  # noqa: S101 (for the type checker)
    return flag
