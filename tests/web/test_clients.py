import asyncio
import resource
import socket
from typing import Any

import pytest

from iometer_exporter.net import descriptors
from iometer_exporter.web.clients import Client, ClientLimits, Clients, Seldom, group_of


class Wire(asyncio.Transport):
    """A transport of which a test says how much its client has left unread."""

    def __init__(self) -> None:
        super().__init__()
        self.unread = 0
        self.aborted = False

    def get_write_buffer_size(self) -> int:
        return self.unread

    def abort(self) -> None:
        self.aborted = True

    def is_open(self) -> bool:
        return not self.aborted


class Clock:
    """The loop's time, moved on by hand."""

    now = 1000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Timed(Clients):
    """By the clock of the test."""

    def __init__(self, clock: Clock, **limits: Any) -> None:
        super().__init__(ClientLimits(**limits), clock.time)
        self.clock = clock


def take(clients: Timed, group: str = "a") -> tuple[Client, Wire]:
    """One more connection, a moment after the one before."""
    clients.clock.now += 0.1
    client, wire = Client(group), Wire()
    client.transports = (wire,)
    clients.add(client)
    return client, wire


async def test_the_oldest_that_waits_makes_room_and_never_one_that_is_answered(clock: Clock) -> None:
    clients = Timed(clock, connections=3)
    taken = [take(clients) for _ in range(3)]
    clients.answers(taken[0][0])
    fourth, fourth_wire = take(clients)
    assert [wire.aborted for _, wire in taken] == [False, True, False]
    assert len(clients) == 3
    # The third has just been answered, and the new one has waited longer since.
    clients.answers(taken[2][0])
    clock.now += 0.1
    clients.waits(taken[2][0])
    take(clients)
    assert fourth_wire.aborted
    assert not taken[2][1].aborted
    assert fourth not in clients._all


async def test_who_has_many_connections_loses_one_first(clock: Clock) -> None:
    clients = Timed(clock, connections=4)
    _, lonely = take(clients, "scraper")
    crowd = [take(clients, "crowd")[1] for _ in range(30)]
    assert not lonely.aborted
    assert [wire.aborted for wire in crowd] == [True] * 27 + [False] * 3


async def test_there_is_room_once_an_answer_is_over(clock: Clock) -> None:
    clients = Timed(clock, connections=2)
    (first, _), (second, _) = take(clients), take(clients)
    clients.answers(first)
    clients.answers(second)
    waiting = asyncio.ensure_future(clients.room())
    await asyncio.sleep(0.1)
    assert not waiting.done()
    clients.waits(first)
    await asyncio.sleep(0.1)
    # What its client has sent meanwhile has not been read yet.
    assert not waiting.done()
    clock.now += 0.1
    await waiting
    clients.answers(first)
    waiting = asyncio.ensure_future(clients.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    clients.remove(second)
    await waiting


async def test_one_whose_client_has_sent_something_makes_no_room_until_it_is_read(clock: Clock) -> None:
    class Connected(Wire):
        def __init__(self) -> None:
            super().__init__()
            self.ours, self.theirs = socket.socketpair()

        def get_extra_info(self, name: str, default: object = None) -> object:
            return {"socket": self.ours}.get(name, default)

    clients = Timed(clock, connections=1)
    client, _ = take(clients)
    wire = Connected()
    client.transports = (wire,)
    clock.now += 1
    with wire.ours, wire.theirs:
        wire.theirs.send(b"GET")
        assert not clients.evict()
        wire.ours.recv(10)
        client.transports = ()
        # Not even open.
        assert not clients.evict()
        client.transports = (wire,)
        assert clients.evict()


async def test_one_that_is_still_being_sent_to_makes_no_room_until_it_stops_reading(clock: Clock) -> None:
    clients = Timed(clock, connections=1)
    _, wire = take(clients)
    wire.unread = 100
    clients.sweep()
    assert not clients.evict()
    wire.unread = 50
    clock.now += 1.9
    clients.sweep()
    clock.now += 1.9
    clients.sweep()
    assert not clients.evict()
    clock.now += 0.2
    assert clients.evict()
    assert wire.aborted


async def test_a_head_has_its_time_from_when_it_was_waited_for(clock: Clock) -> None:
    clients = Timed(clock, head_timeout=10)
    client, wire = take(clients)
    clock.now += 9.9
    clients.sweep()
    clients.waits(client)
    clock.now += 9.9
    clients.sweep()
    assert wire.is_open()
    clients.answers(client)
    clock.now += 100
    clients.sweep()
    assert wire.is_open()
    clients.waits(client)
    clock.now += 10
    clients.sweep()
    assert wire.aborted
    assert len(clients) == 0
    clients.waits(client)
    assert not clients._waiting


async def test_an_answer_must_be_taken_without_long_rests(clock: Clock) -> None:
    clients = Timed(clock, stall_timeout=10, answer_timeout=120)
    client, wire = take(clients)
    clients.answers(client)
    for size in (1000, 900, 800):
        wire.unread = size
        clients.sweep()
        clock.now += 9.9
    clients.sweep()
    assert wire.is_open()
    clock.now += 0.2
    clients.sweep()
    assert wire.aborted


async def test_an_answer_must_be_taken_in_the_end(clock: Clock) -> None:
    clients = Timed(clock, stall_timeout=10, answer_timeout=120)
    client, wire = take(clients)
    clients.answers(client)
    for size in range(1000, 0, -1):
        wire.unread = size
        clients.sweep()
        if wire.aborted:
            break
        clock.now += 1
    assert 119 <= 1000 - size <= 121


async def test_the_time_for_an_answer_begins_anew_with_each(clock: Clock) -> None:
    clients = Timed(clock, stall_timeout=10, answer_timeout=20)
    client, wire = take(clients)
    clients.answers(client)
    for _ in range(10):
        wire.unread = 10
        clients.sweep()
        clock.now += 5
        wire.unread = 0
        clients.sweep()
        clock.now += 5
    assert wire.is_open()


async def test_a_transport_of_tls_that_was_closed_twice_is_looked_at_all_the_same(clock: Clock) -> None:
    class ClosedTwice(Wire):
        def get_write_buffer_size(self) -> int:
            raise AttributeError("'NoneType' object has no attribute '_get_write_buffer_size'")

    clients = Timed(clock, head_timeout=10)
    client, wire = take(clients)
    client.transports = (wire, ClosedTwice())
    wire.unread = 100
    clients.sweep()
    clock.now += 10
    clients.sweep()
    assert wire.aborted


async def test_unread_answers_take_a_limited_amount_of_memory(clock: Clock) -> None:
    clients = Timed(clock, unsent_bytes=1000)
    taken = []
    for _ in range(5):
        client, wire = take(clients)
        clients.answers(client)
        wire.unread = 300
        taken.append(wire)
        clients.sweep()
        clock.now += 0.1
    assert [wire.aborted for wire in taken] == [True, True, False, False, False]
    assert len(clients) == 3


async def test_the_limit_is_one_line_in_the_log(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    clients = Timed(clock, connections=2)
    for _ in range(1000):
        take(clients)
    assert [record.getMessage() for record in caplog.records] == [
        "too many connections of clients, those that wait longest make room for new ones"
    ]


def test_seldom_is_at_once_and_then_not_for_a_while() -> None:
    at = 5.0
    seldom = Seldom(10, lambda: at)
    assert [seldom.due(), seldom.due()] == [True, False]
    at = 14.9
    assert not seldom.due()
    at = 15.0
    assert [seldom.due(), seldom.due()] == [True, False]


@pytest.mark.parametrize(
    ("host", "group"),
    [
        ("192.168.1.2", "192.168.1.2"),
        ("::ffff:192.168.1.2", "192.168.1.2"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_whom_an_address_counts_for(host: str, group: str) -> None:
    assert group_of(host) == group


@pytest.mark.parametrize(
    ("available", "connections"), [(16, 8), (256, 64), (1024, 256), (8192, 2048), (65536, 2048)]
)
def test_most_descriptors_are_kept_back(available: int, connections: int) -> None:
    assert descriptors.client_connections(available) == connections


@pytest.mark.parametrize(
    ("soft", "hard", "raised"),
    [
        (1024, 4096, 4096),
        (1024, 1 << 20, 65536),
        (1024, resource.RLIM_INFINITY, 65536),
        (4096, 4096, 4096),
        (1 << 20, 1 << 20, 1 << 20),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, 65536),
    ],
)
def test_the_limit_of_the_system_is_raised(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, raised: int
) -> None:
    limit = (soft, hard)

    def setrlimit(_kind: int, wanted: tuple[int, int]) -> None:
        nonlocal limit
        limit = wanted

    monkeypatch.setattr(resource, "getrlimit", lambda _kind: limit)
    monkeypatch.setattr(resource, "setrlimit", setrlimit)
    assert descriptors.raise_limit() == raised
    assert limit == (soft if soft in (raised, resource.RLIM_INFINITY) else raised, hard)


def test_a_limit_that_cannot_be_raised_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    def setrlimit(*_: object) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _kind: (256, 1024))
    monkeypatch.setattr(resource, "setrlimit", setrlimit)
    assert descriptors.raise_limit() == 256


@pytest.mark.parametrize("by", ["the next one", "the sweep"])
async def test_what_was_too_many_while_all_were_answered_is_closed_later(clock: Clock, by: str) -> None:
    """Each that came while nobody could make room was one more, and stayed."""
    clients = Timed(clock, connections=2)
    taken = []
    for _ in range(5):
        client, wire = take(clients)
        clients.answers(client)
        taken.append((client, wire))
    assert len(clients) == 5
    for client, _ in taken:
        clients.waits(client)
    clock.now += 1.0
    if by == "the sweep":
        clients.sweep()
        assert [wire.aborted for _, wire in taken] == [True, True, True, False, False]
    else:
        take(clients)
        assert [wire.aborted for _, wire in taken] == [True, True, True, True, False]
    assert len(clients) == 2
