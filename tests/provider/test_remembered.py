"""What a restart knows of the run before: counters never fall, readings go on where they ended."""

import asyncio
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iometer_exporter.config.file import Config, DiscoveryConfig
from iometer_exporter.config.provider import ProviderConfig
from iometer_exporter.errors import StateError
from iometer_exporter.exporter import Exporter
from iometer_exporter.provider.api.models import Meter
from iometer_exporter.provider.reading.pace import Pace
from iometer_exporter.provider.reading.readings import Readings
from iometer_exporter.provider.reading.request_log import RequestLog
from iometer_exporter.provider.served.counts import ReadingCounts
from iometer_exporter.provider.served.installations import Installations
from iometer_exporter.provider.served.remembered import ProviderMemory
from iometer_exporter.state.keeper import StateKeeper
from tests.provider.fleet import (
    LIMITS,
    NOW,
    STALE_AFTER,
    Cut,
    ScriptedClient,
    SimulatedClock,
    at,
    installation,
    reading,
    received,
    refresh,
    values,
)
from tests.provider.test_source import cloud, energies, source, total, true_energies
from tests.waiting import until

ENERGY = 'iometer_energy_import_joules_total{installation="i1",meter="M1"}'
REGISTER = 'iometer_register{installation="i1",meter="M1",obis="1-0:1.8.0",unit="Wh"}'
URL = "https://cloud.example/q"


class Run:
    """One run of the exporter, as far as its memory goes."""

    def __init__(self, before: "Run | None" = None, *, ended: bool = True, started: float = NOW) -> None:
        self.memory = ProviderMemory(URL)
        if before is not None:
            for key, payload in json.loads(json.dumps(list(before.memory.entries()))):
                self.memory.restore(key, payload, started=started, is_behind=not ended)
        self.known = Installations(limits=LIMITS, stale_after=STALE_AFTER, memory=self.memory)

    def see(self, seconds: float, energy: float) -> list[str]:
        """A refresh that shows this reading; gives why it is refused."""
        meters = (Meter("m", "M1", reading(seconds, energy)),)
        return [each.why for each in refresh(self.known, installation(meters=meters), seconds=seconds)]


def test_a_restart_goes_on_with_what_the_guards_believed() -> None:
    first = Run()
    first.see(0, 5000)
    second = Run(first)
    # A reading that is lower than what was served: a meter's counter does not fall because of a restart.
    assert second.see(900, 10) == ["it is decreased"]
    found = values(second.known, 900)
    assert (found[ENERGY], found[REGISTER]) == (18_000_000, 10)
    assert second.see(1800, 5001) == []
    assert values(second.known, 1800)[ENERGY] == 18_003_600


def test_without_memory_it_would_fall() -> None:
    second = Run()
    second.see(900, 10)
    assert values(second.known, 900)[ENERGY] == 36_000


def test_after_a_crash_counters_wait_for_a_reading_of_this_run() -> None:
    first = Run()
    first.see(0, 5000)
    second = Run(first, ended=False, started=NOW + 600)
    second.see(0, 5000)
    assert ENERGY not in values(second.known, 600)
    second.see(900, 5001)
    assert values(second.known, 900)[ENERGY] == 18_003_600


def test_a_reading_may_be_the_first_to_tell_of_a_meter() -> None:
    first = Run()
    first.see(0, 5000)
    second = Run(first)
    low = received(reading(900, 10), meter_id="m")
    assert second.known.receive(low, NOW + 900, 900.0) == ("rejected", "it is decreased")


def test_what_is_not_seen_yet_is_written_again_and_what_is_gone_is_not() -> None:
    first = Run()
    first.see(0, 5000)
    second = Run(first)
    changes: list[None] = []
    second.memory.on_change = lambda: changes.append(None)
    assert [key for key, _ in second.memory.entries()] == ["i1/m"]
    refresh(second.known)
    assert list(second.memory.entries()) == []
    assert changes == [None]


def test_what_changes_is_told_and_what_does_not_is_not() -> None:
    run = Run()
    changes: list[None] = []
    run.memory.on_change = lambda: changes.append(None)
    run.see(0, 5000)
    run.see(0, 5000)
    assert len(changes) == 1
    run.see(900, 5001)
    assert len(changes) == 2


@pytest.mark.parametrize(
    ("key", "payload"),
    [
        ("resume", "soon"),
        ("resume", True),
        ("resume", -1),
        ("resume", float("nan")),
        ("resume", float("inf")),
        ("", {}),
        ("x" * 600, {}),
        ("i1/m", {}),
        ("i1/m", []),
        ("i1/m", None),
    ],
)
def test_what_is_none_of_it_is_refused(key: str, payload: Any) -> None:
    memory = ProviderMemory(URL)
    with pytest.raises(StateError):
        memory.restore(key, payload, started=NOW, is_behind=False)
    assert list(memory.entries()) == []


def test_entries_are_put_together_one_by_one() -> None:
    """The file is written in slices, and the event loop gets its turn between them."""
    run = Run()
    seen = [installation(f"i{number}", meters=(Meter("m", "M", reading(0, 1)),)) for number in range(100)]
    refresh(run.known, *seen)
    asked = 0
    histories = run.memory.histories

    def counted() -> Any:
        nonlocal asked
        for each in histories():
            asked += 1
            yield each

    run.memory.histories = counted
    entries = run.memory.entries()
    for _ in range(10):
        next(entries)
    assert asked == 10
    # Installations may come and go meanwhile.
    refresh(run.known, *seen[:50], installation("new", meters=(Meter("m", "N", reading(0, 1)),)))
    assert len(list(entries)) >= 40


def test_another_api_has_another_memory() -> None:
    assert ProviderMemory(URL).kind != ProviderMemory("https://other.example/q").kind


async def test_a_restart_subscribes_from_where_the_last_run_was() -> None:
    memory = ProviderMemory(URL)
    memory.restore("resume", NOW - 3600, started=NOW, is_behind=True)
    client, clock = ScriptedClient(), SimulatedClock()
    known = Installations(limits=LIMITS, stale_after=STALE_AFTER, memory=memory)
    readings = Readings(
        client,
        known,
        RequestLog(),
        clock,
        counts=ReadingCounts(),
        pace=Pace(),
        resume=memory.recall_resume(),
    )
    task = asyncio.create_task(readings.subscribe())
    client.stream.put_nowait(Cut())
    await clock.settle()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert client.starts == [at(-3605)]


async def test_a_whole_source_with_a_file(tmp_path: Path) -> None:
    clock = SimulatedClock()
    path = tmp_path / "state.json"
    async with cloud(clock) as simulation:
        async with source(simulation, clock) as first:
            keeper = StateKeeper(path, [first.memory], started=clock.time(), interval=0.01)
            await keeper.start()
            await until(lambda: total(first) > 100 and first.tried)
            await until(lambda: first.readings.resume is not None)
            served = energies(first)
            resume = first.readings.resume
        await keeper.aclose()
        assert path.stat().st_size > 1000
        async with source(simulation, clock) as second:
            pass
        again = StateKeeper(path, [second.memory], started=clock.time())
        await again.start()
        assert second.memory.recall_resume() == pytest.approx(resume)
        async with source(simulation, clock, before=second) as third:
            assert third.readings.resume == pytest.approx(resume)
            await until(lambda: third.inventory.succeeded is True)
            assert energies(third) == pytest.approx(served)
            assert energies(third) == pytest.approx(true_energies(simulation))
        await again.aclose()


async def test_an_exporter_keeps_what_its_provider_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IOMETER_EXPORTER_PROVIDER_TOKEN", "token")
    monkeypatch.setenv("IOMETER_EXPORTER_PROVIDER_SECRET", "secret")
    clock = SimulatedClock(time.time())
    path = tmp_path / "state.json"

    def kinds() -> set[str]:
        lines = path.read_text().splitlines()[1:-1]
        return {json.loads(line)[0] for line in lines}

    async with cloud(clock) as one, cloud(clock) as other:

        def config(simulation: Any) -> Config:
            return Config(
                discovery=DiscoveryConfig(enabled=False),
                provider=ProviderConfig(url=simulation.url, readings="off"),
                state_file=str(path),
            )

        now = config(one)
        async with Exporter(lambda: now) as exporter:
            await until(lambda: exporter.provider is not None and exporter.provider.tried)
        assert kinds() == {f"provider {one.url}"}
        async with Exporter(lambda: now) as exporter:
            assert exporter.provider is not None
            assert len(list(exporter.provider.memory.entries())) >= 12
            await until(lambda: exporter.provider is not None and exporter.provider.tried)
            # Other settings of the same API have the same memory, another API has its own.
            memory = exporter.provider.memory
            now = replace(now, provider=ProviderConfig(url=one.url, readings="off", page_size=50))
            await exporter.reload()
            assert exporter.provider is not None
            assert exporter.provider.memory is memory
            now = config(other)
            await exporter.reload()
            await until(lambda: exporter.provider is not None and exporter.provider.tried)
        assert kinds() == {f"provider {other.url}"}
        now = replace(now, provider=None)
        async with Exporter(lambda: now):
            pass
