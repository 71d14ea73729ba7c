import asyncio
from collections.abc import AsyncIterator

import pytest

from iometer_exporter.bridges.client import Network
from iometer_exporter.bridges.http.transport import BridgeTransport
from iometer_exporter.bridges.probed import Probed
from iometer_exporter.meter.guard import Limits
from iometer_exporter.meter.memory import Memory
from iometer_exporter.net.addresses import Address
from iometer_exporter.net.resolver import Resolver

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
    target = probed.at([at(1), at(2)])
    assert probed.at([at(2), at(3)]) is target
    assert target.addresses == (at(2), at(3))
    other = probed.at([at(1)])
    assert other is not target
    assert probed.at([at(3)]) is target


async def test_an_address_stays_with_the_one_that_has_it(probed: Probed) -> None:
    one, two = probed.at([at(1)]), probed.at([at(2)])
    assert probed.at([at(1), at(2)]) is one
    assert probed.at([at(2)]) is two


async def test_the_one_probed_longest_ago_leaves(probed: Probed) -> None:
    targets = [probed.at([at(number)]) for number in (1, 2, 3)]
    assert probed.at([at(1)]) is targets[0]
    probed.at([at(4)])
    assert len(probed) == 3
    assert targets[1] not in list(probed)
    assert probed.at([at(1)]) is targets[0]
    assert probed.at([at(2)]) is not targets[1]


async def test_one_that_never_answered_leaves_first(probed: Probed) -> None:
    targets = [probed.at([at(number)]) for number in (1, 2, 3)]
    for target in (targets[0], targets[2]):
        target.has_answered = True
    probed.at([at(4)])
    assert targets[1] not in list(probed)
    assert set(targets) - {targets[1]} <= set(probed)


async def test_one_that_somebody_waits_for_stays(probed: Probed) -> None:
    targets = [probed.at([at(number)]) for number in (1, 2, 3)]
    runs = [(target.shares["status"], target.shares["status"].join()) for target in targets]
    for number in (4, 5):
        probed.at([at(number)])
    assert set(targets) <= set(probed)
    for share, run in runs:
        share.leave(run)
    await asyncio.gather(*(run for _, run in runs), return_exceptions=True)
    assert not any(target.is_awaited for target in targets)


async def test_another_configuration_counts_for_those_that_are_there(probed: Probed) -> None:
    before = probed.at([at(1)])
    other = Limits(1.0, 2.0)
    probed.limits = other
    assert (before.limits, probed.at([at(2)]).limits, probed.limits) == (other, other, other)
