"""A stream as it comes in: what is told of it, and how much of it is taken."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from iometer_exporter.bridges.live.incoming import Incoming
from iometer_exporter.errors import FetchError

EVENT = b"event: readingEvent\ndata: {}\n\n"
KIBIBYTE = b":" + 1022 * b"-" + b"\n"
"""A comment."""


@dataclass
class Told:
    now: float = 0.0
    begun: list[float] = field(default_factory=list)
    lives: list[float] = field(default_factory=list)
    events: list[bytes] = field(default_factory=list)

    def incoming(self) -> Incoming:
        return Incoming(
            "readingEvent",
            begins=self.begun.append,
            lives=self.lives.append,
            takes=self.events.append,
            clock=lambda: self.now,
        )


def test_begin_and_signs_of_life_and_events_are_told() -> None:
    told = Told(now=5.0)
    incoming = told.incoming()
    incoming.begin()
    for told.now, part in ((6.0, b":\n"), (7.0, EVENT[:9]), (8.0, EVENT[9:] + b"event: other\ndata: 1\n\n")):
        incoming.feed(part)
    assert (incoming.began, told.begun, told.lives) == (5.0, [5.0], [6.0, 7.0, 8.0])
    assert told.events == [b"{}"]
    assert told.incoming().began is None


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [(None, None), (0, 0.0), (2500, 2.5), (60_000, 60.0), (60_500, 60.0)],
)
def test_who_wants_to_be_left_alone_is_within_reason(asked: int | None, seconds: float | None) -> None:
    incoming = Told().incoming()
    incoming.feed(EVENT if asked is None else b"retry: %d\n\n" % asked)
    assert incoming.retry_seconds == seconds


def in_one_part(incoming: Incoming, number: int, unit: bytes) -> None:
    incoming.feed(number * unit)


def in_many(incoming: Incoming, number: int, unit: bytes) -> None:
    for _ in range(number):
        incoming.feed(unit)


@pytest.mark.parametrize("feed", [in_one_part, in_many])
@pytest.mark.parametrize("start", [0.0, 0.5, 1000.0])
@pytest.mark.parametrize(
    ("unit", "most", "text"),
    [
        (EVENT, 100, "sent more than 100 events in 10 s"),
        (KIBIBYTE, 1024, "sent more than 1048576 bytes in 10 s"),
    ],
)
def test_more_than_enough_in_ten_seconds_is_too_much(
    feed: Callable[[Incoming, int, bytes], None], start: float, unit: bytes, most: int, text: str
) -> None:
    told = Told(now=start)
    incoming = told.incoming()
    feed(incoming, most - 1, unit)
    told.now = start + 9.9
    feed(incoming, 1, unit)
    told.now = start + 10.0
    feed(incoming, most, unit)
    told.now = start + 19.9
    before = len(told.events), len(told.lives)
    with pytest.raises(FetchError, match=text) as caught:
        incoming.feed(unit if unit is EVENT else b"\n")
    assert caught.value.reason == "too_large"
    assert (len(told.events), len(told.lives)) == before
