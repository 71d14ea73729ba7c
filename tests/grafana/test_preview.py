"""The pictures of the dashboards show what Prometheus answered, and say what they are."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from matplotlib.image import imread

from grafana import preview
from grafana.drawing import theme
from grafana.drawing.board import NOTICE
from grafana.drawing.canvas import Box, Canvas, fitting, shortened, text_width
from grafana.drawing.display import colour_of, configure, text_of
from grafana.drawing.page import time_ticks
from grafana.drawing.units import formatted
from grafana.histories.plan import END, SCENARIOS, ZONE, local
from grafana.query.frames import Field, Frame, frames
from grafana.query.interpolate import Query
from grafana.query.source import QueryError, Series
from grafana.query.timerange import TimeRange
from grafana.query.transform import transformed
from tests.conftest import require_program
from tests.grafana.pasts import Past


@pytest.mark.parametrize(
    ("value", "unit", "decimals", "text"),
    [
        (375.0, "watt", None, "375 W"),
        (1117.0, "watt", None, "1.12 kW"),
        (-5150.0, "watt", None, "-5.15 kW"),
        (0.0, "watt", None, "0 W"),
        (16.3709, "kwatth", 2, "16.37 kWh"),
        (0.25, "kwatth", None, "250 Wh"),
        (1234.5, "kwatth", 2, "1.23 MWh"),
        (231.4, "volt", None, "231 V"),
        (50.0, "hertz", 2, "50.00 Hz"),
        (0.51, "percentunit", None, "51%"),
        (10.814, "currencyEUR", 2, "€10.81"),
        (-1234.5, "currencyEUR", 2, "-€1.23K"),
        (-84.0, "dBm", None, "-84 dBm"),
        (0.0763, "s", None, "76.3 ms"),
        (41.0, "s", None, "41 s"),
        (0.0, "s", None, "0 s"),
        (330.0, "s", None, "5.50 mins"),
        (7200.0, "s", None, "2 hours"),
        (23.0, "d", 1, "3.3 weeks"),
        (1500.0, "short", None, "1.50 K"),
        (12.0, "suffix: days", 0, "12 days"),
        (3.0, "none", None, "3"),
        (-0.001, "none", 2, "0.00"),
        (float("inf"), "none", None, "inf"),
        (0.25, "cpm", None, "0.250 c/m"),
    ],
)
def test_a_value_in_its_unit(value: float, unit: str, decimals: int | None, text: str) -> None:
    assert formatted(value, unit, decimals) == text


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (5, "a few seconds ago"),
        (60, "a minute ago"),
        (600, "10 minutes ago"),
        (3600, "an hour ago"),
        (50_000, "14 hours ago"),
        (100_000, "a day ago"),
        (864_000, "10 days ago"),
        (-600, "in 10 minutes"),
    ],
)
def test_how_long_ago(ago: float, text: str) -> None:
    assert formatted((END - ago) * 1000, "dateTimeFromNow", now=END) == text


def test_a_date_is_that_of_the_viewer() -> None:
    late = local("2026-04-05 00:30:00") * 1000
    assert formatted(late, "time:YYYY-MM-DD", zone=ZONE) == "2026-04-05"
    assert formatted(late, "dateTimeAsIso", zone=ZONE) == "2026-04-05 00:30:00"


def series(values: list[float], step: float = 60, **labels: str) -> Series:
    return Series(labels, tuple((number * step, value) for number, value in enumerate(values)))


def query(kind: Any = "range", **options: Any) -> Query:
    return Query("x", kind, 0, 600, 60, **options)


def test_a_gap_in_a_series_is_a_gap_in_the_line() -> None:
    holed = Series({}, ((0.0, 1.0), (60.0, 2.0), (240.0, 3.0)))
    [frame] = frames([(query(), [holed])])
    assert frame.fields[1].values == [1.0, 2.0, None, 3.0]
    assert frame.times == [0.0, 60.0, 180.0, 240.0]


def test_a_table_has_a_column_for_each_label_and_query() -> None:
    answers = [
        (
            query("instant", format="table", ref="A"),
            [series([1.0], bridge="house"), series([2.0], bridge="barn")],
        ),
        (query("instant", format="table", ref="B"), [series([7.0], bridge="barn")]),
    ]
    [merged] = transformed(frames(answers), [{"id": "merge", "options": {}}])
    columns = {one.name: one.values for one in merged.fields}
    assert columns == {
        "Time": [0.0, 0.0],
        "bridge": ["house", "barn"],
        "Value #A": [1.0, 2.0],
        "Value #B": [None, 7.0],
    }
    organize = {
        "excludeByName": {"Time": True},
        "indexByName": {"Value #B": 0, "bridge": 1},
        "renameByName": {"bridge": "Bridge"},
    }
    steps = [
        {"id": "organize", "options": organize},
        {"id": "sortBy", "options": {"sort": [{"field": "Value #A", "desc": True}]}},
        {"id": "limit", "options": {"limitField": 1}},
    ]
    [organised] = transformed([merged], steps)
    assert [(one.title, one.values) for one in organised.fields] == [
        ("Value #B", [7.0]),
        ("Bridge", ["barn"]),
        ("Value #A", [2.0]),
    ]


def test_a_matrix_and_a_row_for_each_series() -> None:
    rows = Frame(
        "A",
        [Field("day", ["1", "2", "1"]), Field("hour", ["00", "00", "01"]), Field("Value", [5.0, 6.0, 7.0])],
    )
    options = {"rowField": "hour", "columnField": "day", "valueField": "Value"}
    [matrix] = transformed([rows], [{"id": "groupingToMatrix", "options": options}])
    assert [(one.name, one.values) for one in matrix.fields] == [
        ("hour\\day", ["00", "01"]),
        ("1", [5.0, 7.0]),
        ("2", [6.0, None]),
    ]
    answers = [
        (query(legend="{{bridge}}"), [series([1.0, 2.0], bridge="house"), series([5.0], bridge="barn")])
    ]
    [reduced] = transformed(frames(answers), [{"id": "reduce", "options": {"reducers": ["sum", "max"]}}])
    assert [(one.title, one.values) for one in reduced.fields] == [
        ("Field", ["house", "barn"]),
        ("Total", [3.0, 5.0]),
        ("Max", [2.0, 5.0]),
    ]


THRESHOLDS = {
    "steps": [
        {"color": "red", "value": None},
        {"color": "yellow", "value": 0.1},
        {"color": "#00ff00", "value": 0.2},
    ]
}


def test_colours_by_threshold_override_and_mapping() -> None:
    defaults = {
        "unit": "percentunit",
        "thresholds": THRESHOLDS,
        "mappings": [
            {"type": "value", "options": {"0": {"text": "Down", "color": "blue"}}},
            {"type": "range", "options": {"from": 5, "to": None, "result": {"text": "Many"}}},
            {"type": "special", "options": {"match": "null", "result": {"text": "Unknown"}}},
        ],
    }
    fixed = {"id": "color", "value": {"mode": "fixed", "fixedColor": "purple"}}
    override = {
        "matcher": {"id": "byFrameRefID", "options": "B"},
        "properties": [fixed, {"id": "custom.width", "value": 9}],
    }
    found = frames([(query(ref="A"), [series([0.5])]), (query(ref="B"), [series([0.5])])])
    configure(found, {"defaults": defaults, "overrides": [override]})
    first, second = (frame.fields[1] for frame in found)
    assert [colour_of(first, value) for value in (0.05, 0.15, 0.5, 0.0)] == [
        theme.colour("red"),
        theme.colour("yellow"),
        "#00ff00",
        theme.colour("blue"),
    ]
    assert [text_of(first, value, 0, None) for value in (0.0, 0.5, 7.0, None)] == [
        "Down",
        "50%",
        "Many",
        "Unknown",
    ]
    assert colour_of(second, 0.5) == theme.colour("purple")
    assert second.config["custom"] == {"width": 9}


def test_colours_on_a_scale() -> None:
    one = Field("v", [0.0, 50.0, 100.0], config={"color": {"mode": "continuous-GrYlRd"}})
    shown = [colour_of(one, value, 0.0, 100.0) for value in (0.0, 50.0, 100.0)]
    assert shown == [theme.colour("green"), theme.colour("yellow"), theme.colour("red")]
    assert theme.colour("dark-red") != theme.colour("red")
    assert (theme.readable_on("#fade2a"), theme.readable_on("#0a437c")) == ("#111111", "#ffffff")


def test_a_matcher_that_is_not_known_is_an_error() -> None:
    override = {"matcher": {"id": "byValue", "options": 1}, "properties": []}
    with pytest.raises(NotImplementedError, match="byValue"):
        configure(frames([(query(), [series([1.0])])]), {"overrides": [override]})


def test_texts_fit() -> None:
    assert text_width("wide words", 20) == pytest.approx(2 * text_width("wide words", 10))
    cut = shortened("a long title of a panel", 12, 60)
    assert cut.endswith("…")
    assert text_width(cut, 12) <= 60
    assert shortened("short", 12, 600) == "short"
    assert fitting(["1.23 kW"], 100, 400, largest=56) * text_width("1.23 kW", 1) == pytest.approx(100)
    box = Box(10, 20, 300, 100)
    assert [part.x for part in box.columns(3)] == [10, 110, 210]
    assert box.inner(left=5, top=5) == Box(15, 25, 295, 95)


@pytest.mark.parametrize(
    ("begin", "end", "first", "names"),
    [
        ("2026-04-05 13:42:07", "2026-04-05 19:42:07", "2026-04-05 14:00:00", ["14:00", "15:00", "16:00"]),
        ("2026-03-29 19:42:07", "2026-04-05 19:42:07", "2026-03-30 00:00:00", ["03/30", "03/31", "04/01"]),
        ("2026-03-27 19:42:07", "2026-04-01 19:42:07", "2026-03-28 00:00:00", ["03/28", "03/29", "03/30"]),
    ],
)
def test_the_ticks_of_time_are_round_for_the_viewer(
    begin: str, end: str, first: str, names: list[str]
) -> None:
    ticks, called = time_ticks(TimeRange(local(begin), local(end)), ZONE, 8)
    assert ticks[0] == local(first)
    assert called[:3] == names


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All texts that are drawn."""
    found: list[str] = []
    before: Callable[..., None] = Canvas.text

    def text(self: Canvas, x: float, y: float, text: str, size: float, **options: Any) -> None:
        found.append(text)
        before(self, x, y, text, size, **options)

    monkeypatch.setattr(Canvas, "text", text)
    return found


@pytest.mark.end_to_end
def test_all_dashboards_as_pictures(pasts: dict[str, Past], tmp_path: Path, written: list[str]) -> None:
    options = ["--time", "2026-04-05T19:42:07+02:00", "--scrape-interval", "60", "-o", str(tmp_path)]
    preview.main(["--prometheus", pasts["three-60s"].source.url, *options])
    drawn = sorted(tmp_path.glob("*.png"))
    assert [path.stem for path in drawn] == ["energy", "fleet", "health", "home", "load"]
    assert written.count(NOTICE) == len(drawn)
    for path in drawn:
        picture = imread(path)
        assert picture.shape[1] == 1600
        # Not a page of one colour: something is drawn on it.
        assert picture[..., :3].std() > 0.03
    today = pasts["three-60s"].history.truths.values()
    kwh = sum(truth.imported(local("2026-04-05 00:00:00"), END) for truth in today) / 3.6e6
    shown = [float(match[1]) for text in written if (match := re.fullmatch(r"([\d.]+) kWh", text))]
    assert min(abs(value - kwh) for value in shown) < 0.005 * kwh


@pytest.mark.end_to_end
def test_what_is_not_there_is_said_in_the_language(
    pasts: dict[str, Past], tmp_path: Path, written: list[str]
) -> None:
    source = pasts["plain-60s"].source
    [path] = preview.preview(source, END, ZONE, tmp_path, "de", 60, ["home"])
    assert path.name == "home.png"
    assert any("Batterie" in text for text in written)
    assert "No data" not in written


@pytest.mark.end_to_end
def test_the_demo_needs_nothing_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for program in ("prometheus", "promtool"):
        require_program(program)
    short = replace(SCENARIOS["plain-60s"], begin=END - 7200, events=())
    monkeypatch.setattr(preview, "SCENARIOS", {"short": short})
    preview.main(["--demo", "--scenario", "short", "--board", "fleet", "-o", str(tmp_path)])
    assert capsys.readouterr().out == f"{tmp_path / 'fleet.png'}\n"
    assert (tmp_path / "fleet.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.end_to_end
def test_a_refused_query_is_told_with_its_expression(pasts: dict[str, Past]) -> None:
    with pytest.raises(QueryError, match=r"rate\(up\).*expected type range vector"):
        pasts["plain-60s"].source.instant("rate(up)", END)
