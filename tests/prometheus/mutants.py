"""Alerts with one thing wrong, to see that the cases look."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import promql_parser as promql

Rule = dict[str, Any]

_JOINS: Final = {"and", "unless", "or"}
_SPANS: Final = (promql.MatrixSelector, promql.SubqueryExpr)
_COMPARISONS: Final = {"==", "!=", "<", ">", "<=", ">="}


def mutants(rule: Rule) -> Iterator[tuple[str, Rule]]:
    """What was done to the rule, and the rule: never and always true, impatient, each condition dropped."""
    yield "never", rule | {"expr": "vector(0) == 1"}
    yield "always", rule | {"expr": "vector(1)"}
    for patience in ("for", "keep_firing_for"):
        if patience in rule:
            yield f"no {patience}", {key: value for key, value in rule.items() if key != patience}
    tree = promql.parse(rule["expr"])
    for number, node in enumerate(_binaries(tree)):
        operator = str(node.op)
        if operator in _JOINS | _COMPARISONS:
            yield f"without {operator} {node.rhs}", rule | {"expr": _replaced(tree, number, left=True)}
        if operator == "or":
            yield f"without {node.lhs} or", rule | {"expr": _replaced(tree, number, left=False)}


def computed_once(rules: Iterable[Rule]) -> list[Rule]:
    """The same rules, after recording rules for what they compute over spans of time.

    That is what takes time, and mutants of one alert have nearly all of it in common.
    """
    names: dict[str, str] = {}

    def visit(node: promql.Expr) -> promql.Expr | None:
        if not isinstance(node, promql.Call) or not any(isinstance(arg, _SPANS) for arg in node.args):
            return None
        return promql.parse(names.setdefault(str(node), f"computed:{len(names)}"))

    found = [
        rule | {"expr": str(promql.transform(promql.parse(rule["expr"]), pre_visit=visit))} for rule in rules
    ]
    return [*({"record": name, "expr": expr} for expr, name in names.items()), *found]


def _binaries(tree: promql.Expr) -> list[promql.BinaryExpr]:
    found: list[promql.BinaryExpr] = []

    def visit(node: promql.Expr) -> bool:
        if isinstance(node, promql.BinaryExpr):
            found.append(node)
        return True

    promql.walk(tree, pre_visit=visit)
    return found


def _replaced(tree: promql.Expr, number: int, *, left: bool) -> str:
    """The expression with one side of an operation in place of the operation, the one of this number."""
    seen = 0

    def visit(node: promql.Expr) -> promql.Expr | None:
        nonlocal seen
        if not isinstance(node, promql.BinaryExpr):
            return None
        seen += 1
        # In parentheses, as the side's own operations may bind less.
        return promql.parse(f"({node.lhs if left else node.rhs})") if seen == number + 1 else None

    return str(promql.transform(tree, pre_visit=visit))
