import asyncio
from collections.abc import AsyncIterator

import pytest

from iometer_exporter.bridges.client import Network
from iometer_exporter.bridges.fetched import Fetched, Judged
from iometer_exporter.bridges.http.transport import BridgeTransport
from iometer_exporter.bridges.probed import Probed
from iometer_exporter.bridges.single_flight import SingleFlight
from iometer_exporter.meter.guard import Limits
from iometer_exporter.meter.memory import Memory
from iometer_exporter.net.addresses import Address
from iometer_exporter.net.resolver import Resolver
from tests.rawserver import answering, raw_server, response
from tests.waiting import until

LIMITS = Limits(100_000.0, 600.0)


def at(number: int) -> Address:
    return Address(f"10.0.0.{number}")


@pytest.fixture
async def probed() -> AsyncIterator[Probed]:
    bridges = Probed(LIMITS, Network(Resolver(), BridgeTransport()), Memory(), 3)
    yield bridges
    await bridges.aclose()


async def test_an_address_is_one_bridge(probed: Probed) -> None:
    first = probed.at([at(1)])
    assert probed.at([at(1)]) is first
    assert probed.at([at(2), at(1)]) is first
    assert probed.at([at(2)]) is first
    assert len(probed) == 1


async def test_the_addresses_of_a_known_one_are_renewed(probed: Probed) -> None:
    bridge = probed.at([at(1), at(2)])
    assert probed.at([at(2), at(3)]) is bridge
    assert bridge.addresses == (at(2), at(3))
    other = probed.at([at(1)])
    assert other is not bridge
    assert probed.at([at(3)]) is bridge


async def test_an_address_stays_with_the_one_that_has_it(probed: Probed) -> None:
    one, two = probed.at([at(1)]), probed.at([at(2)])
    assert probed.at([at(1), at(2)]) is one
    assert probed.at([at(2)]) is two


async def test_the_one_probed_longest_ago_leaves(probed: Probed) -> None:
    bridges = [probed.at([at(number)]) for number in (1, 2, 3)]
    assert probed.at([at(1)]) is bridges[0]
    probed.at([at(4)])
    assert len(probed) == 3
    assert bridges[1] not in list(probed)
    assert probed.at([at(1)]) is bridges[0]
    assert probed.at([at(2)]) is not bridges[1]


async def test_one_that_never_answered_leaves_first(probed: Probed) -> None:
    bridges = [probed.at([at(number)]) for number in (1, 2, 3)]
    for bridge in (bridges[0], bridges[2]):
        bridge.has_answered = True
    probed.at([at(4)])
    assert bridges[1] not in list(probed)
    assert set(bridges) - {bridges[1]} <= set(probed)


async def test_one_that_somebody_waits_for_stays(probed: Probed) -> None:
    bridges = [probed.at([at(number)]) for number in (1, 2, 3)]
    joined = [(bridge, bridge.join()) for bridge in bridges]
    for number in (4, 5):
        probed.at([at(number)])
    assert set(bridges) <= set(probed)
    for bridge, fetches in joined:
        bridge.leave(fetches, count_timeouts=False)
    await asyncio.gather(*(task for _, fetches in joined for task in fetches.tasks), return_exceptions=True)
    assert not any(bridge.is_awaited for bridge in bridges)


async def test_another_configuration_counts_for_those_that_are_there(probed: Probed) -> None:
    before = probed.at([at(1)])
    other = Limits(1.0, 2.0)
    probed.limits = other
    assert (before.limits, probed.at([at(2)]).limits, probed.limits) == (other, other, other)


async def test_a_bridge_is_named_by_the_address_at_which_it_was_probed_first(probed: Probed) -> None:
    bridge = probed.at([at(1), at(2)])
    assert (bridge.name, bridge.source, bridge.limits) == ("10.0.0.1", "probed", LIMITS)
    assert bridge.ip_addresses == (at(1), at(2))


async def test_one_is_told_once_that_there_is_no_more_room(
    probed: Probed, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(1, 4):
        probed.at([at(number)])
    assert not caplog.records
    for number in range(4, 7):
        probed.at([at(number)])
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage().startswith("more than 3 bridges are probed: ")


async def test_where_all_have_answered_the_one_probed_longest_ago_leaves(probed: Probed) -> None:
    bridges = [probed.at([at(number)]) for number in (1, 2, 3)]
    for bridge in bridges:
        bridge.has_answered = True
    new = probed.at([at(4)])
    assert list(probed) == [bridges[1], bridges[2], new]


async def test_the_connections_of_one_that_leaves_are_closed() -> None:
    """Those that nobody uses at once: its address may never be asked again."""
    transport = BridgeTransport()
    async with raw_server(answering(response(b"{}"))) as server:
        bridges = Probed(LIMITS, Network(Resolver(), transport), Memory(), 1)
        leaving = bridges.at([server.address])
        run = leaving.reading.join()
        await run
        leaving.reading.leave(run)
        assert transport.idle == 1
        bridges.at([at(1)])
        await until(lambda: transport.idle == 0)
        await bridges.aclose()


class Slow:
    """Work that takes its time to end when it is given up."""

    ended = False

    async def __call__(self) -> Fetched[Judged]:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            self.ended = True
        raise AssertionError


@pytest.mark.parametrize("has_left", [False, True], ids=["there", "leaving"])
async def test_closing_waits_for_what_is_under_way(has_left: bool) -> None:
    bridges = Probed(LIMITS, Network(Resolver(), BridgeTransport()), Memory(), 1)
    bridge, work = bridges.at([at(1)]), Slow()
    flight = bridge.reading = SingleFlight(work.__call__)
    run = flight.join()
    await asyncio.sleep(0)
    if has_left:
        flight.leave(run)
        bridges.at([at(2)])
        assert bridge not in list(bridges)
    await bridges.aclose()
    assert (run.cancelled(), work.ended) == (True, True)
