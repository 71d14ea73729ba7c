"""CPU of what comes from the cloud in masses, from its bytes to what is served, beside the bare library.

Everything is measured in turn, many times, and the shortest time of each counts: whatever else the machine
does meets all of it.
"""

import asyncio
import gc
import json
import time
from collections.abc import Callable
from typing import Final, NamedTuple

import httpx

from benchmarks.cloud import SECRET, TOKEN
from iometer_exporter.meter.guard import Limits
from iometer_exporter.provider.api import operations, typed, wire
from iometer_exporter.provider.api.models import UNWANTED, InstallationsPage, MeterReading, Wanted
from iometer_exporter.provider.api.request import SUBSCRIPTION_ID
from iometer_exporter.provider.served.installations import Installations
from iometer_exporter.provider.served.shard import WHOLE, Shard
from iometer_exporter.simulator.cloud import ProviderSimulation

FLEET: Final = 500
SHARD: Final[Shard] = (2, 8)
LIMITS: Final = Limits(max_power=50_000, reset_after=300)


class Cost(NamedTuple):
    """Microseconds of CPU for one of something: ours, of the bare library, and what we want to reach."""

    name: str
    ours: float
    floor: float
    goal: float | None


class Recorded(NamedTuple):
    """What the simulated cloud sends: a page of its inventory, and messages of one reading of each meter."""

    page: bytes
    messages: list[str]


def costs(rounds: int) -> list[Cost]:
    """The costs, each the least of so many rounds."""
    recorded = asyncio.run(record())
    is_ours = empty(SHARD).is_ours
    every = list(zip(recorded.messages, decoded(recorded.messages, None), strict=True))
    ours = [text for text, each in every if is_ours(each.installation_id)]
    others = [text for text, each in every if not is_ours(each.installation_id)]
    page = whole_page(recorded.page, None)
    known, known_of_shard = seen(page), seen(page, SHARD)
    # The readings are older than those of the inventory, as nearly all of a backlog are.
    measured: list[tuple[str, float | None, int, Callable[[], object], Callable[[], object]]] = [
        (
            "a reading",
            12,
            len(every),
            lambda: take(recorded.messages, known()),
            bare(recorded.messages),
        ),
        ("a reading of ours, of 8 shards", 12, len(ours), lambda: take(ours, known_of_shard()), bare(ours)),
        (
            "a reading of another shard",
            4,
            len(others),
            lambda: take(others, known_of_shard()),
            lambda: [wire.decode_owned_message(text) for text in others],
        ),
        (
            "a reading that is news",
            None,
            len(every),
            lambda: take(recorded.messages, empty()),
            bare(recorded.messages),
        ),
        (
            "an installation at the first sight",
            40,
            page.size,
            lambda: see(whole_page(recorded.page, None), empty()),
            lambda: bare_page(recorded.page),
        ),
        (
            "an installation seen again",
            40,
            page.size,
            lambda: see(whole_page(recorded.page, None), known()),
            lambda: bare_page(recorded.page),
        ),
        (
            "an installation of another shard",
            10,
            page.size,
            lambda: whole_page(recorded.page, lambda id: is_ours(id) and False),
            lambda: [wire.decode_id(item) for item in bare_items(recorded.page)],
        ),
    ]
    assert ours
    gc.collect()
    gc.freeze()
    best = [[float("inf"), float("inf")] for _ in measured]
    for _ in range(rounds):
        for least, (_, _, count, work, floor) in zip(best, measured, strict=True):
            least[0] = min(least[0], cpu(work) / count * 1e6)
            least[1] = min(least[1], cpu(floor) / count * 1e6)
    gc.unfreeze()
    return [
        Cost(name, least[0], least[1], goal)
        for least, (name, goal, _, _, _) in zip(best, measured, strict=True)
    ]


def cpu(work: Callable[[], object]) -> float:
    """Seconds of CPU."""
    before = time.process_time()
    work()
    return time.process_time() - before


async def record() -> Recorded:
    """What a simulated cloud sends."""
    async with (
        ProviderSimulation(installations=FLEET, token=TOKEN, secret=SECRET) as simulation,
        httpx.AsyncClient(auth=(TOKEN, SECRET), trust_env=False) as client,
    ):
        variables = {"pagination": {"offset": 0, "limit": FLEET}}
        request = {"query": operations.INSTALLATIONS, "variables": variables}
        page = (await client.post(simulation.url, json=request)).content
        readings: list[object] = []
        request = {"query": operations.READINGS, "variables": {}}
        while len(readings) < 2 * FLEET:
            answer = (await client.post(simulation.url, json=request)).json()
            found = answer["data"]["provider"]["readings"]
            readings += found["readings"]
            request["variables"] = {"cursor": found["cursor"]}
    return Recorded(
        page,
        [
            json.dumps(
                {"type": "next", "id": SUBSCRIPTION_ID, "payload": {"data": {"readings": reading}}},
                separators=(",", ":"),
            )
            for reading in readings
        ],
    )


def decoded(messages: list[str], wanted: Wanted | None) -> list[MeterReading]:
    """The readings in the messages, those of other shards left out."""
    decode = typed.ReadingMessages(wanted)
    found = [decode(text) for text in messages]
    assert None not in found, "the slow way was taken"
    return [each for each in found if each is not None and each is not UNWANTED]


def whole_page(body: bytes, wanted: Wanted | None) -> InstallationsPage:
    """The page."""
    page = typed.installations_page(body, wanted)
    assert page is not None, "the slow way was taken"
    return page


def empty(shard: Shard = WHOLE) -> Installations:
    """A fleet of which nothing is known."""
    return Installations(limits=LIMITS, stale_after=600, shard=shard)


def see(page: InstallationsPage, installations: Installations) -> Installations:
    """The fleet after a page."""
    now = time.time()
    for each in page.installations:
        installations.see(each, now, now)
    return installations


def seen(page: InstallationsPage, shard: Shard = WHOLE) -> Callable[[], Installations]:
    """Gives a fleet that knows the page, and no reading but those of the page."""
    installations = see(page, empty(shard))

    def fresh() -> Installations:
        for one in installations:
            for meter in one.meters:
                del meter.seen[:]
        return installations

    return fresh


def take(messages: list[str], installations: Installations) -> None:
    """Decode the messages, and let the fleet have the readings in them."""
    wanted = None if installations.shard == WHOLE else installations.is_ours
    decode, now = typed.ReadingMessages(wanted), time.time()
    for text in messages:
        found = decode(text)
        if found is not None and found is not UNWANTED:
            installations.receive(found, now, now)


def bare(messages: list[str]) -> Callable[[], object]:
    """The library alone: from text to typed structures."""
    return lambda: [wire.decode_reading_message(text) for text in messages]


def bare_items(body: bytes) -> list[bytes]:
    """The library alone: the items of a page, not decoded."""
    return wire.decode_installations(body).data.provider.installations  # type: ignore[return-value]


def bare_page(body: bytes) -> object:
    """The library alone: from bytes to typed structures."""
    return [wire.decode_installation(item) for item in bare_items(body)]
