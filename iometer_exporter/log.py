"""Log lines on stderr, one event each, as logfmt or JSON; the fields are those given as `extra`."""

import json
import logging
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, TextIO

LogFormat = Literal["logfmt", "json"]

_STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}

_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/+@%[]")


def set_up(*, level: str, log_format: LogFormat, stream: TextIO | None = None) -> None:
    """Send all log lines from `level` on to the stream (default: stderr)."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_JsonFormatter() if log_format == "json" else _LogfmtFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # These tell of every request or socket, which is noise of every scrape.
    for chatty in ("httpx", "httpcore", "asyncio", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # It warns, with a traceback, of every interface without multicast; Discovery says what matters.
    logging.getLogger("zeroconf").setLevel(logging.CRITICAL)


def _fields(record: logging.LogRecord) -> Mapping[str, str]:
    time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    fields = {
        "time": time.replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "msg": record.getMessage(),
    }
    fields |= {key: str(value) for key, value in record.__dict__.items() if key not in _STANDARD}
    if record.exc_info and record.exc_info[1]:
        fields["error"] = _where(record.exc_info[1])
    return fields


def _where(error: BaseException) -> str:
    """Kind, text and place of an error in one line: enough for a report, and no traceback for a user."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{place}"


class _LogfmtFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return " ".join(f"{key}={_quoted(value)}" for key, value in _fields(record).items())


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(_fields(record))


def _quoted(value: str) -> str:
    return value if value and _PLAIN.issuperset(value) else json.dumps(value)
