"""The committed dashboards keep our own rules, and each rule catches the fault that it is for."""

import copy
import re
from collections.abc import Callable
from typing import Any, Final

import pytest

from grafana.texts import LANGUAGES
from iometer_exporter.metrics.families import FAMILIES, PROBE_FAMILIES
from iometer_exporter.provider.served.families import INSTALLATION_FAMILIES, PROVIDER_FAMILIES
from prometheus.build import ALERTS
from prometheus.rules import Alert
from tests.grafana import lint, lint_promql
from tests.grafana.boards import ROOT, boards, rules
from tests.grafana.boards import selectors as selectors_of
from tests.grafana.lint import Json, Rule
from tests.grafana.lint_promql import BARE_COUNTERS, FIXED_WINDOWS, place_of

BOARDS: Final = {uid: board for language in LANGUAGES for uid, board in boards(language).items()}
RULES: Final = (*lint.RULES, *lint_promql.RULES)

EVERY: Final = (*FAMILIES, *PROBE_FAMILIES, *PROVIDER_FAMILIES, *INSTALLATION_FAMILIES)

UNUSED: Final[dict[str, str]] = {
    "probe_success": "for who knows it from other exporters; iometer_up beside it is what is used",
    "probe_duration_seconds": "likewise; iometer_scrape_duration_seconds says it for each endpoint",
    "iometer_installation_info": "ids, to be joined with what others know of a customer",
    "iometer_device_info": "likewise",
    "iometer_license_start_timestamp_seconds": "nobody has to do anything about it",
}
"""Metrics that no dashboard and no rule asks for, and why."""


def faults(rule: Rule, board: Json) -> list[str]:
    found = list(rule(board))
    if rule is lint_promql.counters_are_counted:
        found = [fault for fault in found if place_of(fault) not in BARE_COUNTERS]
    return found


@pytest.mark.parametrize("uid", boards("en"))
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_dashboard_keeps_the_rule(rule: Rule, uid: str) -> None:
    assert faults(rule, boards("en")[uid]) == []


@pytest.mark.parametrize("uid", boards("de"))
@pytest.mark.parametrize("rule", lint.RULES, ids=lambda rule: rule.__name__)
def test_a_german_dashboard_keeps_the_rule(rule: Rule, uid: str) -> None:
    assert faults(rule, boards("de")[uid]) == []


def test_the_identifier_of_a_dashboard_is_its_own() -> None:
    assert len(BOARDS) == 2 * len(boards("en")) == 12


@pytest.mark.parametrize("uid", BOARDS)
def test_links_lead_to_dashboards_of_the_same_language(uid: str) -> None:
    board = BOARDS[uid]
    urls = [link["url"] for link in board["links"]] + list(lint.data_links(board))
    targets = [url.removeprefix("/d/").partition("?")[0] for url in urls]
    german = uid.startswith("iometer-de-")
    assert bool(targets) == (not uid.endswith("-provider"))
    assert not any(target.endswith("-provider") for target in targets)
    assert {target for target in targets if target.startswith("iometer-de-") is german} == set(targets)
    assert set(targets) <= set(BOARDS)
    assert len(board["links"]) == (len(boards("en")) - 2 if targets else 0)


def test_every_metric_is_shown_or_alerted_on() -> None:
    shown = set().union(*(lint_promql.used(board) for board in boards("en").values()))
    shown = {name.removesuffix("_bucket") for name in shown}
    shown |= {selector.name or "" for rule in rules() for selector in selectors_of(rule.expr)}
    assert {family.name for family in EVERY} - shown == set(UNUSED), (
        "show each metric on a panel, alert on it, or say in UNUSED why not"
    )


def test_what_the_docs_watch_of_a_provider_is_shown() -> None:
    watched = (ROOT / "docs" / "scale.md").read_text().partition("## What to watch\n")[2]
    named = set(re.findall(r"\biometer_\w+", watched))
    assert {name for name in named if name.startswith("iometer_provider_")}
    assert named <= lint_promql.used(boards("en")["iometer-provider"])


def test_no_dashboard_needs_a_recording_rule() -> None:
    recorded = {rule.record for rule in rules() if rule.record}
    shown = set().union(*(lint_promql.used(board) for board in boards("en").values()))
    assert recorded
    assert not recorded & shown


def test_every_severity_is_shown() -> None:
    [target] = panel(boards("en")["iometer-home"], "Firing alerts")["targets"]
    shown = set(re.findall(r'severity="(\w+)"', target["expr"]))
    assert shown == {rule.severity for group in ALERTS for rule in group.rules if isinstance(rule, Alert)}


def test_every_exception_is_needed() -> None:
    bare = {
        place_of(fault)
        for board in boards("en").values()
        for fault in lint_promql.counters_are_counted(board)
    }
    assert bare == set(BARE_COUNTERS)
    windows = {
        window
        for board in boards("en").values()
        for _, expression in lint.expressions(board)
        for _, window, _ in lint_promql.counted(expression)
    }
    assert set(FIXED_WINDOWS) <= windows


def panel(board: Json, title: str) -> Any:
    [found] = [one for one in lint.panels(board) if one["title"] == title]
    return found


def row(board: Json, title: str) -> Any:
    [found] = [one for one in board["panels"] if (one["type"], one["title"]) == ("row", title)]
    return found


def setting(title: str, *path: str | int, value: object) -> Callable[[Json], None]:
    """A change of one value in a panel."""

    def change(board: Json) -> None:
        node = panel(board, title)
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = value

    return change


def override(title: str, column: str, *path: str | int, value: object) -> Callable[[Json], None]:
    """A change of one value in the field options of a column."""

    def change(board: Json) -> None:
        overrides = panel(board, title)["fieldConfig"]["overrides"]
        [place] = [at for at, one in enumerate(overrides) if one["matcher"]["options"] == column]
        setting(title, "fieldConfig", "overrides", place, *path, value=value)(board)

    return change


def expression(value: str, title: str = "Power") -> Callable[[Json], None]:
    return setting(title, "targets", 0, "expr", value=value)


def of_board(key: str, value: object) -> Callable[[Json], None]:
    return lambda board: board.update({key: value})


def variable(name: str, /, **values: object) -> Callable[[Json], None]:
    def change(board: Json) -> None:
        [found] = [item for item in board["templating"]["list"] if item["name"] == name]
        found.update(values)

    return change


def without(title: str, key: str) -> Callable[[Json], None]:
    return lambda board: panel(board, title)["fieldConfig"]["defaults"]["custom"].pop(key)


MAPPINGS: Final = ("fieldConfig", "defaults", "mappings")
THRESHOLDS: Final = ("fieldConfig", "defaults", "thresholds")
CHOSEN: Final = 'job=~"$job",instance=~"$instance",bridge=~"$bridge"'
READ: Final = f'{CHOSEN},meter=~"$meter"'
OTHER_SOURCE: Final = {"type": "prometheus", "uid": "P1809F7CD0C75ACF3"}

SEEDED: Final[list[tuple[Rule, str, Callable[[Json], None]]]] = [
    (lint.datasource_is_the_variable, "home", setting("Power", "datasource", value=OTHER_SOURCE)),
    (lint.datasource_is_the_variable, "home", setting("Power", "targets", 0, "datasource", value=None)),
    (lint.datasource_is_the_variable, "home", variable("bridge", datasource=OTHER_SOURCE)),
    (lint.datasource_is_the_variable, "home", variable("datasource", name="source")),
    (lint.datasource_is_the_variable, "health", lambda b: b["annotations"]["list"][0].pop("datasource")),
    (lint.panels_say_what_they_are, "home", setting("Power", "description", value="")),
    (lint.panels_say_what_they_are, "home", setting("Power", "fieldConfig", "defaults", "unit", value="")),
    (lint.panels_say_what_they_are, "home", setting("Power", "fieldConfig", "defaults", "noValue", value="")),
    (
        lint.panels_are_of_the_core,
        "home",
        setting("Power", "type", value="marcusolsson-hourly-heatmap-panel"),
    ),
    (lint.identifiers_are_unique, "home", setting("Power", "id", value=1)),
    (lint.identifiers_are_unique, "home", setting("Power", "title", value="Power now")),
    (lint.identifiers_are_unique, "home", setting("Today by hour", "targets", 1, "refId", value="A")),
    (lint.grid_has_no_overlap, "home", setting("Power now", "gridPos", "w", value=9)),
    (lint.grid_has_no_overlap, "home", setting("Power", "gridPos", "w", value=25)),
    (lint.variables_are_known, "home", expression("vector($price)")),
    (lint.choices_agree, "load", variable("summer_time", query="wie in der EU : 1")),
    (lint.choices_agree, "home", variable("bridge", allValue=None)),
    (lint.queries_fit_their_panel, "home", setting("Drawn this month", "targets", 0, "instant", value=False)),
    (lint.queries_fit_their_panel, "home", setting("Drawn this month", "targets", 0, "range", value=True)),
    (
        lint.queries_fit_their_panel,
        "home",
        setting("Drawn this month", "targets", 0, "legendFormat", value=""),
    ),
    (lint.queries_fit_their_panel, "home", expression(f"iometer_power_watts{{{READ}}}", "Power now")),
    (
        lint.columns_are_there,
        "fleet",
        setting("All bridges", "transformations", 2, "options", "sort", 0, "field", value="Schweregrad"),
    ),
    (
        lint.columns_are_there,
        "fleet",
        override("All bridges", "Age", "matcher", "options", value="Schweregrad"),
    ),
    (lint.bars_begin_at_zero, "energy", without("Energy per day", "axisSoftMin")),
    (
        lint.lone_points_are_drawn,
        "load",
        setting(
            "Base load of each night",
            *("fieldConfig", "defaults", "custom", "showPoints"),
            value="never",
        ),
    ),
    (
        lint.names_of_bars_have_room,
        "energy",
        setting("Drawn per month", "options", "xTickLabelSpacing", value=0),
    ),
    (
        lint.bridges_are_named_among_several,
        "home",
        setting("Power now", "options", "textMode", value="value_and_name"),
    ),
    (lint.numbers_can_be_read, "home", setting("Drawn this month", "options", "wideLayout", value=True)),
    (
        lint.ranges_have_ends,
        "fleet",
        setting("Bridges", *MAPPINGS, value=[{"type": "range", "options": {"from": None, "to": 1}}]),
    ),
    (
        lint.nothing_is_no_alarm,
        "home",
        setting("Power now", *THRESHOLDS, "steps", 0, "color", value="red"),
    ),
    (
        lint.nothing_is_no_alarm,
        "fleet",
        override("All bridges", "Radio", "properties", -1, "value", "steps", 0, "color", value="yellow"),
    ),
    (lint.own_ranges_are_explained, "home", setting("Drawn this month", "description", value="Energy.")),
    (lint.copies_have_a_heading_below, "home", lambda b: b["panels"].remove(row(b, "State of the devices"))),
    (lint_promql.money_names_its_currency, "home", setting("Cost today in $currency", "title", value="Cost")),
    (
        lint_promql.money_names_its_currency,
        "home",
        setting("Drawn this month", "title", value="This month in $currency"),
    ),
    (lint.dashboard_is_provisioned, "home", of_board("editable", True)),
    (lint.dashboard_is_provisioned, "home", of_board("timezone", "browser")),
    (lint.dashboard_is_provisioned, "home", of_board("refresh", "1s")),
    (lint.links_keep_time_and_variables, "home", lambda b: b["links"][0].update(includeVars=False)),
    (
        lint.links_keep_time_and_variables,
        "fleet",
        override(
            "All bridges",
            "Bridge",
            *("properties", 0, "value", 0, "url"),
            value="/d/iometer-home?var-bridge=x",
        ),
    ),
    (lint_promql.metrics_exist, "home", expression(f"iometer_power_wats{{{READ}}}")),
    (lint_promql.metrics_exist, "home", variable("job", query={"query": "label_values(iometer_u, job)"})),
    (lint_promql.labels_exist, "home", expression(f'iometer_up{{{CHOSEN},metre="1"}}')),
    (lint_promql.labels_exist, "home", expression(f"sum by (brigde) (iometer_up{{{CHOSEN}}})")),
    (
        lint_promql.labels_exist,
        "home",
        expression(f"iometer_up{{{CHOSEN}}} * on (endpoint) iometer_up{{{CHOSEN}}}"),
    ),
    (lint_promql.matchers_follow_the_variables, "home", expression(f"iometer_power_watts{{{CHOSEN}}}")),
    (
        lint_promql.matchers_follow_the_variables,
        "home",
        expression('iometer_up{job=~"$job",instance=~"$instance",bridge="$bridge"}'),
    ),
    (
        lint_promql.matchers_follow_the_variables,
        "home",
        expression(f'time() - iometer_up{{{CHOSEN}}} + up{{job=~"$job"}}'),
    ),
    (
        lint_promql.matchers_follow_the_variables,
        "provider",
        expression(
            'iometer_core_battery_ratio{job=~"$job",instance=~"$instance"}', title="Silent installations"
        ),
    ),
    (
        lint_promql.counters_are_counted,
        "home",
        expression(f"iometer_energy_import_joules_total{{{READ}}} / 3.6e6"),
    ),
    (
        lint_promql.counters_are_counted,
        "home",
        expression(f"avg_over_time(iometer_energy_import_joules_total{{{READ}}}[1h])"),
    ),
    (
        lint_promql.rates_fit_the_resolution,
        "home",
        expression(f"rate(iometer_energy_import_joules_total{{{READ}}}[1m])"),
    ),
    (
        lint_promql.rates_fit_the_resolution,
        "home",
        expression(f"increase(iometer_energy_import_joules_total{{{READ}}}[$__interval])"),
    ),
    (lint_promql.nothing_stands_in_for_missing, "home", expression(f"iometer_up{{{CHOSEN}}} or vector(0)")),
    (
        lint_promql.subqueries_name_their_step,
        "home",
        expression(f"max_over_time((iometer_up{{{CHOSEN}}} * 2)[1h:])"),
    ),
    *(
        (
            lint_promql.units_are_those_of_the_metrics,
            name,
            setting(title, "fieldConfig", "defaults", "unit", value=unit),
        )
        for name, title, unit in (
            ("home", "Drawn this month", "watth"),
            ("home", "Cost today in $currency", "suffix:kWh"),
            ("health", "Battery, last 30 days", "percent"),
            ("load", "Base load", "kwatt"),
            ("load", "Fed in by hour and weekday", "watth"),
        )
    ),
    (
        lint_promql.units_are_those_of_the_metrics,
        "fleet",
        override("All bridges", "Battery", "properties", 0, "value", value="suffix:kWh"),
    ),
]


@pytest.mark.parametrize(
    ("rule", "name", "change"),
    SEEDED,
    ids=[f"{rule.__name__}-{index}" for index, (rule, *_) in enumerate(SEEDED)],
)
def test_a_seeded_fault_is_caught(rule: Rule, name: str, change: Callable[[Json], None]) -> None:
    board = copy.deepcopy(boards("en")[f"iometer-{name}"])
    change(board)
    assert faults(rule, board)


def test_every_rule_has_a_seeded_fault() -> None:
    assert {rule for rule, *_ in SEEDED} == set(RULES)
