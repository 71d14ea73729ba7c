"""The harness itself: what it takes apart, and that it sees what is wrong."""

from typing import Any

import pytest

from grafana.histories.plan import SCENARIOS
from grafana.query.interpolate import Query
from grafana.query.source import QueryError, Series
from tests.grafana import boards, harness
from tests.grafana.empty import lacking

BOARD: dict[str, Any] = {
    "uid": "board",
    "time": {"from": "now-1h", "to": "now"},
    "templating": {
        "list": [{"name": "job", "type": "query", "multi": True, "current": {"value": ["iometer"]}}]
    },
    "annotations": {"list": [{"name": "Grafana's own"}, {"name": "Restarts", "expr": "changes(x[1h]) > 0"}]},
    "panels": [
        {
            "title": "Power",
            "type": "table",
            "gridPos": {"w": 12},
            "targets": [{"refId": "A", "expr": 'x{bridge="a"}', "instant": True, "format": "table"}],
            "transformations": [{"id": "organize", "options": {"renameByName": {"bridge": "Bridge"}}}],
        }
    ],
}
GOOD = Series({"bridge": "a"}, ((0.0, 1.0),))


class Answers:
    """A Prometheus that gives the same answer to everything."""

    def __init__(self, *series: Series, error: str = "", unlabelled: bool = False) -> None:
        self._series, self._error, self._unlabelled = list(series), error, unlabelled

    def run(self, query: Query) -> list[Series]:
        if self._error:
            raise QueryError(self._error)
        return self._series

    def instant(self, expr: str, time: float) -> list[Series]:
        return [] if self._unlabelled and '!=""' in expr else self._series


def faults(
    monkeypatch: pytest.MonkeyPatch, answers: Answers, board: dict[str, Any] = BOARD
) -> dict[str, str]:
    monkeypatch.setattr(boards, "boards", lambda: {"board": board})
    return harness.faults(answers, SCENARIOS["pv-15s"], "board")  # type: ignore[arg-type]


def test_a_good_answer_has_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    assert faults(monkeypatch, Answers(GOOD)) == {}


@pytest.mark.parametrize(
    ("answers", "text"),
    [
        (Answers(), "no data"),
        (Answers(Series({"bridge": "a"}, ((0.0, float("nan")),))), "nan among the values"),
        (Answers(GOOD, unlabelled=True), "no series of x has the label bridge"),
        (Answers(error="parse error"), "parse error"),
    ],
)
def test_a_bad_answer_is_a_fault(monkeypatch: pytest.MonkeyPatch, answers: Answers, text: str) -> None:
    assert faults(monkeypatch, answers)["board: Power A"] == text


def test_a_lost_column_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    found = faults(monkeypatch, Answers(Series({"name": "a"}, ((0.0, 1.0),))))
    assert found["board: Power"] == "organize names ['bridge'], which are no columns"


def test_a_legend_without_its_label_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    [panel] = BOARD["panels"]
    target = {"refId": "A", "expr": "x", "legendFormat": "{{phase}}"}
    board = BOARD | {"panels": [panel | {"targets": [target], "transformations": []}]}
    assert (
        faults(monkeypatch, Answers(GOOD), board)["board: Power A"]
        == "no label 'phase' for the legend '{{phase}}'"
    )


@pytest.mark.parametrize(
    ("expr", "parts"),
    [
        ("a > 5", ["a"]),
        ("absent(up)", ["up"]),
        ("max_over_time(a[5m]) == 0 and on (x) b != 1 unless c", ["max_over_time(a[5m])", "b", "c"]),
        ("label_replace(a < 1, 'x', 'y', '', '')", ["a"]),
        ("a / -(deriv(b[1h]) < 0)", ["a", "deriv(b[1h])"]),
        ("a > 2 * b", ["a", "2 * b"]),
        ("min_over_time((a > 1)[1h:1m]) > 0", ["min_over_time((a > 1)[1h:1m])"]),
    ],
)
def test_what_an_alert_measures(expr: str, parts: list[str]) -> None:
    assert boards.measured(expr) == parts


@pytest.mark.parametrize(
    ("expr", "empty"),
    [
        ("rate(a[5m])", True),
        ("b + a", True),
        ("b - (a or 0 * b)", False),
        ("b unless a", False),
        ("a unless b", True),
        ("a or a", True),
        ("sum(max_over_time(a[1h:1m]))", True),
        ("b * 2 + time()", False),
    ],
)
def test_what_is_empty_without_a_metric(expr: str, empty: bool) -> None:
    assert (lacking(expr, {"a": "gone"}) == "gone") is empty


def test_the_selectors_of_an_expression() -> None:
    found = boards.selectors('rate(a{x="1"}[5m]) or sum(max_over_time((b > c)[1h:]))')
    assert [one.name for one in found] == ["a", "b", "c"]
