"""Each fault does something: with it, some answer on the wire is another one than without."""

import asyncio
from collections.abc import Iterable

import pytest

from iometer_exporter.simulator import FAULTS, Fault, FaultSpec, Simulation, Timing

from .conftest import Clock

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


@pytest.mark.parametrize("fault", FAULTS)
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
