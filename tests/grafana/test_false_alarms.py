"""Nearly nine days of a normal house: alerts for what really happened in them, and for nothing else."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pytest

from grafana.histories.plan import Event
from grafana.query.source import Series
from prometheus.build import ALERTS
from prometheus.rules import HOUR, MINUTE, Alert, Settings, document
from tests.grafana.pasts import Past

pytestmark = pytest.mark.end_to_end

TOLD: Final = {
    ("ExporterDown", "exporter-off"),
    ("BridgeUnreachable", "unreachable"),
    ("ReadingsRejected", "replay"),
    ("ReadingsRejected", "meter-reset"),
}
"""The alert, and what it is about. The core is away for 15 minutes only, and the firmware update is quick."""

_POINTS: Final = 10_000
"""Prometheus answers with at most 11 000 for one series."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alert that fired, for which bridge (none: for the exporter), and when it was first true."""

    alert: str
    bridge: str
    begin: float


def alarms(past: Past) -> Iterator[Alarm]:
    """All that fires in a history, as Prometheus would have evaluated it."""
    for group, content in zip(ALERTS, document(ALERTS, Settings())["groups"], strict=True):
        step = group.interval or MINUTE
        for alert, rule in zip(group.rules, content["rules"], strict=True):
            assert isinstance(alert, Alert)
            for labels, begin, end in _true(past, rule["expr"], step):
                if end - begin >= alert.after:
                    yield Alarm(alert.name, labels.get("bridge", ""), begin)


def _true(past: Past, expr: str, step: float) -> Iterator[tuple[dict[str, str], float, float]]:
    """Labels, begin and end of each time in which the expression was true without a break."""
    scenario = past.history.scenario
    begin, times = scenario.begin, dict[tuple[tuple[str, str], ...], list[float]]()
    while begin < scenario.end:
        end = min(scenario.end, begin + _POINTS * step)
        for series in past.source.range(expr, begin, end, step):
            times.setdefault(_key(series), []).extend(time for time, _ in series.samples)
        begin = end + step
    for key, found in times.items():
        first = last = found[0]
        for time in [*found[1:], float("inf")]:
            if time - last > 1.5 * step:
                yield dict(key), first, last
                first = time
            last = time


def _key(series: Series) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(series.labels.items()))


def test_nothing_fires_but_for_what_happened(past: Past) -> None:
    scenario = past.history.scenario

    def reasons(alarm: Alarm) -> Iterator[Event]:
        for event in scenario.events:
            own = alarm.bridge in ("", scenario.households[event.bridge - 1].name)
            soon = event.begin <= alarm.begin <= min(event.end, event.begin + HOUR)
            if own and soon and (alarm.alert, event.kind) in TOLD:
                yield event

    found = {alarm: [event.kind for event in reasons(alarm)] for alarm in alarms(past)}
    assert [alarm for alarm, kinds in found.items() if not kinds] == []
    assert {(alarm.alert, kind) for alarm, kinds in found.items() for kind in kinds} == TOLD
