"""The file that a command is told to write: whole or not at all, and never in place of something else."""

import errno
import fcntl
import os
import signal
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import BinaryIO, Final, Self

from iometer_exporter.errors import OutputError

STDOUT: Final = Path("-")

_LINKS: Final = 40
"""Links followed one after the other, as many as Linux does."""

_NEW: Final = 0o600
"""Mode of a new file: what customers use is nobody else's business."""

_NO_NAMELESS_FILES: Final = (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL)
"""Errors of a file system or kernel that cannot create a file without a name."""

_PREFIX: Final = ".iometer-exporter-"
_SUFFIX: Final = ".partial"


class Output:
    """An output file, open from the begin of the block to its end; errors are OutputErrors that name it.

    - A descriptor of this process, such as `-`, `/dev/stdout` or `/dev/fd/3`, is written to.
    - So is what exists and is not a regular file: a device or a FIFO.
    - Anything else is replaced once the new content is complete, at the end of the links that lead there.
      The mode stays, and where this user may give them also owner and group; a new file is readable for its
      owner alone.

    Until then the new content has no name, where the file system can do that: nothing of it is left, however
    the process ends. Elsewhere its name begins with `.iometer-exporter-`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._target: Path | None = None
        self._partial: Path | None = None
        self._handlers: dict[int, signal.Handlers] = {}
        descriptor = 1 if path == STDOUT else _standard_descriptor(path)
        with self._as_output_errors():
            if descriptor is None and _is_replaced(path):
                self._target = Path(os.path.realpath(path))
            # Beside a file there is room for as much again; in /tmp there may be none.
            self.folder: Final = self._target.parent if self._target else Path(tempfile.gettempdir())
            """Where files may be kept that are about as large."""
            self._file = self._open(descriptor)

    @property
    def is_file(self) -> bool:
        """Whether it is a file that stays, under the name that was given."""
        return self._target is not None

    def _open(self, descriptor: int | None) -> BinaryIO:
        if descriptor == 1:
            # What it cannot take is reported as that of all that is printed.
            return sys.stdout.buffer
        if descriptor is not None:
            return open(os.dup(descriptor), "wb")
        if self._target is None:
            return open(self._path, "wb")
        number = _open_unnamed(self._target.parent)
        if number is None:
            _remove_leftovers(self._target.parent)
            number, name = tempfile.mkstemp(_SUFFIX, _PREFIX, self._target.parent)
            self._partial = Path(name)
            self._end_by_exception()
            with suppress(OSError):
                fcntl.flock(number, fcntl.LOCK_EX)
        return open(number, "wb")

    @contextmanager
    def writing(self) -> Iterator[BinaryIO]:
        """The file to write to, once; in its place, and complete, when the block ends without an error.

        An OSError of the block is taken for one of the file.
        """
        with self._as_output_errors():
            yield self._file
            self._file.flush()
            if self._target is not None:
                self._replace_target(self._target)

    def _replace_target(self, target: Path) -> None:
        number = self._file.fileno()
        _keep_mode(number, target)
        os.fsync(number)
        if self._partial is None:
            self._partial = _link_hidden(number, target.parent)
        os.replace(self._partial, target)
        self._partial = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not sys.stdout.buffer:
            # What is still in the buffer is of no use, and nobody may be reading the FIFO that it is for.
            self._file.raw.close()  # type: ignore[attr-defined]
        if self._partial is not None:
            self._partial.unlink(missing_ok=True)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    @contextmanager
    def _as_output_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputError(f"cannot write {self._path}: {error.strerror or error}") from error

    def _end_by_exception(self) -> None:
        """Let the signals that end a process at once run the end of the block first."""

        def end(number: int, _frame: FrameType | None) -> None:
            sys.exit(128 + number)

        for number in (signal.SIGTERM, signal.SIGHUP):
            # One that is ignored, as below `nohup`, stays so.
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, end)
                self._handlers[number] = signal.SIG_DFL


def _standard_descriptor(path: Path) -> int | None:
    """The number of the open file that a path such as /dev/stdout or /dev/fd/3 stands for."""
    here = {os.path.realpath(folder) for folder in ("/proc/self/fd", "/dev/fd")}
    # Links one by one: the last one, from /proc/self/fd/1 to a file, is the one not to follow.
    for _ in range(_LINKS):
        if os.path.realpath(path.parent) in here and path.name.isdecimal():
            return int(path.name)
        if not path.is_symlink():
            break
        path = path.parent / path.readlink()
    return None


def _is_replaced(path: Path) -> bool:
    """Whether there is nothing yet, or a regular file."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return True


def _open_unnamed(folder: Path) -> int | None:
    """A descriptor of a file in the folder that has no name; None where there can be none."""
    flag = getattr(os, "O_TMPFILE", None)
    if flag is None:
        return None
    try:
        number = os.open(folder, flag | os.O_RDWR, _NEW)
    except OSError as error:
        # A folder that is not there says so also when a file with a name is created.
        if error.errno in _NO_NAMELESS_FILES:
            return None
        raise
    # The only way to give it a name is by way of /proc.
    if os.path.exists(f"/proc/self/fd/{number}"):
        return number
    os.close(number)
    return None


def _link_hidden(number: int, folder: Path) -> Path:
    """The nameless file under a name of its own, from which it can be moved in one step."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        name = f"{_PREFIX}{os.urandom(8).hex()}{_SUFFIX}"
        # The descriptor makes Python call linkat(2), which follows the link in /proc.
        os.link(f"/proc/self/fd/{number}", name, dst_dir_fd=opened, follow_symlinks=True)
        return folder / name
    finally:
        os.close(opened)


def _remove_leftovers(folder: Path) -> None:
    """Remove what a killed process has left in the folder."""
    for leftover in folder.glob(f"{_PREFIX}*{_SUFFIX}"):
        with suppress(OSError):
            number = os.open(leftover, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                # Whoever still writes it holds the lock.
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
                leftover.unlink()
            finally:
                os.close(number)


def _keep_mode(number: int, target: Path) -> None:
    """Give the new file the mode and, as far as this user may, owner and group of the one it replaces."""
    try:
        old = target.stat()
    except FileNotFoundError:
        return
    mode = stat.S_IMODE(old.st_mode) & 0o777
    try:
        os.fchown(number, -1, old.st_gid)
    except PermissionError:
        # Another group has not been given anything.
        mode &= ~stat.S_IRWXG
    with suppress(PermissionError):
        os.fchown(number, old.st_uid, -1)
    os.fchmod(number, mode)
