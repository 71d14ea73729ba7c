"""What Grafana does to an expression before Prometheus sees it."""

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from grafana.query import timerange
from grafana.query.interpolate import (
    Context,
    InterpolationError,
    Variable,
    annotation,
    duration,
    interpolate,
    label_values,
    legend,
    nice,
    panel_range,
    panels,
    placeholders,
    queries,
    rate_interval,
    step_of,
    variables,
)
from grafana.query.timerange import TimeRange, moment, seconds_of, shift

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


NOW = at("2026-04-05 19:42:07")


def context(
    chosen: dict[str, Variable] | None = None,
    scrape: float = 15.0,
    time_from: str = "now-6h",
    now: float = NOW,
) -> Context:
    return Context(now, BERLIN, scrape, time_from, variables=chosen or {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", "2026-04-05 19:42:07"),
        ("now-6h", "2026-04-05 13:42:07"),
        ("now/d", "2026-04-05 00:00:00"),
        ("now-1d/d", "2026-04-04 00:00:00"),
        ("now/w", "2026-03-30 00:00:00"),
        ("now/M", "2026-04-01 00:00:00"),
        ("now-1M/M", "2026-03-01 00:00:00"),
        ("now-1M", "2026-03-05 19:42:07"),
        ("now/y", "2026-01-01 00:00:00"),
        ("now-1y/y", "2025-01-01 00:00:00"),
        ("now/h", "2026-04-05 19:00:00"),
        ("now-5m/m", "2026-04-05 19:37:00"),
        ("now+1d", "2026-04-06 19:42:07"),
        ("now-2w/d", "2026-03-22 00:00:00"),
    ],
)
def test_a_moment(text: str, expected: str) -> None:
    assert moment(text, NOW, BERLIN) == at(expected)


@pytest.mark.parametrize(
    ("text", "next_one"),
    [
        ("now/d", "2026-04-06 00:00:00"),
        ("now/M", "2026-05-01 00:00:00"),
        ("now/y", "2027-01-01 00:00:00"),
        ("now/w", "2026-04-06 00:00:00"),
        ("now/h", "2026-04-05 20:00:00"),
    ],
)
def test_a_moment_rounded_up_is_the_last_millisecond(text: str, next_one: str) -> None:
    assert moment(text, NOW, BERLIN, round_up=True) == pytest.approx(at(next_one) - 0.001, abs=1e-6)


def test_a_day_of_23_hours() -> None:
    noon = at("2026-03-29 12:00:00")
    begin, end = moment("now/d", noon, BERLIN), moment("now/d", noon, BERLIN, round_up=True)
    assert round(end - begin) == 23 * 3600
    assert noon - moment("now-1d", noon, BERLIN) == 23 * 3600
    assert noon - moment("now-24h", noon, BERLIN) == 24 * 3600


def test_the_shortest_month() -> None:
    assert moment("now-1M", at("2026-03-31 10:00:00"), BERLIN) == at("2026-02-28 10:00:00")


@pytest.mark.parametrize("text", ["yesterday", "now-", "now*2", "now/x"])
def test_no_moment(text: str) -> None:
    with pytest.raises(ValueError, match=r"such as|begin with"):
        moment(text, NOW, BERLIN)


@pytest.mark.parametrize(
    ("text", "seconds"), [("15s", 15), ("1d", 86_400), (">2m", 120), ("500ms", 0.5), ("1M", 2_592_000)]
)
def test_an_interval(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


def test_no_interval() -> None:
    with pytest.raises(ValueError, match="no interval"):
        seconds_of("soon")


def test_yesterday_is_a_range_shifted_by_a_day_and_rounded() -> None:
    today = TimeRange(at("2026-04-05 00:00:00"), NOW)
    yesterday = shift("1d/d", today, BERLIN)
    assert yesterday.begin == at("2026-04-04 00:00:00")
    assert yesterday.end == pytest.approx(at("2026-04-05 00:00:00") - 0.001, abs=1e-6)
    assert yesterday.seconds == 86_400
    assert shift("1h", today, BERLIN) == TimeRange(today.begin - 3600, today.end - 3600)


@pytest.mark.parametrize(
    ("panel", "begin", "end"),
    [
        ({}, "2026-04-05 13:42:07", "2026-04-05 19:42:07"),
        ({"timeFrom": "now/d"}, "2026-04-05 00:00:00", "2026-04-05 19:42:07"),
        ({"timeFrom": "2h"}, "2026-04-05 17:42:07", "2026-04-05 19:42:07"),
        ({"timeShift": "1h"}, "2026-04-05 12:42:07", "2026-04-05 18:42:07"),
    ],
)
def test_the_range_of_a_panel(panel: dict[str, str], begin: str, end: str) -> None:
    assert panel_range(panel, context()) == TimeRange(at(begin), at(end))


@pytest.mark.parametrize(
    ("length", "points", "lowest", "step"),
    [
        (3600, 1000, 15, 15),
        (6 * 3600, 900, 15, 20),
        (86_400, 900, 15, 120),
        (7 * 86_400, 900, 15, 600),
        (30 * 86_400, 900, 86_400, 86_400),
        # Prometheus refuses more than 11,000 points, so no panel asks for them.
        (30 * 86_400, 1_000_000, 15, 300),
    ],
)
def test_the_step(length: float, points: int, lowest: float, step: float) -> None:
    assert step_of(TimeRange(0, length), points, lowest) == step


@pytest.mark.parametrize(
    ("exact", "rounded"), [(14, 15), (17.6, 20), (44, 30), (80_000, 43_200), (1e9, 31_536_000)]
)
def test_a_step_is_a_round_number(exact: float, rounded: float) -> None:
    assert nice(exact) == rounded


@pytest.mark.parametrize(
    ("step", "scrape", "rate"), [(15, 15, 60), (60, 15, 75), (120, 60, 240), (600, 60, 660)]
)
def test_the_rate_interval_holds_four_scrapes_at_least(step: float, scrape: float, rate: float) -> None:
    assert rate_interval(step, scrape) == rate


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(15, "15s"), (75, "75s"), (600, "10m"), (86_400, "1d"), (604_800, "1w"), (0.2, "200ms")],
)
def test_seconds_as_promql_writes_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_built_in_variables() -> None:
    stretch = TimeRange(NOW - 3600, NOW)
    text = "$__range ${__range_s} [[__range_ms]] $__interval $__interval_ms $__rate_interval $__from $__to"
    filled = interpolate(text, context(), stretch, 120.0)
    begin, end = int(NOW - 3600) * 1000, int(NOW) * 1000
    assert filled == f"3600s 3600 3600000 2m 120000 135s {begin} {end}"


@pytest.mark.parametrize(
    ("variable", "text", "filled"),
    [
        (Variable(("house",), multi=True), 'a{b=~"$v"}', 'a{b=~"house"}'),
        (Variable(("house", "barn"), multi=True), 'a{b=~"$v"}', 'a{b=~"(house|barn)"}'),
        (Variable(("192.168.1.5:80",), multi=True), 'a{b=~"$v"}', r'a{b=~"192\\.168\\.1\\.5:80"}'),
        (Variable(("a.b",), multi=True), "${v:regex}", r"a\.b"),
        (Variable(("a", "b"), multi=True), "${v:pipe} [[v:csv]] ${v:raw}", "a|b a,b a,b"),
        (Variable(("$__all",), multi=True, all_value=".*"), 'a{b=~"$v"}', 'a{b=~".*"}'),
        (Variable(("$__all",), multi=True, options=("x", "y")), 'a{b=~"$v"}', 'a{b=~"(x|y)"}'),
        (Variable(("0.30",)), "b * $v", "b * 0.30"),
        (Variable(()), "b + 0$v", "b + 0"),
        (
            Variable(("a",)),
            'label_replace(x, "$v", "$1-$2", "m", "(.)(.)")',
            'label_replace(x, "a", "$1-$2", "m", "(.)(.)")',
        ),
    ],
)
def test_a_variable_in_an_expression(variable: Variable, text: str, filled: str) -> None:
    assert interpolate(text, context({"v": variable}), TimeRange(0, 60)) == filled


def test_an_unknown_variable_or_format_is_an_error() -> None:
    with pytest.raises(InterpolationError, match=r"\$bridge"):
        interpolate("up{bridge='$bridge'}", context(), TimeRange(0, 60))
    with pytest.raises(InterpolationError, match="sqlstring"):
        interpolate("${v:sqlstring}", context({"v": Variable(("a",))}), TimeRange(0, 60))


def test_the_variables_of_a_dashboard() -> None:
    listed = [
        {"name": "bridge", "type": "query", "multi": True, "includeAll": True, "allValue": ".*"}
        | {"current": {"value": ["$__all"]}},
        {"name": "price", "type": "textbox", "query": "0.30", "current": {"value": "0.30"}},
        {"name": "fee", "type": "textbox", "query": "12"},
        {"name": "pick", "type": "custom", "includeAll": True, "current": {"value": "a"}}
        | {"options": [{"value": "a"}, {"value": "b"}]},
    ]
    found = variables({"templating": {"list": listed}}, {"pick": ["b"]})
    assert found == {
        "bridge": Variable(("$__all",), multi=True, all_value=".*"),
        "price": Variable(("0.30",)),
        "fee": Variable(("12",)),
        "pick": Variable(("b",), multi=True, options=("a", "b")),
    }


def test_an_instant_query_is_asked_at_the_end_of_the_range() -> None:
    target = {"refId": "A", "expr": "increase(x[$__range])", "instant": True, "legendFormat": "{{bridge}}"}
    panel = {"gridPos": {"w": 4}, "timeFrom": "now/d", "timeShift": "1d/d", "targets": [target]}
    [query] = queries(panel, context())
    assert (query.kind, query.expr, query.ref) == ("instant", "increase(x[86400s])", "A")
    assert query.end == pytest.approx(at("2026-04-05 00:00:00"), abs=0.002)


def test_a_step_of_a_day_begins_at_the_viewers_midnight() -> None:
    target = {"refId": "A", "expr": "increase(x[$__interval])"}
    panel = {"gridPos": {"w": 24}, "interval": "1d", "targets": [target]}
    [query] = queries(panel, context(time_from="now-3d"))
    assert (query.kind, query.step, query.expr) == ("range", 86_400, "increase(x[1d])")
    assert (query.begin, query.end) == (at("2026-04-02 00:00:00"), at("2026-04-05 00:00:00"))


@pytest.mark.parametrize(
    ("zone_chosen", "hour"),
    [(True, "00:00:00"), (False, "02:00:00")],
    ids=["in a zone that was chosen", "in the browser's"],
)
def test_a_step_of_a_day_in_an_absolute_range(zone_chosen: bool, hour: str) -> None:
    """Grafana 11.6 and newer leave the browser's zone out then."""
    panel = {"gridPos": {"w": 24}, "interval": "1d", "targets": [{"refId": "A", "expr": "x"}]}
    begin, end = (f"{at(time) * 1000:.0f}" for time in ("2026-04-02 02:00:00", "2026-04-04 12:00:00"))
    absolute = replace(context(time_from=begin), time_to=end, zone_chosen=zone_chosen)
    [query] = queries(panel, absolute)
    assert (query.begin, query.end) == (at(f"2026-04-02 {hour}"), at(f"2026-04-04 {hour}"))


def test_an_absolute_range_goes_before_that_of_a_panel() -> None:
    begin, end = at("2026-03-01 00:00:00"), at("2026-03-02 00:00:00")
    absolute = replace(context(time_from=f"{begin * 1000:.0f}"), time_to=f"{end * 1000:.0f}")
    assert panel_range({"timeFrom": "now/d"}, absolute) == TimeRange(begin, end)
    assert panel_range({"timeFrom": "now/d", "timeShift": "1d"}, absolute) == TimeRange(
        at("2026-02-28 00:00:00"), at("2026-03-01 00:00:00")
    )


def test_the_smallest_step_of_a_panel_is_no_scrape_interval_but_that_of_a_target_is() -> None:
    target = {"refId": "A", "expr": "rate(x[$__rate_interval])"}
    panel = {"gridPos": {"w": 24}, "interval": "1m", "targets": [target, target | {"interval": "1m"}]}
    assert [query.expr for query in queries(panel, context(time_from="now-1h"))] == [
        "rate(x[75s])",
        "rate(x[4m])",
    ]


def test_points_and_hidden_targets() -> None:
    targets = [{"refId": "A", "expr": "x", "hide": True}, {"refId": "B", "expr": "y"}]
    panel = {"gridPos": {"w": 24}, "maxDataPoints": 24, "targets": targets}
    [query] = queries(panel, context(time_from="now-24h"))
    assert (query.expr, query.step) == ("y", 3600)


def test_an_annotation_is_asked_every_minute() -> None:
    query = annotation({"expr": "changes(x[$__interval]) > 0"}, context())
    assert (query.expr, query.step, query.kind) == ("changes(x[1m]) > 0", 60, "range")


def test_panels_in_collapsed_rows_are_panels() -> None:
    row = {"type": "row", "panels": [{"type": "stat", "id": 2}]}
    assert [panel["id"] for panel in panels({"panels": [{"type": "table", "id": 1}, row]})] == [1, 2]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("label_values(job)", ("", "job")),
        ('label_values(up{job=~"$job"}, instance)', ('up{job=~"$job"}', "instance")),
        ("query_result(up)", None),
    ],
)
def test_the_query_of_a_variable(query: str, found: tuple[str, str] | None) -> None:
    assert label_values(query) == found


def test_the_name_of_a_series() -> None:
    labels = {"__name__": "up", "bridge": "house"}
    assert legend("{{bridge}} {{ phase }}!", labels) == "house !"
    assert legend("", labels) == 'up{bridge="house"}'
    assert legend("", {}) == "{}"
    assert legend("__auto", labels) == "house"
    assert placeholders("{{bridge}} {{ phase }}") == ["bridge", "phase"]


def test_summer_and_winter_in_seconds() -> None:
    assert timerange.utc_offset(NOW, BERLIN) == 7200
    assert timerange.utc_offset(at("2026-01-01 00:00:00"), BERLIN) == 3600


@pytest.mark.parametrize(
    ("time_from", "time_shift", "text"),
    [
        ("now/d", "", "Today so far"),
        ("now/M", "1M/M", "This month so far timeshift -1M/M"),
        ("1y/M", "", "Last 1 year"),
        ("now-2d", "", "Last 2 days"),
        ("", "1h", "timeshift -1h"),
        ("", "", ""),
    ],
)
def test_what_grafana_says_of_a_range_of_a_panels_own(time_from: str, time_shift: str, text: str) -> None:
    assert timerange.label(time_from, time_shift) == text


@pytest.mark.parametrize("panel", [{"timeFrom": "now/h"}, {"timeShift": "yesterday"}, {"timeFrom": "now+1h"}])
def test_a_range_that_grafana_would_leave_aside_is_an_error(panel: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="of a panel's own"):
        panel_range(panel, context())
