"""Times as the API writes and reads them."""

import calendar
import re
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

_STAMP: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


@lru_cache(maxsize=4096)
def stamp(second: int) -> str:
    """The RFC 3339 text of a unix second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second))


def parse_stamp(text: object) -> float:
    """The unix time of an RFC 3339 text; raises ValueError for anything else."""
    if not isinstance(text, str) or not _STAMP.fullmatch(text):
        raise ValueError(f"{text!r} is no RFC 3339 timestamp such as 2024-12-31T12:30:15Z")
    return datetime.fromisoformat(text.upper()).timestamp()


def parse_date(text: object) -> float:
    """The unix time at which a day written as YYYY-MM-DD begins; raises ValueError for anything else."""
    if not isinstance(text, str) or not _DATE.fullmatch(text):
        raise ValueError(f"{text!r} is no RFC 3339 date such as 2024-12-31")
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def add_months(second: int, months: int) -> int:
    """The same day of the month so many months later, or that month's last day."""
    moment = datetime.fromtimestamp(second, UTC)
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return int(moment.replace(year=year, month=month + 1, day=day).timestamp())
