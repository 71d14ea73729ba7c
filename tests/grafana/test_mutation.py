"""Proof that the other tests look: what the exporter renames is missed by the queries that want it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

import pytest

from grafana.histories.history import write
from grafana.histories.plan import END, SEED, Event, Household, Scenario
from grafana.histories.server import prometheus_over
from grafana.query.source import Source
from iometer_exporter.metrics import families as metrics
from iometer_exporter.metrics.families import Family
from iometer_exporter.simulator import SimulatedBridge
from tests.grafana import boards
from tests.grafana.boards import Asked
from tests.grafana.empty import lacking
from tests.grafana.harness import faults

pytestmark = pytest.mark.end_to_end

HOURS = 3
SMALL: Final = Scenario(
    "small",
    60,
    (Household("house", 1, ("three-phase", "tariffs")),),
    begin=END - HOURS * 3600,
    events=(Event("unreachable", END - 1200, END - 1100),),
)
"""A few hours, too short for some queries: what counts is which more of them fail."""

METER: Final = SimulatedBridge(1, seed=SEED).meter

METRICS: Final = (
    *(metrics.UP, metrics.ENERGY_IMPORT, metrics.ENERGY_EXPORT, metrics.TARIFF_IMPORT, metrics.POWER),
    *(metrics.PHASE_VOLTAGE, metrics.READING_TIMESTAMP, metrics.CORE_BATTERY, metrics.CORE_RSSI),
    *(metrics.CORE_PIN_STATUS, metrics.BRIDGE_INFO, metrics.SCRAPE_DURATION, metrics.SCRAPE_ERRORS),
)
LABELS: Final = (
    *((metrics.POWER, "bridge"), (metrics.POWER, "meter"), (metrics.PHASE_POWER, "phase")),
    *((metrics.TARIFF_IMPORT, "tariff"), (metrics.CORE_PIN_STATUS, "status")),
    *((metrics.SCRAPE_ERRORS, "reason"), (metrics.BRIDGE_INFO, "bridge_version")),
)


@contextmanager
def changed(family: Family, **changes: Any) -> Iterator[None]:
    """The family with another name or other labels, as if somebody had edited the table."""
    before = {name: getattr(family, name) for name in changes}
    for name, value in changes.items():
        object.__setattr__(family, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            object.__setattr__(family, name, value)


def renamed(family: Family) -> dict[str, Any]:
    head, _, rest = family.name.partition("_")
    return {"name": f"{head}_new_{rest}"}


def relabelled(family: Family, label: str) -> dict[str, Any]:
    return {"labels": tuple(f"new_{one}" if one == label else one for one in family.labels)}


MUTANTS: Final[Mapping[str, tuple[Family, dict[str, Any]]]] = {
    **{family.name: (family, renamed(family)) for family in METRICS},
    **{f"{family.name}-{label}": (family, relabelled(family, label)) for family, label in LABELS},
}


@pytest.fixture(scope="module")
def source(programs: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    """The same hours of the exporter as it is and of every mutant, each in a job of its own."""
    folder = tmp_path_factory.mktemp("mutants")
    history = write(SMALL, folder, "original")
    for name, (family, changes) in MUTANTS.items():
        with changed(family, **changes):
            write(SMALL, folder, name)
    with prometheus_over(history) as server:
        yield Source(server.url)


def missed(source: Source, job: str, about: str = "") -> set[str]:
    """The queries of all dashboards, or those for one metric, that something is wrong with in one job."""
    # A chosen value, as `meter=~".*"` is true without a meter.
    chosen = {"job": [job], "bridge": ["house"], "meter": [METER]}
    return {key for uid in boards.boards() for key in faults(source, SMALL, uid, chosen, about=about)}


def is_blind(source: Source, job: str, alert: str) -> bool:
    """Whether some part of the alert looks at nothing, asked of one job."""
    [rule] = [rule for rule in boards.rules() if rule.alert == alert]
    parts = [part.replace('job="iometer"', f'job="{job}"') for part in boards.measured(rule.expr)]
    return not all(source.instant(part, SMALL.end) for part in parts)


@cache
def asked() -> list[Asked]:
    """All that the dashboards ask."""
    return [
        one
        for board in boards.boards().values()
        for one in boards.asked(board, boards.context(board, SMALL.end, SMALL.interval))
    ]


@pytest.fixture(scope="module")
def unchanged(source: Source) -> set[str]:
    """The queries that this history is too short for."""
    return missed(source, "original")


@pytest.mark.parametrize("family", METRICS, ids=lambda family: str(family.name))
def test_every_query_of_a_renamed_metric_fails(source: Source, unchanged: set[str], family: Family) -> None:
    wanting = {one.key for one in asked() if lacking(one.query.expr, {family.name: "renamed"})}
    assert wanting - unchanged
    assert missed(source, family.name, family.name) >= wanting


@pytest.mark.parametrize(
    ("family", "label"), LABELS, ids=[f"{family.name}-{label}" for family, label in LABELS]
)
def test_a_renamed_label_is_missed(source: Source, unchanged: set[str], family: Family, label: str) -> None:
    assert missed(source, f"{family.name}-{label}", family.name) - unchanged


@pytest.mark.parametrize(
    ("family", "alert"),
    [
        (metrics.UP, "BridgeUnreachable"),
        (metrics.READING_TIMESTAMP, "ClockSkew"),
        (metrics.CORE_BATTERY, "BatteryLow"),
        (metrics.CORE_PIN_STATUS, "MeterPinMissing"),
        (metrics.CORE_RSSI, "WeakSignal"),
        (metrics.POWER, "PowerHigh"),
        (metrics.ENERGY_IMPORT, "CounterStuck"),
        (metrics.BRIDGE_INFO, "FirmwareMismatch"),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_an_alert_on_a_renamed_metric_is_blind(source: Source, family: Family, alert: str) -> None:
    assert is_blind(source, family.name, alert)
    # The history is too short for one of them.
    assert is_blind(source, "original", alert) == (alert == "CounterStuck")
