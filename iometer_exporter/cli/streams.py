"""stdout and stderr of a command: what cannot be written ends it with a sentence, or does not disturb it."""

import errno
import io
import os
import select
import sys
from collections.abc import Callable
from typing import Any, Final

from iometer_exporter.errors import OutputError


class ReaderGoneError(OutputError):
    """Nobody reads stdout any more, such as `head` which has enough: nothing to tell anybody."""


class _Stream(io.RawIOBase):
    """A standard stream whose first error is handed to `failed`, and which swallows what comes after it.

    Buffers above it try again when the interpreter ends, and that would be reported a second time.
    """

    def __init__(self, raw: Any, failed: Callable[[OSError], Exception | None]) -> None:
        self._raw = raw
        self._failed = failed
        self.failure: Exception | None = None
        self._open = True

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        if self._raw is None:
            raise io.UnsupportedOperation("fileno")
        number: int = self._raw.fileno()
        return number

    def isatty(self) -> bool:
        return self._raw is not None and bool(self._raw.isatty())

    def write(self, data: Any) -> int:
        if self._open:
            try:
                return self._written(data)
            except OSError as error:
                self._open = False
                self.failure = self._failed(error)
                if self.failure is not None:
                    raise self.failure from error
        return len(data)

    def _written(self, data: Any) -> int:
        if self._raw is None:
            # Closed before the start. What has been opened since then may have its number: nothing for us.
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        while (written := self._raw.write(data)) is None:
            # Another process that shares the terminal or pipe has made it non-blocking.
            select.select([], [self._raw], [])
        count: int = written
        return count


def _output_error(error: OSError) -> OutputError:
    if error.errno == errno.EPIPE:
        return ReaderGoneError("nobody reads stdout any more")
    return OutputError(f"cannot write to stdout: {error.strerror}")


def _ignore(_error: OSError) -> None:
    """What cannot be said on stderr is no reason to leave the work undone."""


class Streams:
    """`sys.stdout` and `sys.stderr` of the whole process, guarded once for all commands."""

    def __init__(self) -> None:
        """Replace both."""
        self._stdout: Final = _Stream(_unbuffered(sys.stdout), _output_error)
        sys.stdout = _text_stream(self._stdout, sys.stdout)
        if sys.stderr is not None:
            sys.stderr = _text_stream(_Stream(_unbuffered(sys.stderr), _ignore), sys.stderr)

    def finish(self) -> None:
        """Write what is still in a buffer; raises OutputError if that, or anything before it, failed."""
        sys.stdout.flush()
        if self._stdout.failure is not None:
            raise self._stdout.failure


def _unbuffered(stream: Any) -> Any:
    """The stream without buffers; None where the process was started without it."""
    if stream is None:
        return None
    stream.flush()
    # With `python -u` there is no buffer in between.
    return getattr(stream.buffer, "raw", stream.buffer)


def _text_stream(raw: _Stream, like: Any) -> io.TextIOWrapper:
    """A text stream over the raw one, in the encoding of the one it replaces."""
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=getattr(like, "encoding", "utf-8"),
        errors=getattr(like, "errors", "strict"),
        line_buffering=True,
    )
