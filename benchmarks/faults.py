"""Every fault of the simulated bridges against the real exporter, as a table.

    python -m benchmarks.faults [--only hang,doubled] [--write]

Each fault strikes one endpoint of one bridge alone, of one bridge of twenty, and of all twenty, while
`/metrics` and `/probe` are asked as Prometheus asks. A cell is good if every answer came before the
scraper's deadline, the bridges without the fault were complete and told the simulator's truth, the
fault was counted for the right reason, and the next scrape after it was whole again. `--write` puts
the table into docs/robustness.md, if every cell is good. Exit code 1 if any is not.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, get_args

import httpx
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.page import write_section
from devtools.processes import exporter
from iometer_exporter.simulator import ENDPOINTS, FAULTS, Endpoint, Fault, Simulation, Timing

Way = Literal["/metrics", "/probe"]

WAYS: Final[tuple[Way, ...]] = get_args(Way)

SECTION: Final = "fault matrix"
"""Of docs/robustness.md."""

SCRAPE_TIMEOUT: Final = 3.0
"""Seconds of the scraper."""

BUDGET: Final = SCRAPE_TIMEOUT - 0.5
"""Seconds that the exporter gives its bridges then."""

PATIENCE: Final = 60.0
"""Seconds after which an answer that is too late anyway is no longer waited for."""

_STEP: Final = 2.0
"""Seconds by which the bridges' clock goes on from scrape to scrape: each has a reading of its own."""

_PAUSE: Final = 0.15
"""Seconds between two scrapes while a fault of kept connections strikes; longer than they may idle."""

SERVED: Final = "served"

WIRE: Final[Mapping[Fault, tuple[str, ...]]] = {
    "slow": ("timeout",),
    "jitter": ("timeout", SERVED),
    "hang": ("timeout",),
    "no-accept": ("timeout",),
    "swallow": (SERVED,),
    "drop": ("protocol",),
    "truncated": ("protocol",),
    "reset-body": ("protocol",),
    "drip-head": ("timeout",),
    "interim-flood": ("protocol",),
    "tiny-chunks": ("too_large",),
    "garbage": ("invalid_json",),
    "huge": ("too_large",),
    "doubled": (SERVED,),
    "trailing": (SERVED,),
    "close-idle": (SERVED,),
    "idle-408": (SERVED,),
    "http-500": ("http_status",),
}
"""What a fault of the wire may give at the endpoint that it strikes."""

DOCUMENTS: Final[Mapping[Fault, tuple[str, str]]] = {
    "no-reading": ("no_data", SERVED),
    "no-status": (SERVED, "no_data"),
    "disconnected": (SERVED, SERVED),
    "detached": (SERVED, SERVED),
    "pin-missing": (SERVED, SERVED),
    "pin-lost": (SERVED, SERVED),
    "battery-low": (SERVED, SERVED),
    "replay": ("replayed", SERVED),
    "decrease": ("decreased", SERVED),
    "spike": ("implausible", SERVED),
    "wrong-export": ("implausible", SERVED),
    "wired": (SERVED, SERVED),
    "import-only": (SERVED, SERVED),
    "tariffs": (SERVED, SERVED),
    "three-phase": (SERVED, SERVED),
    "phase-only": (SERVED, SERVED),
    "no-meter": (SERVED, SERVED),
    "meter-in-status": (SERVED, SERVED),
}
"""What a fault of the documents gives at the reading and at the status."""

OVER_TIME: Final[frozenset[Fault]] = frozenset(("wrong-first", "clock-ahead", "reset-meter"))
"""Faults that one scrape cannot tell from the truth: tests/test_exactness.py has them."""

STREAMS: Final[frozenset[Fault]] = frozenset(
    ("no-stream", "stream-stall", "stream-restart", "half-event", "huge-event")
)
"""Faults of event streams, which a fetch does not meet: tests/bridges/test_live.py has them."""

_KEPT: Final[frozenset[Fault]] = frozenset(("swallow", "doubled", "trailing", "close-idle", "idle-408"))
"""Faults that show at the next request of a connection."""

_INEXACT: Final[frozenset[Fault]] = frozenset(
    ("disconnected", "detached", "pin-missing", "pin-lost", "no-reading")
)
"""Served without an objection, but not the energy of this moment."""


@dataclass(frozen=True, slots=True)
class Row:
    """A fault at an endpoint, and what may come of it at each endpoint."""

    fault: Fault
    endpoints: tuple[Endpoint, ...]
    outcomes: Mapping[Endpoint, tuple[str, ...]]

    @property
    def where(self) -> str:
        """The endpoints for people."""
        return " and ".join(self.endpoints)

    @property
    def what(self) -> str:
        """What comes of it, for people."""
        found = [outcome for endpoint in self.endpoints for outcome in self.outcomes[endpoint]]
        counted = [f"`{outcome}`" for outcome in dict.fromkeys(found) if outcome != SERVED]
        # Of two endpoints it is the one that fails that is told.
        late = [SERVED] if not counted or found == ["timeout", SERVED] else []
        return " or ".join([*counted, *late])


def rows() -> list[Row]:
    """All rows of the table: each fault of the wire at each endpoint, each fault of the documents."""
    table = []
    for fault in FAULTS:
        if fault in WIRE:
            table += [
                Row(
                    fault,
                    (struck,),
                    {each: WIRE[fault] if each == struck else (SERVED,) for each in ENDPOINTS},
                )
                for struck in ENDPOINTS
            ]
        elif fault in DOCUMENTS:
            outcomes = dict(zip(ENDPOINTS, ((outcome,) for outcome in DOCUMENTS[fault]), strict=True))
            table.append(Row(fault, ENDPOINTS, outcomes))
    return table


@dataclass(slots=True)
class Told:
    """What one answer told of one bridge: samples by name and labels, without those of bridge and meter."""

    seconds: float
    samples: dict[tuple[str, ...], float] = field(default_factory=dict)

    def value(self, name: str, *labels: str) -> float | None:
        """The value of a sample; None if it is absent."""
        return self.samples.get((f"iometer_{name}", *labels))


class Fleet:
    """Simulated bridges and the real exporter that reads them; asked as Prometheus asks."""

    def __init__(
        self, simulation: Simulation, client: httpx.AsyncClient, *, timeout: float, budget: float
    ) -> None:
        self.simulation = simulation
        self.now = time.time()
        self.timeout = timeout
        self._client = client
        self._before: dict[str, Told] = {}
        for bridge in simulation.bridges:
            bridge.clock = lambda: self.now
            bridge.timing = Timing.at_once()
            bridge.timing.slow_seconds = budget * 2
            bridge.timing.jitter_around, bridge.timing.jitter_spread = budget, 0.2
            bridge.timing.idle_seconds = _PAUSE / 3

    async def ask(self, way: Way, expected: Mapping[str, Row] | None = None) -> list[str]:
        """What is wrong with the answers of one scrape, or of one probe of each bridge at once.

        `expected` has the row of each bridge that has a fault; the others must be whole.
        """
        self.now += _STEP
        told = await (self._metrics() if way == "/metrics" else self._probes())
        problems = []
        for bridge in self.simulation.bridges:
            name = bridge.name
            if name not in told:
                problems.append(f"{name} is missing")
                continue
            problems += [f"{name} {problem}" for problem in self._problems(name, told[name], expected or {})]
            self._before[name] = told[name]
        return problems

    def _problems(self, name: str, told: Told, expected: Mapping[str, Row]) -> list[str]:
        [bridge] = [bridge for bridge in self.simulation.bridges if bridge.name == name]
        row, before = expected.get(name), self._before.get(name)
        problems = []
        if told.seconds > self.timeout:
            problems.append(f"answered after {told.seconds:.1f} s")
        outcomes = {endpoint: self._outcome(endpoint, told, before) for endpoint in ENDPOINTS}
        for endpoint, outcome in outcomes.items():
            allowed = row.outcomes[endpoint] if row is not None else (SERVED,)
            if outcome not in allowed:
                problems.append(f"{endpoint}: {outcome}, not {' or '.join(allowed)}")
        energy, truth = told.value("energy_import_joules_total"), bridge.home.import_tenths * 360
        if outcomes["reading"] == SERVED and (row is None or row.fault not in _INEXACT):
            if energy != truth:
                problems.append(f"energy {energy} is not {truth}")
            if told.value("reading_timestamp_seconds") != self.now // 1:
                problems.append("the reading is not the present one")
        elif energy is not None:
            was = before.value("energy_import_joules_total") if before is not None else None
            if not (was or 0) <= energy <= truth:
                problems.append(f"energy {energy} is not between {was} and {truth}")
        rssi = bridge.status()["device"]["bridge"]["rssi"]
        if outcomes["status"] == SERVED and told.value("bridge_rssi_dbm") != rssi:
            problems.append("the status is not the present one")
        return problems

    @staticmethod
    def _outcome(endpoint: Endpoint, told: Told, before: Told | None) -> str:
        if told.value("endpoint_up", endpoint):
            names = [
                key for key in told.samples if endpoint == "reading" and key[0].endswith("rejected_total")
            ]
            place = 1
        else:
            names = [key for key in told.samples if key[0].endswith("errors_total") and key[1] == endpoint]
            place = 2
        grown = [
            key[place] for key in names if told.samples[key] > (before.samples.get(key, 0) if before else 0)
        ]
        return " and ".join(grown) or (SERVED if told.value("endpoint_up", endpoint) else "no reason")

    async def _metrics(self) -> dict[str, Told]:
        text, seconds = await self._get("/metrics")
        return _told(text, seconds)

    async def _probes(self) -> dict[str, Told]:
        bridges = self.simulation.bridges
        answers = await asyncio.gather(*(self._get(f"/probe?target={bridge.target}") for bridge in bridges))
        told: dict[str, Told] = {}
        for text, seconds in answers:
            told |= _told(text, seconds)
        return told

    async def _get(self, path: str) -> tuple[str, float]:
        headers = {"X-Prometheus-Scrape-Timeout-Seconds": f"{self.timeout:g}"}
        started = time.perf_counter()
        try:
            answer = await self._client.get(path, headers=headers)
        except httpx.TimeoutException:
            return "", time.perf_counter() - started
        return answer.text if answer.status_code == httpx.codes.OK else "", time.perf_counter() - started


def _told(text: str, seconds: float) -> dict[str, Told]:
    told: dict[str, Told] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = dict(sample.labels)
            name = labels.pop("bridge", None)
            labels.pop("meter", None)
            if name is not None:
                mine = told.setdefault(name, Told(seconds))
                mine.samples[sample.name, *(labels[key] for key in sorted(labels))] = sample.value
    return told


@asynccontextmanager
async def fleet_of(
    bridges: int, folder: Path, *, timeout: float = SCRAPE_TIMEOUT, budget: float = BUDGET
) -> AsyncIterator[Fleet]:
    """A fleet of bridges that has been read twice, so that all of it is known; times are in seconds."""
    async with Simulation(port=0, bridges=bridges) as simulation:
        named = [f"{bridge.name}={bridge.target}" for bridge in simulation.bridges]
        options = ["--timeout", f"{budget:g}s", *(word for name in named for word in ("--bridge", name))]
        with exporter(folder, "--no-discovery", *options) as (_, url):
            async with httpx.AsyncClient(base_url=url, timeout=PATIENCE, trust_env=False) as client:
                fleet = Fleet(simulation, client, timeout=timeout, budget=budget)
                for _ in range(2):
                    problems = await fleet.ask("/metrics")
                if problems:
                    raise SystemExit(f"without any fault: {'; '.join(problems)}")
                yield fleet


async def cell(fleet: Fleet, struck: Mapping[int, Row], way: Way) -> list[str]:
    """What is wrong while the bridges of these numbers have their fault, and at the scrape after it."""
    fleet.simulation.switch()
    for number, row in struck.items():
        bridge = fleet.simulation.bridges[number - 1]
        bridge.faults, bridge.endpoints = {row.fault}, set(row.endpoints)
    expected = {fleet.simulation.bridges[number - 1].name: row for number, row in struck.items()}
    problems = await fleet.ask(way, expected)
    if any(row.fault in _KEPT for row in struck.values()):
        await asyncio.sleep(_PAUSE)
        problems += await fleet.ask(way, expected)
    fleet.simulation.switch()
    return problems + [f"afterwards {problem}" for problem in await fleet.ask(way)]


COLUMNS: Final[Mapping[str, tuple[int, Sequence[int]]]] = {
    "alone": (1, (1,)),
    "1 of 20": (20, (1,)),
    "20 of 20": (20, range(1, 21)),
}
"""How many bridges there are, and the numbers of those that have the fault."""


def table(results: Mapping[tuple[Fault, str], Mapping[str, str]], chosen: Sequence[Row]) -> str:
    """The table in Markdown; what is missing in the results is good."""
    lines = [
        "| fault | of | counted | " + " | ".join(COLUMNS) + " |\n",
        "|---|---|---|" + "---|" * len(COLUMNS) + "\n",
    ]
    for row in chosen:
        cells = results.get((row.fault, row.where), {})
        told = " | ".join(cells.get(column, "✓ ✓") for column in COLUMNS)
        lines.append(f"| `{row.fault}` | {row.where} | {row.what} | {told} |\n")
    return "".join(lines)


async def measure(chosen: Sequence[Row], folder: Path) -> dict[tuple[Fault, str], dict[str, str]]:
    """Each cell of the rows: a mark for each way, or what went wrong."""
    results: dict[tuple[Fault, str], dict[str, str]] = {(row.fault, row.where): {} for row in chosen}
    for column, (bridges, struck) in COLUMNS.items():
        async with AsyncExitStack() as stack:
            fleet = await stack.enter_async_context(fleet_of(bridges, folder))
            for row in chosen:
                marks = []
                for way in WAYS:
                    problems = await cell(fleet, dict.fromkeys(struck, row), way)
                    for problem in problems[:3]:
                        print(f"{row.fault} ({row.where}), {column}, {way}: {problem}", file=sys.stderr)
                    marks.append("✗" if problems else "✓")
                    if problems:
                        # What a fault has left behind is no matter of the next one.
                        await stack.aclose()
                        fleet = await stack.enter_async_context(fleet_of(bridges, folder))
                results[row.fault, row.where][column] = " ".join(marks)
    return results


def main() -> int:
    """Print the table; 1 if a cell is bad."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="kinds of faults, separated by commas")
    parser.add_argument("--write", action="store_true", help="put the table into docs/robustness.md")
    options = parser.parse_args()
    only = options.only.split(",") if options.only else list(FAULTS)
    chosen = [row for row in rows() if row.fault in only]
    with tempfile.TemporaryDirectory() as folder:
        results = asyncio.run(measure(chosen, Path(folder)))
    print(table(results, chosen))
    bad = sum(mark.count("✗") for cells in results.values() for mark in cells.values())
    good = sum(mark.count("✓") for cells in results.values() for mark in cells.values())
    print(f"{good} good, {bad} bad; Python {sys.version.split()[0]}, {os.cpu_count()} CPUs")
    if bad:
        return 1
    if options.write:
        write_section(SECTION, table({}, rows()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
