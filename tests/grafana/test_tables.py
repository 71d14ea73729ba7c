"""What tables and bars show once their transformations are done, against what the meters really counted."""

import pytest

from grafana.histories.plan import BEGIN, END, local
from grafana.query import interpolate
from grafana.query.frames import Cell, frames
from grafana.query.transform import transformed
from tests.grafana import boards
from tests.grafana.pasts import Past
from tests.grafana.test_values import CLOSE
from tests.grafana.values import exported, has_export, imported

pytestmark = pytest.mark.end_to_end


def columns(past: Past, uid: str, title: str, moment: float = END) -> dict[str, list[Cell]]:
    """The one table of a panel by the titles of its columns, at a unix time."""
    panel, scenario = boards.panel(uid, title), past.history.scenario
    context = boards.context(boards.boards()[uid], moment, scenario.interval)
    answers = [(query, past.source.run(query)) for query in interpolate.queries(panel, context)]
    [frame] = transformed(frames(answers), panel["transformations"])
    return {field.title: field.values for field in frame.fields}


def numbers(values: list[Cell]) -> list[float]:
    assert all(isinstance(value, float) for value in values)
    return [value for value in values if isinstance(value, float)]


def test_a_bar_of_a_month_is_all_of_it(past: Past) -> None:
    april = local("2026-04-01 00:00:00")
    months = {"2026-03": (BEGIN, april), "2026-04": (april, END)}
    for title, truth in (("Drawn per month", imported), ("Fed in per month", exported)):
        if truth is imported or has_export(past):
            shown = columns(past, "iometer-energy", title)
            found = dict(zip(map(str, shown["Month"]), numbers(shown["Energy"]), strict=True))
            assert found == pytest.approx(
                {name: truth(past, *span) for name, span in months.items()}, rel=CLOSE
            )


def test_the_highest_come_first(past: Past) -> None:
    for uid, title, column, rows in (
        ("iometer-energy", "Days with most drawn", "Energy", 9),
        ("iometer-load", "Highest quarter-hours", "Mean power", 10),
    ):
        found = numbers(columns(past, uid, title)[column])
        assert len(found) == rows
        assert found == sorted(found, reverse=True)
        assert len(set(found)) > 1


def test_the_worst_bridge_comes_first(pasts: dict[str, Past]) -> None:
    """While the first of three does not answer; then while its core is away."""
    past = pasts["three-60s"]
    for moment in (local("2026-03-30 03:10:00"), local("2026-04-02 09:40:00")):
        shown = columns(past, "iometer-fleet", "Bridges, worst first", moment)
        severity = numbers(shown["Severity"])
        assert shown["Bridge"][0] == past.history.scenario.households[0].name
        assert severity[0] >= 50 > max(severity[1:])
        assert len(severity) == 3
