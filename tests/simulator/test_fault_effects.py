"""Each fault does something: with it, some answer on the wire is another one than without."""

import asyncio
import json
import time
from collections.abc import Iterable
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from benchmarks.faults import STREAMS
from iometer_exporter.simulator import FAULTS, Fault, FaultSpec, Simulation, Timing
from iometer_exporter.simulator.cloud import PROVIDER_FAULTS, ProviderSimulation, parse_provider_fault

from .conftest import Clock
from .provider_client import (
    INSTALLATIONS,
    READINGS,
    SUBSCRIPTION,
    authorization,
    greet,
    plain_socket,
    post,
    stamp,
)

MOMENTS = (0.0, 31.0, 100.0)
"""Seconds after the start: the first reading, a wrong value, and after a reset."""

QUIET = 0.04
"""Seconds in which nothing comes: then nothing more is expected."""

LONGEST = 200_000
"""Bytes of an answer that are looked at."""

TIMING = Timing(slow_seconds=QUIET * 4, jitter_around=QUIET * 4, jitter_spread=0.0, idle_seconds=0.0)


async def transcript(
    clock: Clock, faults: Iterable[Fault], after: float, quiet: float = QUIET
) -> list[tuple[bytes, str]]:
    """What one connection gets that asks for both documents twice, so long after the start."""
    simulation = Simulation(port=0, bridges=1, clock=clock)
    [bridge] = simulation.bridges
    bridge.timing = TIMING
    simulation.switch(*map(FaultSpec, faults))
    told = Clock(clock.now)
    bridge.clock = told
    bridge.reading()
    told.now += after
    seen: list[tuple[bytes, str]] = []
    async with simulation:
        reader, writer = await asyncio.open_connection(bridge.host, bridge.port)
        for path in ("/v1/reading", "/v1/status") * 2:
            # A reset in the middle, or a close before, is part of what is seen.
            writer.write(f"GET {path} HTTP/1.1\r\nHost: bridge\r\n\r\n".encode())
            seen.append(await received(reader, quiet))
        writer.close()
    return seen


async def received(reader: asyncio.StreamReader, quiet: float) -> tuple[bytes, str]:
    """The bytes that come until there are no more, and how that ended."""
    data = bytearray()
    try:
        while len(data) < LONGEST:
            async with asyncio.timeout(quiet):
                if not (piece := await reader.read(65536)):
                    return bytes(data), "closed"
                data += piece
    except TimeoutError:
        return bytes(data), "open"
    except ConnectionError:
        return bytes(data), "reset"
    return bytes(data[:LONGEST]), "endless"


@pytest.fixture(scope="module")
def plain() -> dict[float, list[tuple[bytes, str]]]:
    """The transcripts without a fault, filled by whoever needs them first."""
    return {}


# Those of streams show only in streams, which test_sockets.py opens.
@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault not in STREAMS])
async def test_with_a_fault_some_answer_differs(
    fault: Fault, clock: Clock, plain: dict[float, list[tuple[bytes, str]]]
) -> None:
    for after in MOMENTS:
        if after not in plain:
            plain[after] = await transcript(clock, (), after)
        if await transcript(clock, [fault], after) != plain[after]:
            return
    pytest.fail(f"{fault} does nothing")


async def test_without_a_fault_no_answer_differs(clock: Clock) -> None:
    patient = [transcript(clock, (), MOMENTS[1], quiet=0.5) for _ in range(2)]
    first, second = await asyncio.gather(*patient)
    assert first == second
    assert all(end == "open" and data for data, end in first)


SLOW = 0.5
"""Seconds that an answer takes with the fault `slow`; one that takes as long on a busy machine is no harm."""


async def cloud_transcript(clock: Clock, faults: Iterable[str]) -> list[Any]:
    """What a client of the simulated cloud gets: pages, stored readings, and messages of a socket."""
    seen: list[Any] = []
    async with ProviderSimulation(installations=12, clock=clock) as simulation:
        simulation.faults.slow_seconds, simulation.faults.messages_per_socket = SLOW, 2
        # Switched on while it serves: the server would not start with some of them otherwise.
        simulation.faults.kinds.update(map(parse_provider_fault, faults))
        for query in (INSTALLATIONS, READINGS, INSTALLATIONS):
            begin = time.monotonic()
            response = await post(simulation, query)
            seen.append((response.status_code, response.text, time.monotonic() - begin >= SLOW))
        try:
            async with plain_socket(simulation) as socket, asyncio.timeout(60):
                await greet(socket, {"Authorization": authorization(simulation)})
                seen.append(await socket.recv())
                payload = {"query": SUBSCRIPTION, "variables": {"startTime": stamp(clock() - 900)}}
                await socket.send(json.dumps({"type": "subscribe", "id": "7", "payload": payload}))
                seen.extend([await socket.recv() for _ in range(5)])
        except (ConnectionClosed, InvalidHandshake) as error:
            seen.append(type(error))
    return seen


@pytest.fixture(scope="module")
def plain_cloud() -> list[Any]:
    """The transcript without a fault, filled by whoever needs it first."""
    return []


@pytest.mark.parametrize("fault", PROVIDER_FAULTS)
async def test_with_a_fault_of_the_cloud_some_answer_differs(
    fault: str, clock: Clock, plain_cloud: list[Any]
) -> None:
    if not plain_cloud:
        plain_cloud += await cloud_transcript(clock, ())
    assert await cloud_transcript(clock, [fault]) != plain_cloud, f"{fault} does nothing"


async def test_without_a_fault_no_answer_of_the_cloud_differs(clock: Clock) -> None:
    first, second = [await cloud_transcript(clock, ()) for _ in range(2)]
    assert [each[:2] if isinstance(each, tuple) else each for each in first] == [
        each[:2] if isinstance(each, tuple) else each for each in second
    ]
    assert len(first) == 9
