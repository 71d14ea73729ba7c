"""Asks everything that a dashboard asks, and says what is wrong with the answers."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from grafana.histories.plan import Scenario
from grafana.query import interpolate
from grafana.query.interpolate import Context, Query
from grafana.query.source import QueryError, Series, Source
from tests.grafana import boards
from tests.grafana.empty import reason

Json = dict[str, Any]


def faults(
    source: Source,
    scenario: Scenario,
    uid: str,
    chosen: Mapping[str, Sequence[str]] | None = None,
    *,
    about: str = "",
) -> dict[str, str]:
    """What is wrong with a dashboard at the end of a scenario's history, by query or panel.

    With `about`, the name of a metric, only what asks for it is looked at.
    """
    board = boards.boards()[uid]
    context = boards.context(board, scenario.end, scenario.interval, chosen)
    inspector = _Inspector(source, scenario, context)
    found = {}
    for panel in interpolate.panels(board):
        if not any(about in target["expr"] for target in panel["targets"]):
            continue
        answers = []
        for query in interpolate.queries(panel, context):
            key = f"{uid}: {panel['title']} {query.ref}"
            found[key], answer = inspector.inspect(key, query)
            answers.append((query, answer))
        found[f"{uid}: {panel['title']}"] = inspector.lost_columns(panel, answers)
    for item in board["annotations"]["list"]:
        if "expr" in item and about in item["expr"]:
            key = f"{uid}: {item['name']}"
            found[key], _ = inspector.inspect(key, interpolate.annotation(item, context))
    assert found or about
    return {key: text for key, text in found.items() if text}


class _Inspector:
    def __init__(self, source: Source, scenario: Scenario, context: Context) -> None:
        self._source = source
        self._scenario = scenario
        self._context = context
        self._job = context.variables["job"].text()
        self._known: dict[tuple[str, str], bool] = {}

    def inspect(self, key: str, query: Query) -> tuple[str, list[Series]]:
        """What is wrong with the answer to a query, and the answer."""
        try:
            answer = self._source.run(query)
        except QueryError as error:
            return str(error), []
        if why := reason(query.expr, self._scenario.name, key):
            return f"has data although {why}" if answer else "", answer
        return _fault(query, answer) or self._lost_label(query), answer

    def lost_columns(self, panel: Json, answers: list[tuple[Query, list[Series]]]) -> str:
        """The columns that the transformations of a panel name and that the answers do not have."""
        if not any(answer for _, answer in answers):
            return ""
        labels = [series.labels for _, answer in answers for series in answer]
        known = {"Time", "Value", *(f"Value #{query.ref}" for query, _ in answers)}
        known |= {text for own in labels for pair in own.items() for text in pair}
        for step in panel.get("transformations", []):
            if lost := set(_named(step)) - known:
                return f"{step['id']} names {sorted(lost)}, which are no columns"
            known |= set(_made(step))
        return ""

    def _lost_label(self, query: Query) -> str:
        """A label that a matcher wants and that no series has: `status!="x"` is true without it."""
        for one in boards.selectors(query.expr):
            for matcher in one.matchers.matchers:
                if not self._has(one.name or "", matcher.name):
                    return f"no series of {one.name} has the label {matcher.name}"
        return ""

    def _has(self, name: str, label: str) -> bool:
        key = (name, label)
        if key not in self._known:
            series = f'{name}{{job=~"{self._job}",{label}!=""}}'
            # Where a metric is absent as a whole, the alternative that the query has is looked at.
            any_series = f'{name}{{job=~"{self._job}"}}'
            self._known[key] = bool(
                self._source.instant(series, self._scenario.end)
                or not self._source.instant(any_series, self._scenario.end)
            )
        return self._known[key]


def _fault(query: Query, answer: list[Series]) -> str:
    if not answer:
        return "no data"
    values = [value for series in answer for _, value in series.samples]
    if not all(map(math.isfinite, values)):
        return f"{next(value for value in values if not math.isfinite(value))} among the values"
    for label in interpolate.placeholders(query.legend):
        if not all(series.labels.get(label) for series in answer):
            return f"no label {label!r} for the legend {query.legend!r}"
    return ""


def _named(step: Json) -> Iterator[str]:
    """The fields that a transformation names."""
    options = step["options"]
    if step["id"] == "organize":
        yield from options["renameByName"]
    elif step["id"] == "sortBy":
        yield from (rule["field"] for rule in options["sort"])
    elif step["id"] == "groupingToMatrix":
        yield from (options[f"{part}Field"] for part in ("row", "column", "value"))


def _made(step: Json) -> Iterator[str]:
    """The fields that a transformation makes."""
    options = step["options"]
    if step["id"] == "organize":
        yield from options["renameByName"].values()
    elif step["id"] == "reduce":
        yield from ("Field", "Total")
    elif step["id"] == "groupingToMatrix":
        yield f"{options['rowField']}\\{options['columnField']}"
