"""Days of the exporter's output in a minute: simulated bridges, the real parser, guard and samples.

Only HTTP is left out.
"""

import gc
import json
import os
import subprocess
from bisect import bisect_right
from collections import Counter
from copy import copy
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any, Final

from prometheus_client import PlatformCollector, ProcessCollector

from devtools.processes import THRIFTY, program
from grafana.histories.plan import FIRMWARE_UPDATE, SEED, Event, Household, Kind, Scenario
from grafana.histories.text import Recorder
from iometer_exporter.bridges.live.distribution import PowerDistribution
from iometer_exporter.bridges.samples import bridge_samples
from iometer_exporter.bridges.snapshot import Snapshot, StreamState
from iometer_exporter.config.file import Config
from iometer_exporter.errors import FetchError, Reason
from iometer_exporter.exporter import exporter_samples
from iometer_exporter.meter.guard import Guard, Judgement, Limits, Rejection
from iometer_exporter.meter.models import ENDPOINTS, Endpoint, Reading, Status, parse_reading, parse_status
from iometer_exporter.meter.quantities import power
from iometer_exporter.simulator import Fault, Home, SimulatedBridge, Timing

LIMITS: Final = Limits(max_power=100_000.0, reset_after=600.0)
STALE_AFTER: Final = 1200.0

_MILESTONE: Final = 900
"""Seconds between two states of a home that are kept."""

BATTERY_AT_BEGIN: Final = 70
"""Percent of charge."""
BATTERY_STEP: Final = 43_200
"""Seconds in which the battery loses one percent: a weak one, so that nine days show where it goes."""

_TIMEOUT: Final = 10.0


@dataclass(slots=True)
class Truth:
    """What the meter of one bridge really counted: a home whose past states are kept."""

    meter: str
    states: list[Home] = field(default_factory=list)
    _known: dict[int, tuple[int, int]] = field(default_factory=dict, repr=False)
    """What has been asked for since the last state was kept."""

    def keep(self, home: Home) -> None:
        """Keep the home as it is now."""
        self.states.append(copy(home))
        self._known.clear()

    def at(self, time: float) -> tuple[int, int]:
        """Import and export in watt-seconds at a unix time; raises ValueError before the history."""
        second = int(time)
        if second not in self._known:
            behind = bisect_right(self.states, second, key=lambda state: state.time) - 1
            home = copy(self.states[max(behind, 0)])
            if home.time > second:
                raise ValueError(f"{time} lies before the history")
            home.advance(second)
            self._known[second] = home.import_ws, home.export_ws
        return self._known[second]

    def imported(self, begin: float, end: float) -> float:
        """Energy drawn from the grid between two unix times, in joules."""
        return float(self.at(end)[0] - self.at(begin)[0])

    def exported(self, begin: float, end: float) -> float:
        """Energy fed into the grid between two unix times, in joules."""
        return float(self.at(end)[1] - self.at(begin)[1])


@dataclass(frozen=True, slots=True)
class History:
    """A written history: its scenario, the folder of its blocks, the truth by bridge, its samples."""

    scenario: Scenario
    blocks: Path
    truths: dict[str, Truth]
    samples: int


@lru_cache(maxsize=16)
def _parsed_status(body: bytes) -> Status:
    """The status; it stays the same for many scrapes, and parsing gives the same for the same."""
    return parse_status(body)


class _Bridge:
    """A simulated bridge and what the exporter knows of it; a restart forgets the latter."""

    def __init__(self, household: Household, scenario: Scenario) -> None:
        self.name = household.name
        self._now = scenario.begin
        self._sim = SimulatedBridge(
            household.home,
            seed=SEED,
            faults=household.faults,
            # Ten seconds for each old reading, so that a scrape every minute meets some.
            timing=Timing(replay_spacing=10.0),
            clock=lambda: self._now,
        )
        self._events = household.events
        self._due = _first_scrape(scenario)
        self.truth = Truth(self._sim.meter, [copy(self._sim.home)])
        self._latency = Random(household.home)
        self._zeros: dict[str, float] = {}
        self.restart()

    def restart(self) -> None:
        """Forget all that a process keeps in memory."""
        self._guard = Guard(LIMITS)
        self._errors: Counter[tuple[Endpoint, Reason]] = Counter()
        self._rejected: Counter[Rejection] = Counter()
        self._powers = PowerDistribution(Config().power_buckets)
        self._newest: tuple[Reading, Judgement] | None = None
        self._streamed = self._reconnects = 0

    def follow(self, now: float, kinds: set[Kind]) -> None:
        """Take the events that its stream has sent since the last scrape, if it is followed."""
        if not self._events:
            return
        while self._due <= now:
            if "unreachable" in kinds:
                self._newest = None
            else:
                # A stream that ends is opened again, which is no event.
                self._reconnects += self._streamed > 0 and self._newest is None
                self._streamed += 1
                self._newest = self._taken(self._due, kinds)
            self._due += self._events

    def _taken(self, moment: float, kinds: set[Kind]) -> tuple[Reading, Judgement]:
        """The reading of an event and what becomes of it."""
        self.live(moment)
        reading = self._reading(kinds)
        judgement = self._judge(reading, moment)
        watts = power(judgement.served)
        if watts is not None and not (judgement.rejection or judgement.is_held):
            self._powers.observe(reading.meter, watts, reading.time)
        return reading, judgement

    def live(self, now: float) -> None:
        """Let the home live, whether or not anybody asks."""
        self._now = now
        last = self.truth.states[-1].time
        for moment in range(last - last % _MILESTONE + _MILESTONE, int(now) + 1, _MILESTONE):
            self._sim.home.advance(moment)
            self.truth.keep(self._sim.home)

    def snapshot(self, now: float, kinds: set[Kind]) -> Snapshot:
        """The answer to one scrape while events of some kinds last."""
        failures: dict[Endpoint, FetchError] = {}
        if "unreachable" in kinds:
            failures = {endpoint: FetchError("timeout", "no answer") for endpoint in ENDPOINTS}
        elif "no-status" in kinds:
            failures = {"status": FetchError("http_status", "500")}
        for endpoint, failure in failures.items():
            self._errors[endpoint, failure.reason] += 1
        reading, judgement = self._newest or self._fetched(now, kinds, "reading" in failures)
        status = None if "status" in failures else _parsed_status(self._status(now))
        followed = set(ENDPOINTS) - failures.keys() if self._newest else set()
        powers = self._powers.value
        return Snapshot(
            bridge=self.name,
            address=f"{self.name}.local",
            source="configured",
            meter=self._sim.meter,
            reading=judgement.served if judgement else None,
            energies=judgement.energies if judgement else {},
            sent=reading,
            status=status,
            durations={
                endpoint: 0.0 if endpoint in followed else self._duration(endpoint in failures)
                for endpoint in ENDPOINTS
            },
            failures=failures,
            errors=dict(self._errors),
            rejected=dict(self._rejected),
            streams={
                endpoint: StreamState(endpoint in followed, self._streamed, self._reconnects)
                for endpoint in ENDPOINTS
                if self._events
            },
            powers=None if powers is None else (self._sim.meter, powers),
        )

    def _fetched(
        self, now: float, kinds: set[Kind], is_failed: bool
    ) -> tuple[Reading | None, Judgement | None]:
        reading = self._reading(kinds)
        return (None, None) if is_failed else (reading, self._judge(reading, now))

    def _reading(self, kinds: set[Kind]) -> Reading:
        self._set_fault("disconnected", "disconnected" in kinds)
        self._set_fault("replay", "replay" in kinds)
        sent = self._sim.reading()
        if "meter-reset" in kinds:
            self._count_anew(sent["meter"]["reading"]["registers"])
        return parse_reading(json.dumps(sent).encode())

    def _status(self, now: float) -> bytes:
        status = self._sim.status()
        device = status["device"]
        if now < FIRMWARE_UPDATE:
            device["bridge"]["version"] = "build-64"
        if "batteryLevel" in device["core"]:
            lost = int(now - self.truth.states[0].time) // BATTERY_STEP
            device["core"]["batteryLevel"] = BATTERY_AT_BEGIN - lost
        return json.dumps(status).encode()

    def _count_anew(self, registers: list[dict[str, Any]]) -> None:
        for register in registers:
            if register["unit"] == "Wh":
                zero = self._zeros.setdefault(register["obis"], register["value"])
                register["value"] = round(register["value"] - zero, 1)

    def _judge(self, reading: Reading, now: float) -> Judgement:
        judgement = self._guard.judge(reading, now)
        if judgement.rejection:
            self._rejected[judgement.rejection] += 1
        return judgement

    def _duration(self, failed: bool) -> float:
        return _TIMEOUT if failed else round(self._latency.uniform(0.02, 0.09), 6)

    def _set_fault(self, fault: Fault, on: bool) -> None:
        (self._sim.faults.add if on else self._sim.faults.discard)(fault)


class _Exporter:
    """The process: its own families, which tell of a restart."""

    def __init__(self, started: float) -> None:
        self._own = [*ProcessCollector(registry=None).collect(), *PlatformCollector(registry=None).collect()]
        self.restart(started)

    def restart(self, now: float) -> None:
        """Start again at a unix time."""
        self._started = now
        for family in self._own:
            if family.name == "process_start_time_seconds":
                family.samples = [sample._replace(value=now) for sample in family.samples]

    def scrape(self, snapshots: list[Snapshot], now: float, recorder: Recorder) -> int:
        """Record all families as they are at a unix time; the number of samples."""
        owned = [each for one in snapshots for each in bridge_samples(one, now=now, stale_after=STALE_AFTER)]
        own = exporter_samples(
            bridges={"configured": len(snapshots)}, reload_successful=True, reload_timestamp=self._started
        )
        return recorder.record(self._own, now) + recorder.record_owned([*owned, ((), own)], now)


def simulate(scenario: Scenario, recorder: Recorder) -> dict[str, Truth]:
    """Scrape the scenario's bridges from begin to end into the recorder; the truth of each bridge."""
    exporter = _Exporter(scenario.begin - 86_400.0)
    bridges = [_Bridge(household, scenario) for household in scenario.households]
    restarts = sorted(event.end for event in scenario.events if event.kind.startswith("exporter-"))
    now = _first_scrape(scenario)
    while now <= scenario.end:
        active = [event for event in scenario.events if event.begin <= now < event.end]
        for number, bridge in enumerate(bridges, 1):
            bridge.follow(now, {event.kind for event in active if event.bridge == number})
            bridge.live(now)
        while restarts and restarts[0] <= now:
            exporter.restart(restarts.pop(0))
            for bridge in bridges:
                bridge.restart()
        _scrape(exporter, bridges, active, now, recorder)
        now += scenario.interval
    for bridge in bridges:
        bridge.live(scenario.end)
    return {bridge.name: bridge.truth for bridge in bridges}


def _first_scrape(scenario: Scenario) -> float:
    """Prometheus scrapes at any moment of its interval, and never on the full hour."""
    return scenario.begin + 0.437 * scenario.interval


def _scrape(
    exporter: _Exporter, bridges: list[_Bridge], active: list[Event], now: float, recorder: Recorder
) -> None:
    off = any(event.kind == "exporter-off" for event in active)
    count = 0
    if not off:
        snapshots = [
            bridge.snapshot(now, {event.kind for event in active if event.bridge == number})
            for number, bridge in enumerate(bridges, 1)
        ]
        count = exporter.scrape(snapshots, now, recorder)
        slowest = max(max(snapshot.durations.values()) for snapshot in snapshots)
    recorder.add("up", 0.0 if off else 1.0, now)
    recorder.add("scrape_duration_seconds", 0.001 if off else slowest + 0.004, now)
    recorder.add("scrape_samples_scraped", count, now)
    recorder.add("scrape_samples_post_metric_relabeling", count, now)
    recorder.add("scrape_series_added", 0, now)


def write(scenario: Scenario, folder: Path, job: str = "iometer") -> History:
    """Add the blocks of a scenario, scraped by a job of that name, to those below the folder.

    Raises MissingProgramError where there is no promtool, before the work that would be in vain.
    """
    program("promtool")
    recorder = Recorder({"job": job, "instance": scenario.instance})
    # Nothing here lives in cycles, and there are millions of small objects to look through.
    gc.disable()
    try:
        truths = simulate(scenario, recorder)
    finally:
        gc.enable()
    return History(scenario, write_blocks(recorder, folder), truths, recorder.samples)


def write_blocks(recorder: Recorder, folder: Path) -> Path:
    """Add what was recorded to the blocks below the folder; the folder that holds them.

    Raises MissingProgramError.
    """
    promtool = program("promtool")
    folder.mkdir(parents=True, exist_ok=True)
    text, blocks = folder / "history.om", folder / "data"
    recorder.write(text)
    # One block for all of it: promtool reads the whole text once for every block.
    command = [promtool, "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=1000h"]
    command += [str(text), str(blocks)]
    subprocess.run(command, env=os.environ | THRIFTY, check=True, capture_output=True, text=True)
    text.unlink()
    return blocks
