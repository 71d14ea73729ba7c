"""The committed dashboards and rules, taken apart into everything that asks Prometheus."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import promql_parser
from promql_parser import (
    AggregateExpr,
    BinaryExpr,
    Call,
    Expr,
    MatrixSelector,
    NumberLiteral,
    ParenExpr,
    StringLiteral,
    SubqueryExpr,
    UnaryExpr,
    VectorSelector,
)

from grafana.histories.plan import ZONE
from grafana.query import interpolate
from grafana.query.interpolate import Context, Query
from grafana.query.source import Source
from tests import yamlfiles

Json = dict[str, Any]

ROOT: Final = Path(__file__).parent.parent.parent
RULE_FILES: Final = ("recording.yml", "alerts.yml")

_COMPARISONS: Final = {"==", "!=", "<", "<=", ">", ">="}
_SETS: Final = {"and", "or", "unless"}


@cache
def boards(language: str = "en") -> dict[str, Json]:
    """The dashboards of a language by uid."""
    found = [
        json.loads(path.read_text()) for path in sorted((ROOT / "grafana/dashboards" / language).glob("*"))
    ]
    return {board["uid"]: board for board in found}


def panel(uid: str, title: str) -> Json:
    """The panel of a title."""
    [found] = [panel for panel in interpolate.panels(boards()[uid]) if panel["title"] == title]
    return found


def context(
    board: Json,
    now: float,
    scrape_interval: float,
    chosen: Mapping[str, Sequence[str]] | None = None,
) -> Context:
    """A dashboard as somebody opens it whose Grafana has Berlin as the default time zone."""
    time = board["time"]
    variables = interpolate.variables(board, chosen)
    default = board.get("timezone", "") == ""
    return Context(now, ZONE, scrape_interval, time["from"], time["to"], variables, zone_chosen=default)


@dataclass(frozen=True, slots=True)
class Asked:
    """A query and where it stands: its dashboard, its panel (or annotation), its target."""

    board: str
    place: str
    query: Query

    @property
    def key(self) -> str:
        """What names it in a table, as `iometer-home: Battery A`."""
        return f"{self.board}: {self.place} {self.query.ref}".rstrip()


def asked(board: Json, context: Context) -> Iterator[Asked]:
    """All that a dashboard asks: panels and annotations."""
    for panel in interpolate.panels(board):
        for query in interpolate.queries(panel, context):
            yield Asked(board["uid"], panel["title"], query)
    for item in board.get("annotations", {}).get("list", []):
        if "expr" in item:
            yield Asked(board["uid"], item["name"], interpolate.annotation(item, context))


def variable_values(item: Json, context: Context, source: Source) -> list[str]:
    """What a query variable offers."""
    text = interpolate.interpolate(_variable_query(item), context, context.range)
    parsed = interpolate.label_values(text)
    assert parsed is not None, f"{text} is no label_values(…)"
    return source.label_values(*parsed, context.range.begin, context.range.end)


def _variable_query(item: Json) -> str:
    query = item["query"]
    return str(query["query"] if isinstance(query, dict) else query)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a file of Prometheus; `record` is empty for an alert, and the other way round."""

    expr: str
    record: str = ""
    alert: str = ""


def rules() -> list[Rule]:
    """All rules of all files."""
    documents = [yamlfiles.load((ROOT / "prometheus" / name).read_text()) for name in RULE_FILES]
    return [
        Rule(rule["expr"], rule.get("record", ""), rule.get("alert", ""))
        for document in documents
        for group in document["groups"]
        for rule in group["rules"]
    ]


def measured(expr: str) -> list[str]:
    """What an alert compares: the sides of its comparisons, without numbers; what `absent` looks for."""
    return [node.prettify() for node in _measured(promql_parser.parse(expr))]


def _measured(node: Expr) -> Iterator[Expr]:
    if isinstance(node, NumberLiteral | StringLiteral):
        return
    if isinstance(node, BinaryExpr) and str(node.op) in _SETS | _COMPARISONS:
        parts = [node.lhs, node.rhs]
    elif isinstance(node, Call) and node.func.name in ("absent", "absent_over_time"):
        parts = list(node.args)
    elif any(isinstance(inner, BinaryExpr) and str(inner.op) in _COMPARISONS for inner in _within(node)):
        parts = list(children(node))
    else:
        yield node
        return
    for part in parts:
        yield from _measured(part)


def _within(node: Expr) -> Iterator[Expr]:
    """All that an expression consists of; a subquery is one thing, as its past is looked at only there."""
    yield node
    if not isinstance(node, SubqueryExpr):
        for child in children(node):
            yield from _within(child)


def children(node: Expr) -> Iterator[Expr]:
    """What an expression is made of, down to its selectors."""
    if isinstance(node, BinaryExpr):
        yield from (node.lhs, node.rhs)
    elif isinstance(node, Call):
        yield from node.args
    elif isinstance(node, AggregateExpr | ParenExpr | UnaryExpr | SubqueryExpr):
        yield node.expr
    elif isinstance(node, MatrixSelector):
        yield node.vector_selector


def selectors(expr: str) -> Iterator[VectorSelector]:
    """Every selector in an expression, those in subqueries too."""
    found: list[VectorSelector] = []

    def visit(node: Expr) -> bool:
        if isinstance(node, VectorSelector):
            found.append(node)
        return True

    promql_parser.walk(promql_parser.parse(expr), visit)
    return iter(found)
