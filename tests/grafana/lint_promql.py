"""Our own rules for the PromQL of the dashboards, on its syntax tree."""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Final

import promql_parser
from promql_parser import (
    AggregateExpr,
    BinaryExpr,
    Call,
    Expr,
    MatchOp,
    MatrixSelector,
    StringLiteral,
    SubqueryExpr,
    VectorSelector,
)

from grafana.query import interpolate
from iometer_exporter.metrics.families import FAMILIES, POWER_DISTRIBUTION
from iometer_exporter.provider.served.families import (
    INSTALLATION_FAMILIES,
    PROVIDER_FAMILIES,
    READING_DELAY,
)
from tests.grafana.boards import children
from tests.grafana.lint import Json, Rule, expressions, panels

_ALL: Final = (*FAMILIES, *PROVIDER_FAMILIES, *INSTALLATION_FAMILIES)

LABELS: Final[Mapping[str, tuple[str, ...]]] = {
    name: tuple({label for family in _ALL if family.name == name for label in family.labels})
    for name in {family.name for family in _ALL}
} | {
    f"{READING_DELAY.name}_bucket": ("le",),
    f"{POWER_DISTRIBUTION.name}_bucket": (*POWER_DISTRIBUTION.labels, "le"),
    "up": (),
    "process_start_time_seconds": (),
    "ALERTS": (
        *("alertname", "alertstate", "severity", "bridge", "name"),
        *("endpoint", "radio", "component", "operation", "reason"),
    ),
}
"""The labels of every metric that a dashboard may ask for, beside job and instance."""

COUNTERS: Final = {family.name for family in _ALL if family.type == "counter"}
OVER_COUNTERS: Final = {"rate", "increase", "resets"}

_RATE_INTERVAL: Final = timedelta(seconds=4242)
_WINDOWS: Final = {
    "$__rate_interval": "4242s",
    "$__interval": "4343s",
    "$__range_s": "4444",
    "$__range": "4545s",
}
"""Lengths that nobody writes, so that they can be told apart in the tree."""

UNITS: Final[Mapping[str, str]] = {
    "_amperes": "amp",
    "_dbm": "suffix:dBm",
    "_duration_seconds": "s",
    "_hertz": "hertz",
    "_joules_total": "watt",
    "_ratio": "percentunit",
    "_volts": "volt",
    "_watts": "watt",
}
"""Grafana's unit for what a metric ends with; joules are rated, or divided and no longer joules."""

PRICES: Final = ("$import_price", "$export_price", "$base_fee")

BARE_COUNTERS: Final = {
    "iometer-energy: Drawn today against yesterday": "two readings, as increase() knows no midnight",
    "iometer-energy: Fed in today against yesterday": "likewise",
}
"""Panels that may use a counter without rate, increase or resets, and why."""

FIXED_WINDOWS: Final = {
    timedelta(minutes=15): "the quarter-hour of demand charges",
    timedelta(hours=1): "the hour of the week or of a cell, and the delay of enough readings",
    timedelta(days=1): "the day of a bar, or the last 24 hours",
    timedelta(seconds=4545): "the whole range as one number",
}
"""Windows of rate, increase and resets beside `$__rate_interval`, and why."""


def parsed(expression: str) -> Expr:
    """The tree, with numbers in place of variables outside of strings."""
    for name, value in _WINDOWS.items():
        expression = expression.replace(name, value)
    return promql_parser.parse(re.sub(r'\$\w+(?=[^"]*(?:"[^"]*"[^"]*)*$)', "1", expression))


def walked(node: Expr, above: tuple[Expr, ...] = ()) -> Iterator[tuple[Expr, tuple[Expr, ...]]]:
    """Every node with those above it, the nearest last."""
    yield node, above
    for child in children(node):
        yield from walked(child, (*above, node))


def selectors(expression: str) -> list[VectorSelector]:
    """Every selector of an expression."""
    return [node for node, _ in walked(parsed(expression)) if isinstance(node, VectorSelector)]


def everywhere(board: Json) -> Iterator[tuple[str, str]]:
    """Every expression, the selectors of variables too."""
    yield from expressions(board)
    for item in board["templating"]["list"]:
        if item["type"] == "query":
            found = interpolate.label_values(item["query"]["query"])
            yield item["name"], found[0] if found else item["query"]["query"]


def metrics_exist(board: Json) -> Iterator[str]:
    """Every metric is in the table of the exporter, or is one that Prometheus makes."""
    for place, expression in everywhere(board):
        for selector in selectors(expression):
            if selector.name not in LABELS:
                yield f"{place}: there is no {selector.name}"


def labels_exist(board: Json) -> Iterator[str]:
    """Every label that is matched, grouped by or joined on is one of the metrics of its expression."""
    for place, expression in everywhere(board):
        tree = parsed(expression)
        known = {"job", "instance"} | set(_made(tree))
        for selector in selectors(expression):
            own = set(LABELS.get(selector.name or "", ()))
            known |= own
            for matcher in selector.matchers.matchers:
                if matcher.name not in own | {"job", "instance"}:
                    yield f"{place}: {selector.name} has no label {matcher.name}"
        for label in _used(tree):
            if label not in known:
                yield f"{place}: no metric there has a label {label}"


def _used(tree: Expr) -> Iterator[str]:
    for node, _ in walked(tree):
        if isinstance(node, AggregateExpr) and node.modifier is not None:
            yield from node.modifier.labels
        if isinstance(node, BinaryExpr) and node.modifier is not None:
            if node.modifier.matching is not None:
                yield from node.modifier.matching.labels
            yield from node.modifier.group_labels or ()


def _made(tree: Expr) -> Iterator[str]:
    """Labels that the expression itself gives."""
    for node, _ in walked(tree):
        if (
            isinstance(node, Call)
            and node.func.name in ("label_join", "label_replace")
            and isinstance(node.args[1], StringLiteral)
        ):
            yield node.args[1].val
        if isinstance(node, AggregateExpr) and isinstance(node.param, StringLiteral):
            yield node.param.val


def matchers_follow_the_variables(board: Json) -> Iterator[str]:
    """Who chooses a bridge sees that bridge alone, in every panel."""
    for place, expression in expressions(board):
        for selector in selectors(expression):
            labels = ("job", "instance", *LABELS.get(selector.name or "", ()))
            found = {
                matcher.name: matcher.value
                for matcher in selector.matchers.matchers
                if matcher.op == MatchOp.Re and matcher.value.startswith("$")
            }
            wanted = {"job", "instance", "bridge", "meter"} & set(labels)
            wanted &= {item["name"] for item in board["templating"]["list"]}
            if "installation" in labels:
                # Of bridges or of a provider's installations, which a dashboard does not choose by name.
                matched = {matcher.name for matcher in selector.matchers.matchers}
                wanted -= {"bridge", "meter"} if "installation" in matched else set()
                if not {"bridge", "installation"} & matched:
                    yield f"{place}: {selector.name} of bridges and of installations"
            for label in wanted:
                # An alert on an exporter has no bridge.
                chosen = f"${label}|" if (selector.name, label) == ("ALERTS", "bridge") else f"${label}"
                if found.get(label) != chosen:
                    yield f'{place}: {selector.name} without {label}=~"{chosen}"'


def counters_are_counted(board: Json) -> Iterator[str]:
    """The value of a counter says nothing by itself, and falls to zero with a new meter."""
    for place, expression in expressions(board):
        for node, above in walked(parsed(expression)):
            if isinstance(node, VectorSelector) and node.name in COUNTERS and not _counted(above):
                yield f"{board['uid']}: {place}: {node.name} without rate, increase or resets"


def _counted(above: tuple[Expr, ...]) -> bool:
    return (
        len(above) > 1
        and isinstance(above[-1], MatrixSelector)
        and isinstance(call := above[-2], Call)
        and call.func.name in OVER_COUNTERS
    )


def rates_fit_the_resolution(board: Json) -> Iterator[str]:
    """A window shorter than two scrapes is empty, one shorter than the step leaves values out."""
    for place, expression in expressions(board):
        for function, window, metric in counted(expression):
            if window not in (_RATE_INTERVAL, *FIXED_WINDOWS):
                yield f"{place}: {function} over {window} of {metric}"


def counted(expression: str) -> Iterator[tuple[str, timedelta, str]]:
    """Each rate, increase and resets: function, window and metric."""
    for node, above in walked(parsed(expression)):
        if not isinstance(node, MatrixSelector) or not isinstance(call := above[-1], Call):
            continue
        if call.func.name in OVER_COUNTERS | {"irate"}:
            yield call.func.name, node.range, node.vector_selector.name or ""


def nothing_stands_in_for_missing(board: Json) -> Iterator[str]:
    """`or vector(0)` would make an outage a zero."""
    for place, expression in expressions(board):
        for node, _ in walked(parsed(expression)):
            if isinstance(node, BinaryExpr) and str(node.op) == "or":
                for side in (node.lhs, node.rhs):
                    if not any(isinstance(inner, VectorSelector) for inner, _ in walked(side)):
                        yield f"{place}: {side.prettify()} stands in for what is missing"


def subqueries_name_their_step(board: Json) -> Iterator[str]:
    """Without a step it is the evaluation interval of the server, whatever that is."""
    for place, expression in expressions(board):
        for node, _ in walked(parsed(expression)):
            if isinstance(node, SubqueryExpr) and not node.step:
                yield f"{place}: a subquery without a step"


def units_are_those_of_the_metrics(board: Json) -> Iterator[str]:
    """Watts as watts, a ratio in percent, joules by 3.6e6 as kWh, with a price as money."""
    for panel in panels(board):
        for target in panel["targets"]:
            wanted, shown = unit_of(target["expr"]), _shown(panel, target["refId"])
            if wanted and shown != wanted:
                yield f"{panel['title']} {target['refId']}: {shown} and not {wanted}"


def unit_of(expression: str) -> str:
    """Grafana's name of the unit of an expression; empty for counts, states and the like."""
    if any(price in expression for price in PRICES):
        return "none"
    tree = parsed(expression)
    if any(_is_share(node) for node, _ in walked(tree)):
        return "percentunit"
    if "/ 3.6e6" in expression:
        return "suffix:kWh"
    calls = {node.func.name for node, _ in walked(tree) if isinstance(node, Call)}
    if calls & {"changes", "deriv", "resets"}:
        return ""
    units = {unit for name in _measured(tree) for suffix, unit in UNITS.items() if name.endswith(suffix)}
    return units.pop() if len(units) == 1 else ""


def _is_share(node: Expr) -> bool:
    """Whether a metric is divided by itself, in another window or as a whole."""
    if not isinstance(node, BinaryExpr) or str(node.op) != "/":
        return False
    calls = {below.func.name for below, _ in walked(node.rhs) if isinstance(below, Call)}
    above, below = (set(_measured(side)) for side in (node.lhs, node.rhs))
    return bool(above & below) and "deriv" not in calls


def money_names_its_currency(board: Json) -> Iterator[str]:
    """In the title, for a unit cannot be a variable."""
    for panel in panels(board):
        is_money = any(price in target["expr"] for target in panel["targets"] for price in PRICES)
        if is_money != ("$currency" in panel["title"]):
            yield f"{panel['title']}: money without its currency, or a currency without money"


def _measured(node: Expr) -> Iterator[str]:
    """The metrics of a tree but for those that only say which series are kept."""
    if isinstance(node, VectorSelector):
        yield node.name or ""
    if isinstance(node, BinaryExpr) and node.modifier is not None and node.modifier.return_bool:
        # It is true or not, in no unit.
        return
    for child in children(node):
        if not (isinstance(node, BinaryExpr) and str(node.op) in ("and", "unless") and child is node.rhs):
            yield from _measured(child)


def _shown(panel: Json, ref: str) -> str:
    """The unit of a query in a panel, or in a column of its own."""
    [*steps] = (step["options"] for step in panel["transformations"] if step["id"] == "organize")
    name = steps[0]["renameByName"].get(f"Value #{ref}") if steps else None
    unit = panel["fieldConfig"]["defaults"]["unit"]
    own = ({"id": "byName", "options": name}, {"id": "byFrameRefID", "options": ref})
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"] in own:
            unit = next((item["value"] for item in override["properties"] if item["id"] == "unit"), unit)
    return str(unit)


def used(board: Json) -> set[str]:
    """The metrics that a dashboard asks for."""
    return {selector.name or "" for _, text in everywhere(board) for selector in selectors(text)}


def place_of(fault: str) -> str:
    """The panel of a fault of `counters_are_counted`, as in `BARE_COUNTERS`."""
    uid, place, *_ = fault.split(": ")
    return f"{uid}: {place[:-2]}"


RULES: Final[tuple[Rule, ...]] = (
    metrics_exist,
    labels_exist,
    matchers_follow_the_variables,
    counters_are_counted,
    rates_fit_the_resolution,
    nothing_stands_in_for_missing,
    subqueries_name_their_step,
    units_are_those_of_the_metrics,
    money_names_its_currency,
)
