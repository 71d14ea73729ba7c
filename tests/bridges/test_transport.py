"""The connections to bridges: bounded, never lost, never used for what nobody asked."""

import asyncio
import errno
import os
import resource
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from iometer_exporter.bridges.http.answer import MAX_BODY_BYTES
from iometer_exporter.bridges.http.connecting import _socket_address
from iometer_exporter.bridges.http.device import Device
from iometer_exporter.bridges.http.failures import ConnectError, ProtocolError
from iometer_exporter.bridges.http.transport import BridgeTransport
from iometer_exporter.errors import FetchError
from iometer_exporter.net.addresses import Address
from tests.rawserver import Handler, answering, hanging, raw_server, response
from tests.waiting import PATIENCE, until
from tests.wire import READERS, Reader, cancellations, cancelled_at, transport

Get = Callable[..., Coroutine[Any, Any, bytes]]

DEAD = Address("127.0.0.1", 1)


@pytest.fixture(params=READERS)
def reader(request: pytest.FixtureRequest) -> Reader:
    chosen: Reader = request.param
    return chosen


@pytest.fixture
async def wire(reader: Reader) -> AsyncIterator[BridgeTransport]:
    opened = transport(reader)
    yield opened
    await opened.aclose()


ASKED = b"GET /v1/reading HTTP/1.1\r\nHost: bridge\r\n\r\n"


async def get(wire: BridgeTransport, *addresses: Address) -> bytes:
    status, body = await wire.ask(ASKED, addresses)
    assert status == 200
    return body


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def settled() -> None:
    """Let what is closed be closed."""
    for _ in range(5):
        await asyncio.sleep(0)


GOOD = response(b"{}")


def has_descriptors(count: int) -> bool:
    return descriptors() == count


@pytest.mark.parametrize("shape", ["new", "kept", "closing", "several", "queued"])
async def test_a_fetch_cancelled_at_any_await_costs_nothing(reader: Reader, shape: str) -> None:
    """The worst a pool of connections can do is to lose a place: two, and the bridge is never asked again."""
    answers = response(b"{}", headers="Connection: close\r\n") if shape == "closing" else GOOD
    cancelled = 0
    async with raw_server(answering(answers)) as server:
        addresses = (DEAD, Address("::1", 1), server.address) if shape == "several" else (server.address,)
        for at, late in cancellations():
            before = descriptors()
            wire = transport(reader)
            if shape in ("kept", "queued"):
                await get(wire, server.address)
            beside = [asyncio.create_task(get(wire, server.address)) for _ in range(2 * (shape == "queued"))]
            await asyncio.sleep(0)
            was_cancelled = await cancelled_at(get(wire, *addresses), at, late)
            await asyncio.gather(*beside)
            await settled()
            assert not any(device.used for device in wire._devices.values())
            assert not wire._connector._losing
            # Both places are there, and nobody waits for ever.
            async with asyncio.timeout(PATIENCE):
                assert await asyncio.gather(*(get(wire, server.address) for _ in range(4))) == [b"{}"] * 4
            await wire.aclose()
            await until(lambda: not server.open)
            await until(partial(has_descriptors, before))
            assert asyncio.all_tasks() == {asyncio.current_task()}
            cancelled += was_cancelled
            if not was_cancelled:
                break
        else:
            pytest.fail("the fetch has more awaits than were tried")
    assert cancelled >= 2


async def test_cancelling_at_the_moment_of_the_answer_again_and_again_loses_nothing(
    wire: BridgeTransport,
) -> None:
    """Deadlines that fall into the answers, as with a slow bridge: the loop decides which comes first."""

    async def soon(_head: bytes, writer: asyncio.StreamWriter) -> bool:
        await asyncio.sleep(0.002)
        writer.write(GOOD)
        return True

    async with raw_server(soon) as server:
        for number in range(150):
            fetches = [asyncio.create_task(get(wire, server.address)) for _ in range(3)]
            await asyncio.wait(fetches, timeout=0.0005 * (number % 10))
            for fetch in fetches:
                fetch.cancel()
            await asyncio.gather(*fetches, return_exceptions=True)
        async with asyncio.timeout(PATIENCE):
            assert await get(wire, server.address) == b"{}"
        assert server.most_open <= 3


async def test_a_late_loop_loses_nothing(wire: BridgeTransport) -> None:
    """The deadline has passed and the answers wait in the kernel when the loop gets its turn again."""
    async with raw_server(answering(GOOD)) as server:
        for _ in range(5):
            fetches = [asyncio.create_task(get(wire, server.address)) for _ in range(2)]
            loop = asyncio.get_running_loop()
            loop.call_later(0.01, time.sleep, 0.05)
            await asyncio.wait(fetches, timeout=0.02)
            for fetch in fetches:
                fetch.cancel()
            await asyncio.gather(*fetches, return_exceptions=True)
        async with asyncio.timeout(PATIENCE):
            assert await get(wire, server.address) == b"{}"


@pytest.mark.parametrize(
    "idle_bytes",
    [response(b"", status="408 Request Timeout"), GOOD, b"garbage", b"\r\n"],
    ids=["408", "an answer", "garbage", "a line"],
)
async def test_what_arrives_unasked_ends_the_connection(wire: BridgeTransport, idle_bytes: bytes) -> None:
    writers: list[asyncio.StreamWriter] = []

    async def handler(_head: bytes, writer: asyncio.StreamWriter) -> bool:
        writers.append(writer)
        writer.write(GOOD)
        return True

    async with raw_server(handler) as server:
        assert await get(wire, server.address) == b"{}"
        writers[0].write(idle_bytes)
        await writers[0].drain()
        assert await get(wire, server.address) == b"{}"
    assert server.connections == 2


async def test_what_waits_in_the_kernel_ends_the_connection(wire: BridgeTransport) -> None:
    """The loop has not read it yet when the next request is about to go out."""
    import threading

    listening = socket.create_server(("127.0.0.1", 0))
    address = Address(*listening.getsockname()[:2])
    accepted: list[socket.socket] = []
    answers = [b"{}", b"[]"]

    def serve() -> None:
        for body in answers:
            one, _ = listening.accept()
            accepted.append(one)
            one.recv(4096)
            one.sendall(response(body))

    thread = threading.Thread(target=serve)
    thread.start()
    assert await get(wire, address) == b"{}"
    accepted[0].sendall(response(b"old"))
    # Not one turn of the loop in between: only the kernel knows.
    assert await get(wire, address) == b"[]"
    thread.join()
    for one in (*accepted, listening):
        one.close()


async def test_answers_sent_twice_are_read_once(wire: BridgeTransport) -> None:
    count = 0

    async def twice(_head: bytes, writer: asyncio.StreamWriter) -> bool:
        nonlocal count
        count += 1
        writer.write(response(b"%d" % count) * 2)
        return True

    async with raw_server(twice) as server:
        assert [await get(wire, server.address) for _ in range(5)] == [b"1", b"2", b"3", b"4", b"5"]


async def test_garbage_after_a_body_costs_the_connection_only(wire: BridgeTransport) -> None:
    async with raw_server(answering(GOOD + b"\x00garbage")) as server:
        assert [await get(wire, server.address) for _ in range(3)] == [b"{}"] * 3
    assert server.connections == 3


@pytest.mark.parametrize(
    "second",
    [b"garbage\r\n\r\n", response(b"", status="408 Request Timeout"), b"HTTP/1.1 100 Continue\r\n\r\n"],
    ids=["garbage", "408", "interim and gone"],
)
async def test_a_kept_connection_that_went_bad_is_asked_again_on_a_new_one(
    wire: BridgeTransport, second: bytes
) -> None:
    served: dict[asyncio.StreamWriter, int] = {}

    async def bad_at_second(_head: bytes, writer: asyncio.StreamWriter) -> bool:
        served[writer] = served.get(writer, 0) + 1
        writer.write(GOOD if served[writer] == 1 else second)
        return served[writer] == 1

    async with raw_server(bad_at_second) as server:
        assert [await get(wire, server.address) for _ in range(4)] == [b"{}"] * 4
    assert server.connections == 4


async def test_a_408_on_a_new_connection_is_the_answer(wire: BridgeTransport) -> None:
    async with raw_server(answering(response(b"", status="408 Request Timeout"), keep=False)) as server:
        assert (await wire.ask(ASKED, (server.address,))).status == 408
    assert server.connections == 1


async def test_a_kept_connection_that_died_silently_is_asked_again(
    wire: BridgeTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iometer_exporter.bridges.http.device._SHORTEST_PATIENCE_SECONDS", 0.05)
    served: set[asyncio.StreamWriter] = set()

    async def once_each(_head: bytes, writer: asyncio.StreamWriter) -> bool:
        if writer in served:
            await asyncio.Event().wait()
        served.add(writer)
        writer.write(GOOD)
        return True

    async with raw_server(once_each) as server:
        assert [await get(wire, server.address) for _ in range(3)] == [b"{}"] * 3
        # Those that died are closed here: the bridge may know nothing of it, and has few.
        await until(lambda: server.open == 1)
    assert server.connections == 3


async def test_a_bridge_that_is_always_slow_is_waited_for(
    wire: BridgeTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked again after each bit of silence, it would be asked twice at every scrape."""
    monkeypatch.setattr("iometer_exporter.bridges.http.device._SHORTEST_PATIENCE_SECONDS", 0.05)

    async def slow(_head: bytes, writer: asyncio.StreamWriter) -> bool:
        await asyncio.sleep(0.15)
        writer.write(GOOD)
        return True

    async with raw_server(slow) as server:
        assert [await get(wire, server.address) for _ in range(3)] == [b"{}"] * 3
    assert (server.connections, len(server.requests)) == (1, 3)


BOUNDS = [
    ("interim answers", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100_000, "more than 10 interim answers"),
    (
        "headers",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(1000)) + b"\r\n",
        "more than 100 headers",
    ),
    ("one header", b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1_000_000, "a head of more than 32768 bytes"),
    (
        "chunks of a byte",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * MAX_BODY_BYTES,
        "sent a body in more than 512 chunks",
    ),
    (
        "extensions of chunks",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + (b"1;" + b"x" * 1000 + b"\r\n \r\n") * 400,
        "sent an answer of more than 131072 bytes",
    ),
    (
        "trailers",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
        + b"".join(b"X-%d: y\r\n" % i for i in range(20_000)),
        r"more than (100 headers|32768 bytes)",
    ),
    (
        "another protocol",
        b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
        "another protocol",
    ),
    ("a status below 100", b"HTTP/1.1 000 Odd\r\nContent-Length: 0\r\n\r\n", r"status.code"),
    ("a coding", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n{}", r"(?i)transfer.encoding"),
]


@pytest.mark.parametrize(("answer", "text"), [bound[1:] for bound in BOUNDS], ids=[b[0] for b in BOUNDS])
async def test_an_answer_is_bounded(wire: BridgeTransport, answer: bytes, text: str) -> None:
    async with raw_server(answering(answer)) as server:
        with pytest.raises((FetchError, ProtocolError), match=text):
            await get(wire, server.address)
    assert wire.idle == 0


async def test_the_loop_gets_its_turn_while_an_answer_is_worked_through(reader: Reader) -> None:
    """What one turn may work through is bounded, in both readers."""
    wire = transport(reader)
    body = b"1\r\n \r\n" * 500
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body + b"0\r\n\r\n"
    async with raw_server(answering(chunked)) as server:
        assert await get(wire, server.address) == b" " * 500
    await wire.aclose()


async def test_an_end_amid_chunks_that_wait_for_their_turn_is_no_loss(reader: Reader) -> None:
    wire = transport(reader)
    body = b"1\r\n \r\n" * 500
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body + b"0\r\n\r\n"
    async with raw_server(answering(chunked, keep=False)) as server:
        assert await get(wire, server.address) == b" " * 500
    await wire.aclose()


@pytest.mark.parametrize("cut", [b"", b"0\r\n\r\n"], ids=["cut", "whole"])
async def test_a_body_without_a_length_ends_with_the_connection(wire: BridgeTransport, cut: bytes) -> None:
    async with raw_server(answering(b"HTTP/1.1 200 OK\r\n\r\n{}" + cut, keep=False)) as server:
        assert await get(wire, server.address) == b"{}" + cut
    assert wire.idle == 0


async def test_lines_that_end_with_lf_alone_are_read(wire: BridgeTransport) -> None:
    async with raw_server(answering(b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}")) as server:
        assert await get(wire, server.address) == b"{}"


async def test_an_answer_in_single_bytes_is_read(wire: BridgeTransport) -> None:
    async def drip(_head: bytes, writer: asyncio.StreamWriter) -> bool:
        for byte in b"HTTP/1.1 103 Early\r\n\r\n" + GOOD:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)
        return True

    async with raw_server(drip) as server:
        assert [await get(wire, server.address) for _ in range(2)] == [b"{}", b"{}"]
    assert server.connections == 1


async def test_two_connections_at_most_however_the_device_is_spelled(wire: BridgeTransport) -> None:
    release = asyncio.Event()

    async def waiting(_head: bytes, writer: asyncio.StreamWriter) -> bool:
        await release.wait()
        writer.write(GOOD)
        return True

    async with raw_server(waiting) as server:
        port = server.address.port
        spellings: list[tuple[Address, ...]] = [
            (server.address,),
            (Address("::1", port), server.address),
            (server.address, Address("127.0.0.2", port)),
            (Address("::1", port),),
        ]
        fetches = [asyncio.create_task(get(wire, *addresses)) for addresses in spellings for _ in range(2)]
        await until(lambda: server.open == 2)
        await settled()
        assert server.open == 2
        release.set()
        answers = await asyncio.gather(*fetches, return_exceptions=True)
    assert answers[:6] == [b"{}"] * 6
    assert server.most_open == 2
    assert wire.devices <= 1


async def test_devices_that_turn_out_to_be_one_share_their_places(wire: BridgeTransport) -> None:
    """First asked under each address by itself, then under both: a name resolves to them."""
    release = asyncio.Event()

    async def waiting(_head: bytes, writer: asyncio.StreamWriter) -> bool:
        await release.wait()
        writer.write(GOOD)
        return True

    async with raw_server(waiting) as one, raw_server(waiting) as two:
        apart = [asyncio.create_task(get(wire, server.address)) for server in (one, one, two, two, two)]
        await until(lambda: one.open + two.open == 4)
        together = [asyncio.create_task(get(wire, one.address, two.address)) for _ in range(2)]
        await settled()
        assert wire.devices == 1
        release.set()
        assert await asyncio.gather(*apart, *together) == [b"{}"] * 7
        assert max(one.most_open, two.most_open) == 2
        assert wire.idle <= 2
        # Nothing of it is left where they are in truth two.
        wire.forget([one.address, two.address])
        assert (wire.idle, wire.devices) == (0, 0)


async def test_a_device_forgotten_while_in_use_keeps_its_places_and_nothing_else(
    wire: BridgeTransport,
) -> None:
    """A bridge leaves the configuration while another scrape or a probe still asks it."""
    release = asyncio.Event()

    async def waiting(_head: bytes, writer: asyncio.StreamWriter) -> bool:
        await release.wait()
        writer.write(GOOD)
        return True

    async with raw_server(waiting) as server:
        before = [asyncio.create_task(get(wire, server.address)) for _ in range(2)]
        await until(lambda: server.open == 2)
        wire.forget([server.address])
        after = asyncio.create_task(get(wire, server.address))
        await settled()
        assert server.open == 2
        release.set()
        assert await asyncio.gather(*before, after) == [b"{}"] * 3
        assert server.most_open == 2
        assert wire.idle <= 2

        release.clear()
        last = asyncio.create_task(get(wire, server.address))
        await until(lambda: len(server.requests) == 4)
        wire.forget([server.address])
        release.set()
        assert await last == b"{}"
        assert (wire.idle, wire.devices) == (0, 0)
        await until(lambda: server.open == 0)


async def test_who_waited_while_two_became_one_takes_a_connection_of_both(wire: BridgeTransport) -> None:
    first = asyncio.Event()

    async def waiting(_head: bytes, writer: asyncio.StreamWriter) -> bool:
        await first.wait()
        writer.write(GOOD)
        return True

    async with raw_server(answering(GOOD)) as one, raw_server(waiting) as two:
        await get(wire, one.address)
        busy = [asyncio.create_task(get(wire, two.address)) for _ in range(3)]
        await until(lambda: two.open == 2)
        together = asyncio.create_task(get(wire, one.address, two.address))
        await settled()
        first.set()
        assert await asyncio.gather(*busy, together) == [b"{}"] * 4
        assert one.open + two.open <= 3
        assert two.connections == 2


async def test_a_device_that_is_in_use_nowhere_is_forgotten(wire: BridgeTransport) -> None:
    async with raw_server(answering(response(b"{}", headers="Connection: close\r\n"))) as server:
        await get(wire, server.address)
        with pytest.raises(ConnectError):
            await get(wire, DEAD)
    assert wire.devices == 0


async def test_the_longest_idle_connections_leave_first(reader: Reader) -> None:
    wire = transport(reader, idle_connections=2)
    async with (
        raw_server(answering(GOOD)) as one,
        raw_server(answering(GOOD)) as two,
        raw_server(answering(GOOD)) as three,
    ):
        for server in (one, two, one, three, one):
            await get(wire, server.address)
        assert wire.idle == 2
        await get(wire, three.address)
        await get(wire, two.address)
        assert (one.connections, two.connections, three.connections) == (1, 2, 1)
        await wire.aclose()


async def test_a_connection_that_waits_too_long_is_not_kept(
    wire: BridgeTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with raw_server(answering(GOOD)) as server, raw_server(answering(GOOD)) as other:
        await get(wire, server.address)
        monkeypatch.setattr("iometer_exporter.bridges.http.transport._KEEPALIVE_SECONDS", 0.0)
        await get(wire, other.address)
        assert wire.idle == 0


async def test_without_a_file_left_the_longest_idle_connection_makes_room(wire: BridgeTransport) -> None:
    async with raw_server(answering(GOOD)) as kept, raw_server(answering(GOOD)) as wanted:
        await get(wire, kept.address)
        real = socket.socket
        refused = 0

        def full(*arguments: Any, **named: Any) -> socket.socket:
            nonlocal refused
            if wire.idle:
                refused += 1
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            return real(*arguments, **named)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("iometer_exporter.bridges.http.connecting.socket.socket", full)
            assert await get(wire, wanted.address) == b"{}"
        assert refused == 1


async def test_without_any_file_left_it_is_connect(wire: BridgeTransport) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with raw_server(answering(GOOD)) as server:
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors() + 10, hard))
        fillers: list[int] = []
        try:
            with suppress(OSError):
                while True:
                    fillers.append(os.open(os.devnull, os.O_RDONLY))
            with pytest.raises(ConnectError, match="Too many open files"):
                await get(wire, server.address)
        finally:
            for filler in fillers:
                os.close(filler)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert await get(wire, server.address) == b"{}"


async def test_the_next_address_is_tried_while_the_first_is_silent(wire: BridgeTransport) -> None:
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    # A backlog that is full takes no connection, and says nothing either.
    fillers = [socket.socket() for _ in range(4)]
    for filler in fillers:
        filler.setblocking(False)
        filler.connect_ex(full.getsockname())
    silent = Address(*full.getsockname())
    async with raw_server(answering(GOOD)) as server:
        assert await get(wire, silent, server.address) == b"{}"
        assert await get(wire, server.address, silent) == b"{}"
    await settled()
    assert not wire._connector._losing
    for opened in (*fillers, full):
        opened.close()


async def test_of_addresses_that_all_fail_the_last_one_is_told(wire: BridgeTransport) -> None:
    with pytest.raises(ConnectError, match=r"no connection to 127\.0\.0\.1:2: Connection refused"):
        await get(wire, DEAD, Address("127.0.0.1", 2))


async def test_a_zone_that_does_not_exist_is_connect(wire: BridgeTransport) -> None:
    with pytest.raises(ConnectError) as caught:
        await get(wire, Address("fe80::1%nope0"))
    assert str(caught.value) == f"no connection to {Address('fe80::1%nope0')}: no interface with this name"


async def test_a_hung_request_holds_its_place_and_gives_it_back(wire: BridgeTransport) -> None:
    async with raw_server(hanging) as server:
        hung = [asyncio.create_task(get(wire, server.address)) for _ in range(2)]
        await until(lambda: server.open == 2)
        third = asyncio.create_task(get(wire, server.address))
        await settled()
        assert server.open == 2
        hung[0].cancel()
        await until(lambda: server.connections == 3)
        for task in (hung[1], third):
            task.cancel()
        await asyncio.gather(*hung, third, return_exceptions=True)
        assert server.most_open <= 3
        assert wire.devices == 0


async def test_connections_end_when_the_transport_closes(reader: Reader) -> None:
    wire = transport(reader)
    async with raw_server(answering(GOOD)) as server:
        await asyncio.gather(get(wire, server.address), get(wire, server.address))
        assert wire.idle == 2
        await wire.aclose()
        await until(lambda: not server.open)
    assert (wire.idle, wire.devices) == (0, 0)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (Address("192.0.2.1", 81), (socket.AF_INET, ("192.0.2.1", 81))),
        (Address("2001:db8::1", 81), (socket.AF_INET6, ("2001:db8::1", 81, 0, 0))),
        (Address("fe80::1%7", 81), (socket.AF_INET6, ("fe80::1", 81, 0, 7))),
        (Address("fe80::1%lo", 81), (socket.AF_INET6, ("fe80::1", 81, 0, socket.if_nametoindex("lo")))),
    ],
)
def test_a_zone_is_a_number_or_the_name_of_an_interface(address: Address, expected: object) -> None:
    assert _socket_address(address) == expected


def test_a_device_is_given_three_times_as_long_as_it_has_needed_lately() -> None:
    device = Device()
    device.note(0.1)
    assert device.patience == 2.0
    device.note(10.0)
    assert device.patience == 30.0
    device.note(0.1)
    assert device.patience == 27.0
    for _ in range(30):
        device.note(0.1)
    assert device.patience == 2.0
    slow, quick = Device(), Device()
    slow.note(5.0)
    quick.absorb(slow)
    assert quick.patience == 15.0
    assert Device().patience == 2.0


async def test_a_request_is_sent_as_it_is(wire: BridgeTransport) -> None:
    async with raw_server(answering(GOOD)) as server:
        for _ in range(2):
            await get(wire, server.address)
    assert server.requests == [ASKED] * 2


async def test_who_is_asked_again_is_the_same_device(wire: BridgeTransport) -> None:
    """Else what is known of it, and who waits for it, would be handed on at every request."""
    async with raw_server(answering(GOOD)) as server:
        await get(wire, server.address)
        [before] = wire._devices.values()
        await get(wire, server.address)
        assert list(wire._devices.values()) == [before]


def held(release: asyncio.Event) -> Handler:
    async def handler(_head: bytes, writer: asyncio.StreamWriter) -> bool:
        await release.wait()
        writer.write(GOOD)
        return True

    return handler


@pytest.mark.parametrize(("busy", "idle", "left"), [(2, 2, 0), (2, 1, 0), (1, 2, 1), (1, 1, 1), (0, 2, 2)])
async def test_of_devices_that_become_one_no_more_connections_are_kept_than_it_may_have(
    wire: BridgeTransport, busy: int, idle: int, left: int
) -> None:
    release = asyncio.Event()
    async with raw_server(held(release)) as one, raw_server(answering(GOOD)) as two:
        asking = [asyncio.create_task(get(wire, one.address)) for _ in range(busy)]
        await asyncio.gather(*(get(wire, two.address) for _ in range(idle)))
        await until(lambda: len(one.requests) == busy)
        assert wire.idle == idle
        wire._device([one.address, two.address])
        assert wire.idle == left
        release.set()
        assert await asyncio.gather(*asking, get(wire, two.address)) == [b"{}"] * (busy + 1)
        assert wire.idle <= 2


async def test_who_waits_for_either_of_two_that_become_one_gets_a_turn(wire: BridgeTransport) -> None:
    release = asyncio.Event()
    async with raw_server(held(release)) as one, raw_server(held(release)) as two:
        asking = [asyncio.create_task(get(wire, each.address)) for each in (one, two) for _ in range(4)]
        await until(lambda: len(one.requests) == len(two.requests) == 2)
        asking.append(asyncio.create_task(get(wire, one.address, two.address)))
        await settled()
        release.set()
        async with asyncio.timeout(PATIENCE):
            assert await asyncio.gather(*asking) == [b"{}"] * 9
        # Each address still leads to the one device.
        for server in (one, two):
            assert await get(wire, server.address) == b"{}"
        assert wire.devices == 1


async def test_an_address_that_a_device_had_before_is_still_its_own(wire: BridgeTransport) -> None:
    elsewhere = [Address(f"127.0.0.{number}", 1) for number in (2, 3)]
    async with raw_server(answering(GOOD)) as one, raw_server(answering(GOOD)) as two:
        await get(wire, one.address, elsewhere[0])
        await get(wire, two.address, elsewhere[1])
        await get(wire, one.address, two.address)
        assert set(wire._devices) == {one.address, two.address, *elsewhere}
        [device] = set(wire._devices.values())
        assert device.addresses == {one.address, two.address, *elsewhere}


async def test_a_connection_of_one_that_became_another_may_leave_too(reader: Reader) -> None:
    wire = transport(reader, idle_connections=2)
    async with (
        raw_server(answering(GOOD)) as one,
        raw_server(answering(GOOD)) as two,
        raw_server(answering(GOOD)) as three,
        raw_server(answering(GOOD)) as four,
    ):
        for server in (one, two):
            await get(wire, server.address)
        wire._device([one.address, two.address])
        for server in (three, four):
            await get(wire, server.address)
        assert wire.idle == 2
        assert wire.devices == 2
        await until(lambda: one.open + two.open == 0)
        await wire.aclose()
        assert wire.idle == 0
