"""What Grafana's own code makes of panels and of the answers to their queries, run in node."""

import json
import math
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import pytest

from grafana.histories.plan import ZONE
from grafana.query.interpolate import Query, legend
from grafana.query.source import Series
from tests.conftest import IN_CI, require_program
from tests.grafana.judge.packages import HERE, modules

Json = dict[str, Any]
Cell = float | str | None

VERSIONS: Final = tuple(
    name for name in json.loads((HERE / "package.json").read_text())["dependencies"] if "grafana-" in name
)
"""The versions of Grafana that judge, by the names of their packages: the oldest first."""

_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Asked:
    """A panel, and what Prometheus answered to its queries."""

    panel: Json
    answers: list[tuple[Query, list[Series]]]


@dataclass(frozen=True, slots=True)
class Field:
    """A column or a curve in the end, with what is displayed of it: of a curve the last value, of a
    timeline each change; colours are left out where a palette gives them.
    """

    title: str
    type: str
    values: list[Cell]
    texts: list[str]
    colors: list[str | None]


@dataclass(frozen=True, slots=True)
class Stat:
    """One of the big numbers of a panel; its change is a ratio, if it shows one."""

    title: str
    text: str
    color: str
    change: float | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a panel shows: its frames in the end, its big numbers, and the overrides that are for nothing."""

    frames: list[list[Field]]
    stats: list[Stat]
    unmatched: list[Json]
    histogram: dict[str, list[float]]

    @property
    def columns(self) -> dict[str, Field]:
        """The fields of the one frame by their titles, in their order."""
        [fields] = self.frames
        return {field.title: field for field in fields}


def require_packages() -> None:
    """Skips the test where node or Grafana's packages are missing, and fails it in CI."""
    require_program("node")
    if not modules().exists():
        message = "Grafana's packages are not installed: python3 tests/grafana/judge/packages.py"
        if IN_CI:
            pytest.fail(message)
        pytest.skip(message)


def judge(asked: Sequence[Asked], now: float) -> dict[str, list[Verdict]]:
    """What each version makes of each panel, seen in Berlin at a unix time."""
    panels = [{"panel": one.panel, "frames": _frames(one.answers)} for one in asked]
    text = json.dumps({"now": now * 1000, "zone": ZONE.key, "panels": panels})
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(VERSIONS, pool.map(partial(_judged, text), VERSIONS), strict=True))


def _judged(text: str, version: str) -> list[Verdict]:
    command = ["node", str(HERE / "judge.cjs"), str(modules()), version]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [
        Verdict(
            frames=[[Field(**field) for field in frame] for frame in result["frames"]],
            stats=[Stat(**one) for one in result["stats"]],
            unmatched=result["unmatched"],
            histogram=result["histogram"],
        )
        for result in json.loads(done.stdout)
    ]


def _frames(answers: Sequence[tuple[Query, list[Series]]]) -> list[Json]:
    """The answers as Grafana's Prometheus data source gives them."""
    found: list[Json] = []
    tables = sum(query.format == "table" for query, _ in answers)
    for query, answer in answers:
        if query.format == "table":
            found.append(_table(query, answer, "Value" if tables == 1 else f"Value #{query.ref}"))
        elif query.format == "heatmap" and answer:
            found.append(_rows(query, answer))
        else:
            found += [_series(query, one) for one in answer]
    return found


def _series(query: Query, series: Series) -> Json:
    times = _field("Time", "time", [time * 1000 for time, _ in series.samples])
    values = _field(
        "Value", "number", [None if math.isnan(value) else value for _, value in series.samples]
    ) | {
        "labels": dict(series.labels),
        "config": {"displayNameFromDS": legend(query.legend, series.labels)},
    }
    return {"refId": query.ref, "fields": [times, values]}


def _rows(query: Query, answer: list[Series]) -> Json:
    """One frame with a row for each bucket, the lowest first, without what is in the one below it too."""
    times, *_ = {tuple(time for time, _ in series.samples) for series in answer}
    fields, below = [], [0.0] * len(times)
    for series in sorted(answer, key=lambda one: float(one.labels["le"])):
        # As Grafana does, by the places of points and not by their times.
        values = [value for _, value in series.samples]
        counts = [max(high - low, 0.0) for high, low in zip(values, below, strict=True)]
        name = legend(query.legend, series.labels)
        fields.append(
            _field(name, "number", counts)
            | {"labels": dict(series.labels), "config": {"displayNameFromDS": name}}
        )
        below = values
    return {
        "refId": query.ref,
        "meta": {"type": "heatmap-rows"},
        "fields": [_field("Time", "time", [time * 1000 for time in times]), *fields],
    }


def _table(query: Query, answer: list[Series], value: str) -> Json:
    if not answer:
        return {"refId": query.ref, "fields": []}
    labels = sorted({label for series in answer for label in series.labels})
    rows = sorted(
        ((time, number, series.labels) for series in answer for time, number in series.samples),
        key=lambda row: row[0],
    )
    times = _field("Time", "time", [time * 1000 for time, _, _ in rows])
    texts = [_field(label, "string", [own.get(label, "") for _, _, own in rows]) for label in labels]
    numbers = _field(value, "number", [number for _, number, _ in rows])
    return {"refId": query.ref, "fields": [times, *texts, numbers]}


def _field(name: str, kind: str, values: Sequence[Cell]) -> Json:
    return {"name": name, "type": kind, "config": {}, "values": list(values)}
