"""The payload files: what bridges of different firmware on different meters send."""

from pathlib import Path
from typing import Final

from iometer_exporter.meter.models import Reading, Status, parse_reading, parse_status

FIXTURES: Final = Path(__file__).parent / "fixtures"

CASES: Final = tuple(sorted(folder.name for folder in (FIXTURES / "payloads").iterdir()))


def body(case: str, endpoint: str) -> bytes:
    return (FIXTURES / "payloads" / case / f"{endpoint}.json").read_bytes()


def reading(case: str) -> Reading:
    return parse_reading(body(case, "reading"))


def status(case: str) -> Status:
    return parse_status(body(case, "status"))
