"""Server-sent events, by the rules of the HTML standard, however their bytes are cut."""

import itertools
import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iometer_exporter.bridges.live.events import Event, EventStream
from iometer_exporter.errors import FetchError

PLENTY = 1 << 20


def read(*parts: bytes, most_bytes: int = PLENTY) -> list[Event]:
    stream = EventStream(most_bytes)
    return [event for part in parts for event in stream.feed(part)]


def simple(content: bytes) -> list[Event]:
    """The same of a whole stream, as the standard says it, step by step."""
    events, name, data, last_id = [], "", b"", ""
    lines = re.split(rb"\r\n|\n|\r", content.removeprefix(b"\xef\xbb\xbf"))
    for line in lines[:-1]:
        if not line:
            if data:
                events.append(Event(name or "message", data[:-1], last_id))
            name, data = "", b""
            continue
        field, colon, value = line.partition(b":")
        if colon and value[:1] == b" ":
            value = value[1:]
        if field == b"event":
            name = value.decode(errors="replace")
        elif field == b"data":
            data += value + b"\n"
        elif field == b"id" and b"\x00" not in value:
            last_id = value.decode(errors="replace")
    return events


@pytest.mark.parametrize(
    ("content", "events"),
    [
        (b"data: 1\n\n", [Event("message", b"1", "")]),
        (b"event: readingEvent\ndata: {}\n\n", [Event("readingEvent", b"{}", "")]),
        (b"data:1\ndata: 2\ndata:  3\n\n", [Event("message", b"1\n2\n 3", "")]),
        (b"data\n\n", [Event("message", b"", "")]),
        (b"data: 1\n", []),
        (b"data: 1", []),
        (b"\n\n\n", []),
        (b": comment\n\n:data: 1\n\n", []),
        (b"event: a\n\ndata: 1\n\n", [Event("message", b"1", "")]),
        (
            b"id: 7\ndata: 1\n\ndata: 2\n\nid\ndata: 3\n\n",
            [
                Event("message", b"1", "7"),
                Event("message", b"2", "7"),
                Event("message", b"3", ""),
            ],
        ),
        (b"id: 7\nid: 8\x00\ndata: 1\n\n", [Event("message", b"1", "7")]),
        (
            b"data: 1\r\r\ndata: 2\r\n\rdata: 3\n\r",
            [Event("message", text, "") for text in (b"1", b"2", b"3")],
        ),
        (b"\xef\xbb\xbfdata: 1\n\n", [Event("message", b"1", "")]),
        (b"\xef\xbb\xbf\xef\xbb\xbfdata: 1\n\n", []),
        (b"data: \xff\x0b\x85\xe2\x80\xa8\n\n", [Event("message", b"\xff\x0b\x85\xe2\x80\xa8", "")]),
        (b"Data: 1\n data: 2\ndata : 3\n\n", []),
        (b"event: e\r\nid: 7\r\ndata: 1\r\ndata: MAX\r\n\r\n", [Event("e", b"1\nMAX", "7")]),
        (b"data: 1\r\n\ndata: 2\n\r\n", [Event("message", text, "") for text in (b"1", b"2")]),
        (
            b"event: \xff\nid: \xfe\ndata: 1\n\n",
            [Event("\N{REPLACEMENT CHARACTER}", b"1", "\N{REPLACEMENT CHARACTER}")],
        ),
    ],
)
def test_events_are_those_of_the_standard(content: bytes, events: Sequence[Event]) -> None:
    assert read(content) == simple(content) == events
    assert read(*(bytes([byte]) for byte in content)) == events
    for cut in range(len(content)):
        assert read(content[:cut], b"", content[cut:]) == events


_PIECES = st.sampled_from(
    [
        b"\r",
        b"\n",
        b"\r\n",
        b":",
        b" ",
        b"data",
        b"data:",
        b"event: e",
        b"id:",
        b"i\x00",
        b"retry: 10",
        b"x",
        b"\xef\xbb\xbf",
        b"\xef",
        b"\xff",
    ]
)


@given(st.lists(_PIECES, max_size=30).map(b"".join), st.lists(st.integers(0, 200), max_size=8))
def test_events_do_not_depend_on_where_bytes_are_cut(content: bytes, places: list[int]) -> None:
    cuts = [0, *sorted(min(place, len(content)) for place in places), len(content)]
    parts = [content[start:end] for start, end in itertools.pairwise(cuts)]
    assert read(*parts) == simple(content)


@pytest.mark.parametrize(
    ("content", "seconds"),
    [
        (b"retry: 1500\n", 1.5),
        (b"retry: 0\n", 0.0),
        (b"retry: 5s\n", None),
        (b"retry: -1\n", None),
        (b"retry:\n", None),
        (b"retry: 123456789\n", 123456.789),
        (b"retry: 1234567890\n", None),
        (b"retry: 10", None),
    ],
)
def test_the_wish_to_be_left_alone_is_kept(content: bytes, seconds: float | None) -> None:
    stream = EventStream(PLENTY)
    assert stream.feed(content) == []
    assert stream.retry_seconds == seconds


LARGE = [
    b"data: " + b"x" * 94,
    b"data: " + b"x" * 94 + b"\n",
    b"data: " + b"x" * 45 + b"\ndata: " + b"x" * 45 + b"\n",
    b"data\n" * 92,
    b":" + b"x" * 100,
    b"event: " + b"x" * 91 + b"\n",
    b"id: " + b"x" * 91 + b"\n",
]


@pytest.mark.parametrize("content", LARGE)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_what_is_too_large_is_refused_however_it_comes(content: bytes, size: int) -> None:
    most = len(content) - 1 if not content.endswith(b"\n") else 90
    parts = [content[at : at + size] for at in range(0, len(content), size)]
    with pytest.raises(FetchError, match=f"^sent an event of more than {most} bytes$") as caught:
        read(*parts, most_bytes=most)
    assert caught.value.reason == "too_large"


def test_an_event_at_the_limit_is_taken() -> None:
    content = b"data: " + b"x" * 50 + b"\ndata: " + b"y" * 49
    events = simple(content + b"\n\n")
    assert read(content, b"\n\n", content, b"\n\n", most_bytes=100) == events * 2


def test_a_line_at_the_limit_is_taken_however_it_comes() -> None:
    pieces = [b":" + b"x" * 49, b"y" * 50, b"\n"]
    assert read(*pieces, *pieces, b"data: 1\n\n", most_bytes=100) == [Event("message", b"1", "")]


def test_what_is_not_kept_may_go_on_for_ever() -> None:
    assert read(*[b": alive\nignored: field\n"] * 1000, b"data: 1\n\n", most_bytes=20) == [
        Event("message", b"1", "")
    ]
    assert len(read(*[b"data: 1\n\n"] * 1000, most_bytes=20)) == 1000
