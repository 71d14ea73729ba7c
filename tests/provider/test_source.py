"""The whole source, with the real client and a simulated cloud, in simulated time."""

import asyncio
import itertools
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from iometer_exporter.config.provider import ProviderConfig
from iometer_exporter.metrics.exposition import TEXT
from iometer_exporter.provider.api.credentials import Credentials
from iometer_exporter.provider.served import installations as state
from iometer_exporter.provider.served.installation import TrackedInstallation, encode
from iometer_exporter.provider.source import ProviderSource
from iometer_exporter.simulator.cloud import ProviderFault, ProviderSimulation
from tests.provider.fleet import LIMITS, NOW, STALE_AFTER, ScriptedClient, SimulatedClock, split
from tests.waiting import PATIENCE, until

DAY, QUARTER = 86400, 900
INSTALLATIONS = 12


@asynccontextmanager
async def cloud(clock: SimulatedClock, **settings: Any) -> AsyncIterator[ProviderSimulation]:
    settings = {"installations": INSTALLATIONS, "interval": QUARTER} | settings
    async with ProviderSimulation(clock=clock.time, token="token", secret="secret", **settings) as simulation:
        yield simulation


@asynccontextmanager
async def source(
    simulation: ProviderSimulation,
    clock: SimulatedClock,
    *,
    secret: str = "secret",
    before: ProviderSource | None = None,
    **settings: Any,
) -> AsyncIterator[ProviderSource]:
    running = ProviderSource(
        ProviderConfig(url=simulation.url, **settings),
        Credentials("token", secret, "/run/token", "/run/secret"),
        limits=LIMITS,
        stale_after=STALE_AFTER,
        before=before,
        clock=clock,
    )
    await running.start()
    try:
        yield running
    finally:
        await running.aclose()


async def pass_until(condition: Callable[[], bool], clock: SimulatedClock) -> None:
    """Let simulated time pass until the condition is true; what goes over sockets takes real time."""
    give_up = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < give_up, "it does not come about"
        await clock.advance(10)
        await asyncio.sleep(0.003)


async def pass_time(clock: SimulatedClock, seconds: float, step: float = 20.0) -> None:
    """Let simulated time pass, with a little real time in between for the sockets."""
    for _ in range(int(seconds / step)):
        await clock.advance(step)
        await asyncio.sleep(0.004)


def sent(simulation: ProviderSimulation, since: float, until: float) -> set[tuple[int, int, int]]:
    """The different readings that the cloud received in the span: installation, place and time of each."""
    arrivals = simulation.cloud.arrivals
    seconds = arrivals.seconds(math.ceil(since), int(until))
    return {(one.home, one.place, one.time) for second in seconds for one in arrivals.at(second)}


def energies(running: ProviderSource) -> dict[str, float]:
    """Import in joules by the number of the meter, as served."""
    found: dict[str, float] = {}
    store = running.installations.store
    for _ in store.refresh(running.clock.time()):
        pass
    for line in b"".join(store.pieces(0)).decode().splitlines():
        series, value = split(line)
        found[series.partition('meter="')[2].rstrip('"}')] = value
    return found


def true_energies(simulation: ProviderSimulation) -> dict[str, float]:
    """Import in joules of each meter at its newest reading that the cloud has."""
    now = simulation.cloud.now()
    found = {}
    for index in range(simulation.fleet.size):
        for meter in simulation.fleet.meters(index):
            taken = simulation.cloud.arrivals.latest(index, meter.place, now)
            wh = simulation.energy_import_wh(index, meter.place, taken)
            found[meter.number] = wh * 3600 if meter.pin else wh // 1000 * 3_600_000
    return found


def total(running: ProviderSource) -> int:
    return running.counts.results["accepted"]


async def all_taken(running: ProviderSource, simulation: ProviderSimulation, now: float) -> None:
    """Wait until the source has taken all that the cloud got from a day before the start until now."""
    expected = len(sent(simulation, NOW - DAY, now))
    await until(lambda: total(running) == expected)


async def test_a_start_takes_the_readings_of_the_last_day() -> None:
    clock = SimulatedClock()
    async with cloud(clock) as simulation, source(simulation, clock) as running:
        expected = sent(simulation, NOW - DAY, NOW)
        assert len(expected) > 900
        await until(lambda: total(running) == len(expected))
        assert running.counts.results == {"accepted": len(expected)}
        assert running.readings.is_up
        assert energies(running) == pytest.approx(true_energies(simulation))
        assert len(running.installations) == INSTALLATIONS


@pytest.mark.parametrize("faults", [(), ("duplicates", "late")], ids=["healthy", "duplicates and late ones"])
async def test_ten_minutes_without_subscription_lose_and_double_nothing(faults: tuple[str, ...]) -> None:
    clock = SimulatedClock()
    async with cloud(clock, faults=faults) as simulation, source(simulation, clock) as running:
        await all_taken(running, simulation, NOW)
        await pass_time(clock, 600)
        await all_taken(running, simulation, clock.time())
        simulation.refuse_sockets = True
        simulation.cut_sockets()
        before = total(running)
        await pass_time(clock, 600)
        expected = len(sent(simulation, NOW - DAY, clock.time()))
        assert expected > before
        assert [running.readings.is_up, total(running)] == [False, before]
        assert (
            running.request_log.errors["subscription", "http_status"]
            + running.request_log.errors["subscription", "connect"]
            > 1
        )
        simulation.refuse_sockets = False
        await pass_time(clock, 80)
        # An attempt that was refused late waits once more.
        await pass_until(lambda: total(running) == len(sent(simulation, NOW - DAY, clock.time())), clock)
        assert [running.readings.is_up, running.counts.results["rejected"]] == [True, 0]
        assert running.readings.reconnects > 1
        assert energies(running) == pytest.approx(true_energies(simulation))


async def test_a_restart_within_a_day_takes_what_came_meanwhile() -> None:
    clock = SimulatedClock()
    async with cloud(clock, faults=("duplicates",)) as simulation:
        async with source(simulation, clock) as first:
            await all_taken(first, simulation, NOW)
        await clock.advance(3 * 3600)
        async with source(simulation, clock) as second:
            expected = sent(simulation, clock.time() - DAY, clock.time())
            while_down = sent(simulation, NOW + 1, clock.time())
            assert while_down
            assert while_down <= expected
            await until(lambda: total(second) == len(expected))
            assert second.counts.results["rejected"] == 0
            assert energies(second) == pytest.approx(true_energies(simulation))


async def test_another_source_of_the_same_place_goes_on_with_what_is_known() -> None:
    """As after a reload with new credentials: nothing is read twice and nothing is missing."""
    clock = SimulatedClock()
    async with cloud(clock) as simulation:
        async with source(simulation, clock) as first:
            await all_taken(first, simulation, NOW)
        await clock.advance(1200)
        async with source(simulation, clock, before=first, page_size=5) as second:
            assert second.tried
            assert len(second.installations) == INSTALLATIONS
            expected = len(sent(simulation, NOW - DAY, clock.time()))
            await until(lambda: total(second) == expected)
            assert second.counts.results["duplicate"] <= INSTALLATIONS
            assert energies(second) == pytest.approx(true_energies(simulation))


async def test_walking_the_cursor_gives_the_same() -> None:
    clock = SimulatedClock()
    async with (
        cloud(clock, faults=("duplicates", "late", "no-sockets")) as simulation,
        source(simulation, clock, readings="poll") as running,
    ):
        await all_taken(running, simulation, NOW)
        simulation.faults.every = 1
        simulation.faults.kinds.add("http-500")
        before = total(running)
        await pass_time(clock, 600)
        assert total(running) == before
        assert running.request_log.errors["readings", "http_status"] > 2
        simulation.faults.kinds.remove("http-500")
        await pass_time(clock, 130)
        expected = len(sent(simulation, NOW - DAY, clock.time()))
        await pass_until(lambda: total(running) >= expected, clock)
        assert total(running) == len(sent(simulation, NOW - DAY, clock.time()))
        assert running.counts.results["rejected"] == 0
        assert simulation.open_sockets == 0


async def test_without_readings_the_inventory_serves() -> None:
    clock = SimulatedClock()
    async with cloud(clock) as simulation, source(simulation, clock, readings="off") as running:
        await until(lambda: running.tried)
        assert energies(running) == pytest.approx(true_energies(simulation))
        await clock.advance(3600)
        await pass_until(lambda: agree(running, true_energies(simulation)), clock)
        assert not running.counts.results
        assert simulation.open_sockets == 0


BAD: dict[ProviderFault, tuple[str, str, str]] = {
    # Fault: operation and reason of the metric, part of the one log line.
    "unauthorized": (
        "account",
        "unauthorized",
        "check the token of /run/token and the secret of /run/secret",
    ),
    "http-500": ("account", "http_status", "answered status 500"),
    "garbage": ("account", "invalid_json", "not JSON"),
    "rate-limit": ("account", "rate_limited", "asks for fewer requests"),
    "graphql-errors": ("installations", "graphql", "reports beside its data"),
    "null": ("installations", "invalid_document", "left out of what the provider API sent"),
}


@pytest.mark.parametrize("fault", BAD)
async def test_what_is_bad_is_counted_and_said_once(
    fault: ProviderFault, caplog: pytest.LogCaptureFixture
) -> None:
    operation, reason, sentence = BAD[fault]
    clock = SimulatedClock()
    async with cloud(clock) as simulation, source(simulation, clock, readings="off") as running:
        await until(lambda: running.inventory.succeeded is True)
        simulation.faults.every = 1
        simulation.faults.kinds.add(fault)
        key = (operation, reason)
        await pass_until(lambda: running.request_log.errors[key] >= 3, clock)  # type: ignore[index]
        # What was known is still served, and what is good of what comes is.
        assert len(running.installations) == INSTALLATIONS
        assert len(energies(running)) >= INSTALLATIONS
    lines = [record.getMessage() for record in caplog.records]
    assert len([line for line in lines if sentence in line]) == 1
    assert len(lines) <= 2
    assert "secret " not in " ".join(lines).replace("the secret of", "")


async def test_wrong_credentials_are_said_and_serve_nothing(caplog: pytest.LogCaptureFixture) -> None:
    clock = SimulatedClock()
    async with cloud(clock) as simulation, source(simulation, clock, secret="wrong-one") as running:
        await until(lambda: running.tried)
        await pass_until(lambda: running.request_log.errors["subscription", "unauthorized"] > 0, clock)
        assert running.inventory.succeeded is False
        assert len(running.installations) == 0
    assert "wrong-one" not in caplog.text
    own = [record for record in caplog.records if record.name.startswith("iometer_exporter.")]
    assert [record.__dict__["operation"] for record in own] == ["account", "subscription"]


async def test_a_token_that_expires_while_it_runs() -> None:
    clock = SimulatedClock()
    async with cloud(clock) as simulation, source(simulation, clock) as running:
        await all_taken(running, simulation, NOW)
        simulation.revoke()
        await pass_until(lambda: running.request_log.errors["subscription", "unauthorized"] > 0, clock)
        assert not running.readings.is_up
        assert len(running.installations) == INSTALLATIONS
        simulation.faults.kinds.clear()
        await pass_until(lambda: running.readings.is_up, clock)


async def test_unknown_states_are_served_as_they_are(caplog: pytest.LogCaptureFixture) -> None:
    clock = SimulatedClock()
    async with (
        cloud(clock, faults=("unknown-enum",)) as simulation,
        source(simulation, clock, readings="off") as running,
    ):
        await until(lambda: running.tried)
        unknown = {one.device.pin for one in running.installations if one.device is not None}
        assert unknown - {"entered", "pending", "missing"}
        assert not running.request_log.errors
    assert not caplog.records


@pytest.mark.parametrize(
    ("fault", "rejected"), [("decrease", True), ("spike", True), ("clock-jump", True), ("replay", False)]
)
async def test_wrong_readings_of_one_meter_harm_no_other(fault: ProviderFault, rejected: bool) -> None:
    clock = SimulatedClock()
    async with (
        cloud(clock) as simulation,
        # One inventory only: where it has a reading first, that reading stands.
        source(simulation, clock, inventory_interval=1e9) as running,
    ):
        await all_taken(running, simulation, NOW)
        simulation.faults.kinds.add(fault)
        [first] = [meter.number for meter in simulation.fleet.meters(0)]
        seen = [energies(running)]
        for _ in range(8):
            await pass_time(clock, 900, step=300)
            await pass_until(lambda: agree(running, others(simulation, first)), clock)
            seen.append(energies(running))
        assert (running.counts.results["rejected"] > 0) is rejected
    for before, after in itertools.pairwise(seen):
        for number, joules in after.items():
            # No counter falls, and none rises by more than 100 kW allow.
            assert 0 <= joules - before[number] <= 100_000 * 3600


def agree(running: ProviderSource, expected: dict[str, float]) -> bool:
    """Whether the meters are served with these energies."""
    served = energies(running)
    return all(served.get(number) == pytest.approx(joules) for number, joules in expected.items())


def others(simulation: ProviderSimulation, without: str) -> dict[str, float]:
    """The true energies of the meters that have no faults."""
    return {number: joules for number, joules in true_energies(simulation).items() if number != without}


async def test_a_shard_keeps_its_part() -> None:
    clock = SimulatedClock()
    async with cloud(clock, installations=40) as simulation:
        found: list[str] = []
        for number in (1, 2, 3):
            async with source(simulation, clock, shard=(number, 3), readings="off") as running:
                await until(lambda running=running: running.tried)  # type: ignore[misc]
                found += [one.id for one in running.installations]
        assert sorted(found) == sorted(simulation.fleet.id(index) for index in range(40))


async def test_a_fault_of_this_program_is_logged_and_the_work_begins_anew(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimulatedClock()
    async with cloud(clock) as simulation:
        with monkeypatch.context() as patch:
            patch.setattr("iometer_exporter.provider.served.installations.Installations.see", None)
            async with source(simulation, clock, readings="off") as running:
                await until(lambda: running.tried)
                assert running.inventory.succeeded is False
                patch.undo()
                await clock.advance(31)
                await until(lambda: running.inventory.succeeded is True)
    assert [record.getMessage() for record in caplog.records] == [
        "reading the provider API failed, please report this"
    ]


async def test_a_cancel_that_nobody_sent_does_not_end_the_work(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimulatedClock()

    async def astray(_: object) -> None:
        raise asyncio.CancelledError

    async with cloud(clock) as simulation:
        with monkeypatch.context() as patch:
            patch.setattr("iometer_exporter.provider.reading.inventory.Inventory.refresh", astray)
            async with source(simulation, clock, readings="off") as running:
                await until(lambda: running.tried)
                patch.undo()
                await clock.advance(31)
                await until(lambda: running.inventory.succeeded is True)
    assert [record.getMessage() for record in caplog.records] == [
        "reading the provider API ended by itself, please report this"
    ]


async def test_an_installation_that_brings_a_fault_to_light_costs_its_own_lines(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimulatedClock()

    def fails(known: TrackedInstallation, **settings: Any) -> Any:
        if known.position == 1:
            raise ValueError("odd")
        return encode(known, **settings)

    async with cloud(clock) as simulation, source(simulation, clock, readings="off") as running:
        await until(lambda: running.inventory.succeeded is True)
        whole = await infos(running)
        with monkeypatch.context() as patch:
            patch.setattr(state, "encode", fails)
            for known in running.installations:
                running.installations.store.change(known.position)
            for _ in range(3):
                assert await infos(running) == whole - 1
        assert await infos(running) == whole
    [record] = caplog.records
    assert record.getMessage() == "an installation cannot be served, please report this"
    assert record.exc_info is not None


async def infos(running: ProviderSource) -> int:
    """Installations that a scrape shows."""
    text = b"".join(await running.page((), TEXT, local=frozenset()))
    return text.count(b"\niometer_installation_info{")


@pytest.mark.parametrize(("scheme", "warnings"), [("http", 1), ("https", 0)])
async def test_credentials_that_travel_unencrypted_are_a_warning(
    scheme: str, warnings: int, caplog: pytest.LogCaptureFixture
) -> None:
    running = ProviderSource(
        ProviderConfig(url=f"{scheme}://cloud.example/q", readings="off"),
        Credentials("token", "secret", "/run/token", "/run/secret"),
        limits=LIMITS,
        stale_after=STALE_AFTER,
        client=lambda *_: ScriptedClient(),
        clock=SimulatedClock(),
    )
    await running.start()
    await running.aclose()
    texts = [record.getMessage() for record in caplog.records]
    assert [text.partition(":")[0] for text in texts] == [
        "token and secret travel unencrypted to cloud.example"
    ] * warnings
