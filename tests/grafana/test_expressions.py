"""Every expression of every dashboard and rule, executed against a real Prometheus in every scenario."""

import math
import time
from collections.abc import Iterator

import pytest
from promql_parser import MatchOp, VectorSelector

from grafana.board import ALONE
from grafana.histories.plan import END
from grafana.query.source import Source
from tests.grafana import boards
from tests.grafana.empty import EMPTY, LIVE_ABSENT, reason
from tests.grafana.harness import faults
from tests.grafana.pasts import Past
from tests.waiting import eventually

pytestmark = pytest.mark.end_to_end

BOARDS = sorted(set(boards.boards()) - {f"iometer-{ALONE}"})
"""Those about bridges; test_provider.py has the other."""


@pytest.mark.parametrize("uid", BOARDS)
def test_every_panel_and_annotation_has_data(past: Past, uid: str) -> None:
    assert faults(past.source, past.history.scenario, uid) == {}


@pytest.mark.parametrize("uid", BOARDS)
@pytest.mark.parametrize("bridges", [["house"], ["house", "barn"]], ids=["one", "two"])
def test_every_panel_has_data_for_chosen_bridges(
    pasts: dict[str, Past], uid: str, bridges: list[str]
) -> None:
    """Chosen values are written into an expression in another way than All."""
    past = pasts["three-60s"]
    history = past.history
    meters = [history.truths[bridge].meter for bridge in bridges]
    chosen = {"job": ["iometer"], "instance": [history.scenario.instance], "bridge": bridges, "meter": meters}
    assert faults(past.source, history.scenario, uid, chosen) == {}


@pytest.mark.parametrize("uid", BOARDS)
def test_every_variable_offers_what_is_there(past: Past, uid: str) -> None:
    board = boards.boards()[uid]
    scenario = past.history.scenario
    context = boards.context(board, scenario.end, scenario.interval)
    there = {
        "job": ["iometer"],
        "instance": [scenario.instance],
        "bridge": sorted(household.name for household in scenario.households),
        "meter": sorted(truth.meter for truth in past.history.truths.values()),
    }
    offered = {
        item["name"]: sorted(boards.variable_values(item, context, past.source))
        for item in board["templating"]["list"]
        if item["type"] == "query"
    }
    assert offered
    assert offered == {name: there[name] for name in offered}


RULES = boards.rules()


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.record], ids=lambda rule: str(rule.record))
def test_every_recording_rule_has_data(past: Past, rule: boards.Rule) -> None:
    scenario = past.history.scenario
    answer = past.source.instant(rule.expr, scenario.end)
    why = reason(rule.expr, scenario.name)
    assert bool(answer) == (why is None), why
    assert all(math.isfinite(series.last) for series in answer)
    assert all("bridge" in series.labels for series in answer)


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.alert], ids=lambda rule: str(rule.alert))
def test_every_alert_is_quiet_and_looks_at_data(past: Past, rule: boards.Rule) -> None:
    scenario = past.history.scenario
    assert past.source.instant(rule.expr, scenario.end) == []
    parts = boards.measured(rule.expr)
    assert parts
    for part in parts:
        answer = past.source.instant(part, scenario.end)
        why = reason(part, scenario.name)
        assert bool(answer) == (why is None), f"{part}: {why}"
        assert all(math.isfinite(series.last) for series in answer), part


def test_the_table_of_what_is_empty_names_what_is_there() -> None:
    known = {
        one.key
        for board in boards.boards().values()
        for one in boards.asked(board, boards.context(board, END, 60.0))
    }
    assert known >= EMPTY.keys()


def everything(moment: float) -> Iterator[str]:
    """All expressions of dashboards (opened at a unix time) and rules."""
    for board in boards.boards().values():
        for one in boards.asked(board, boards.context(board, moment, 1.0)):
            yield one.query.expr
    for rule in RULES:
        yield rule.expr


def positive(selector: VectorSelector) -> str:
    """The selector without what it leaves out: a state that nobody knows is what no simulator has."""
    kept = [str(one) for one in selector.matchers.matchers if one.op not in (MatchOp.NotEqual, MatchOp.NotRe)]
    return f"{selector.name}{{{','.join(kept)}}}"


def test_the_living_exporter_serves_all_that_is_selected(live: Source) -> None:
    """No expression fails there, and every selector finds series of the real process."""
    eventually(lambda: live.instant("count_over_time(iometer_up[1m]) >= 4", time.time()))
    now = time.time()
    expressions = set(everything(now))
    for expr in expressions:
        live.instant(expr, now)
    selectors = {positive(one): one.name for expr in expressions for one in boards.selectors(expr)}
    missing = [
        text for text, name in selectors.items() if name not in LIVE_ABSENT and not live.instant(text, now)
    ]
    assert missing == []
    assert not [name for name in LIVE_ABSENT if live.instant(name, now)]
