"""Our own rules for the dashboards' JSON: each takes a dashboard and tells its faults."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any, Final

from grafana.query import interpolate

Json = dict[str, Any]
Rule = Callable[[Json], Iterator[str]]

CORE_PANELS: Final = {
    "alertlist",
    "barchart",
    "bargauge",
    "gauge",
    "heatmap",
    "histogram",
    "piechart",
    "row",
    "stat",
    "state-timeline",
    "status-history",
    "table",
    "text",
    "timeseries",
}
"""What every Grafana from 10 to 13 brings along."""

BUILT_IN: Final = {"__interval", "__rate_interval", "__range", "__range_s", "__url_time_range"}
"""Variables that Grafana itself sets."""

_VARIABLE: Final = re.compile(r"\$(?:\{([A-Za-z_]\w*)[^}]*\}|([A-Za-z_]\w*))")
_INSTANT_PANELS: Final = {"stat", "gauge", "bargauge"}


def panels(board: Json) -> list[Json]:
    """All panels but rows."""
    return list(interpolate.panels(board))


def everything(board: Json) -> list[Json]:
    """All panels and rows."""
    return [*(panel for panel in board["panels"] if panel["type"] == "row"), *panels(board)]


def targets(board: Json) -> Iterator[tuple[str, Json]]:
    """Every query of a panel, with its place in words."""
    for panel in panels(board):
        for target in panel["targets"]:
            yield f"{panel['title']} {target.get('refId')}", target


def expressions(board: Json) -> Iterator[tuple[str, str]]:
    """Every expression of panels and annotations, with its place in words."""
    for place, target in targets(board):
        yield place, target["expr"]
    for annotation in board["annotations"]["list"]:
        yield annotation["name"], annotation["expr"]


def datasource_is_the_variable(board: Json) -> Iterator[str]:
    """Whoever imports a dashboard chooses the Prometheus; a fixed one would be that of its author."""
    first = board["templating"]["list"][0]
    if (first["name"], first["type"], first.get("query")) != ("datasource", "datasource", "prometheus"):
        yield "the first variable is not the data source"
    named = [(panel["title"], panel) for panel in panels(board)]
    named += targets(board)
    named += [(item["name"], item) for item in board["annotations"]["list"]]
    named += [(item["name"], item) for item in board["templating"]["list"] if item["type"] == "query"]
    for place, item in named:
        if item.get("datasource") != {"type": "prometheus", "uid": "${datasource}"}:
            yield f"{place}: not from the chosen data source"


def panels_say_what_they_are(board: Json) -> Iterator[str]:
    """A title, a description, a unit, and what it means when there is nothing."""
    for panel in panels(board):
        defaults = panel["fieldConfig"]["defaults"]
        for what, value in (
            ("title", panel.get("title")),
            ("description", panel.get("description")),
            ("unit", defaults.get("unit")),
            ("text for no data", defaults.get("noValue")),
        ):
            if not value:
                yield f"{panel.get('title')}: no {what}"


def panels_are_of_the_core(board: Json) -> Iterator[str]:
    """A plugin that is not installed leaves a hole."""
    for panel in everything(board):
        if panel["type"] not in CORE_PANELS:
            yield f"{panel['title']}: {panel['type']} is no panel of Grafana itself"


def identifiers_are_unique(board: Json) -> Iterator[str]:
    """Of panels in a dashboard, of queries in a panel, and titles too: links and tests go by them."""
    titles = Counter(panel["title"] for panel in panels(board))
    ids = Counter(panel.get("id") for panel in everything(board))
    yield from (f"{title}: title of {count} panels" for title, count in titles.items() if count > 1)
    yield from (f"id {number} of {count} panels" for number, count in ids.items() if count > 1 or not number)
    for panel in panels(board):
        refs = [target.get("refId") for target in panel["targets"]]
        if refs != [chr(ord("A") + index) for index in range(len(refs))]:
            yield f"{panel['title']}: refIds {refs}"


def grid_has_no_overlap(board: Json) -> Iterator[str]:
    """Panels lie side by side in a grid 24 wide."""
    open_panels = [panel for panel in board["panels"] if not panel.get("collapsed")]
    folded = [panel["panels"] for panel in board["panels"] if panel.get("collapsed")]
    for together in (open_panels, *folded):
        yield from _overlaps([(panel["title"], panel["gridPos"]) for panel in together])


def _overlaps(places: list[tuple[str, Json]]) -> Iterator[str]:
    for title, at in places:
        if min(at["x"], at["y"]) < 0 or min(at["w"], at["h"]) < 1 or at["x"] + at["w"] > 24:
            yield f"{title}: outside the grid"
    for (one, a), (other, b) in combinations(places, 2):
        if (
            a["x"] < b["x"] + b["w"]
            and b["x"] < a["x"] + a["w"]
            and a["y"] < b["y"] + b["h"]
            and b["y"] < a["y"] + a["h"]
        ):
            yield f"{one} and {other} overlap"


def variables_are_known(board: Json) -> Iterator[str]:
    """A variable that nobody sets is left in the expression as it is."""
    known = {item["name"] for item in board["templating"]["list"]} | BUILT_IN
    texts = list(expressions(board))
    texts += [
        (item["name"], item["definition"]) for item in board["templating"]["list"] if "definition" in item
    ]
    for place, text in texts:
        for match in _VARIABLE.finditer(text):
            name = match[1] or match[2]
            if name not in known:
                yield f"{place}: ${name} is not set"


def choices_agree(board: Json) -> Iterator[str]:
    """A custom variable has its choices twice: as text, and as a list."""
    for item in board["templating"]["list"]:
        if item["type"] == "custom":
            choices = [f"{option['text']} : {option['value']}" for option in item["options"]]
            if item["query"] != ", ".join(choices) or item["current"] != item["options"][0]:
                yield f"{item['name']}: {item['query']!r} is not {choices}"
        # Without a bridge are the installations of a provider; a meter's number may be unknown.
        everything = ".+" if item["name"] == "bridge" else ".*"
        if item["type"] == "query" and not (
            item["multi"] and item["includeAll"] and item["allValue"] == everything
        ):
            yield f"{item['name']}: not several, or not all"


def queries_fit_their_panel(board: Json) -> Iterator[str]:
    """A big number is that of now: the last of a range may be hours old, if not asked for at its end."""
    for panel in panels(board):
        for target in panel["targets"]:
            if target["instant"] == target["range"]:
                yield f"{panel['title']}: instant or range, not both"
            is_now = target["instant"] or target["expr"].endswith(" @ end()")
            if panel["type"] in _INSTANT_PANELS and not is_now:
                yield f"{panel['title']}: shows the last value of a range"
            if len(panel["targets"]) > 1 and not target["legendFormat"] and target["format"] != "table":
                yield f"{panel['title']} {target['refId']}: no legend among several queries"


def columns_are_there(board: Json) -> Iterator[str]:
    """Field options and the order go by names, which differ with the language."""
    for panel in panels(board):
        if panel["type"] != "table":
            continue
        known, shown = _columns(panel)
        for override in panel["fieldConfig"]["overrides"]:
            matcher = override["matcher"]
            if matcher["id"] == "byName" and matcher["options"] not in shown:
                yield f"{panel['title']}: options for {matcher['options']}, which is no column"
        for step in panel["transformations"]:
            if step["id"] == "organize":
                known = shown
            for sort in step["options"].get("sort", []) if step["id"] == "sortBy" else []:
                if sort["field"] not in known:
                    yield f"{panel['title']}: sorted by {sort['field']}, which is no column"


def _columns(panel: Json) -> tuple[set[str], set[str]]:
    """Names of a table's columns before and after `organize`."""
    [organize] = [step["options"] for step in panel["transformations"] if step["id"] == "organize"]
    kept = organize["indexByName"].keys() - organize["excludeByName"].keys()
    return set(organize["indexByName"]), {organize["renameByName"].get(name, name) for name in kept}


def bars_begin_at_zero(board: Json) -> Iterator[str]:
    """Where the axis begins elsewhere, the lowest bar looks like nothing."""
    for panel in panels(board):
        custom = panel["fieldConfig"]["defaults"]["custom"]
        limits = custom.get("axisSoftMin"), custom.get("axisSoftMax")
        if custom.get("drawStyle") == "bars" and limits != (0, 0):
            yield f"{panel['title']}: its axis may begin above zero"


def lone_points_are_drawn(board: Json) -> Iterator[str]:
    """A value between two gaps has no line."""
    for panel in panels(board):
        custom = panel["fieldConfig"]["defaults"]["custom"]
        if custom.get("drawStyle") == "line" and custom["showPoints"] == "never":
            yield f"{panel['title']}: a lone point is not drawn"


def names_of_bars_have_room(board: Json) -> Iterator[str]:
    """Unless told otherwise Grafana writes all of them, one over the other; 2026-04 is 47 pixels wide."""
    for panel in panels(board):
        if panel["type"] == "barchart" and panel["options"].get("xTickLabelSpacing", 0) < 50:
            yield f"{panel['title']}: names over one another"


def bridges_are_named_among_several(board: Json) -> Iterator[str]:
    """The name of the only bridge takes half of the room from its number."""
    for panel in panels(board):
        # Where there is a change, the transformations leave one number, or the change may be unknown.
        is_one = len(panel["targets"]) == 1 or panel["options"].get("showPercentChange") or _compares(panel)
        named = "auto" if is_one else "value_and_name"
        if panel["type"] == "stat" and panel["options"]["textMode"] != named:
            yield f"{panel['title']}: {panel['options']['textMode']} and not {named}"


def numbers_can_be_read(board: Json) -> Iterator[str]:
    """Several names and numbers in the lines of a narrow tile are fitted to its width, in tiny letters."""
    for panel in panels(board):
        options = panel["options"]
        is_one = len(panel["targets"]) == 1 or options.get("showPercentChange")
        is_fitted = options.get("wideLayout") and "valueSize" not in options.get("text", {})
        if panel["type"] == "stat" and not is_one and panel["gridPos"]["w"] < 8 and is_fitted:
            yield f"{panel['title']}: {len(panel['targets'])} numbers in {panel['gridPos']['w']} columns"


def _compares(panel: Json) -> bool:
    """Whether its second number, and last, is the change of the first."""
    return len(panel["targets"]) == 2 and panel["targets"][1]["expr"].endswith(" - 1")


def ranges_have_ends(board: Json) -> Iterator[str]:
    """Before Grafana 12, one without an end matches nothing."""
    for panel in panels(board):
        for mapping in panel["fieldConfig"]["defaults"]["mappings"]:
            if mapping["type"] == "range" and None in (mapping["options"]["from"], mapping["options"]["to"]):
                yield f"{panel['title']}: a range without an end"


def nothing_is_no_alarm(board: Json) -> Iterator[str]:
    """What has no value gets the first colour."""
    for panel in panels(board):
        config = panel["fieldConfig"]
        limits = [config["defaults"]["thresholds"]]
        limits += [
            item["value"]
            for override in config["overrides"]
            for item in override["properties"]
            if item["id"] == "thresholds"
        ]
        for one in limits:
            if panel["type"] in ("stat", "table") and one["steps"][0]["color"] in ("red", "orange", "yellow"):
                yield f"{panel['title']}: alarm where nothing is known"


def own_ranges_are_explained(board: Json) -> Iterator[str]:
    """Grafana leaves them aside when the range at the top is absolute, and does not say so."""
    explained = (" absolute time range", " fester Zeitraum")
    for panel in panels(board):
        if "timeFrom" in panel and not any(text in panel["description"] for text in explained):
            yield f"{panel['title']}: says nothing of absolute ranges"


def copies_have_a_heading_below(board: Json) -> Iterator[str]:
    """What stands below copies of a panel would move up into the gap beside the last of them."""
    places = [(panel["gridPos"]["y"], panel) for panel in board["panels"]]
    for y, panel in places:
        if "repeat" in panel:
            below = [other for at, other in places if at >= y and other is not panel]
            if below and min(below, key=lambda one: one["gridPos"]["y"])["type"] != "row":
                yield f"{panel['title']}: no heading below its copies"


def dashboard_is_provisioned(board: Json) -> Iterator[str]:
    """What all dashboards have in common."""
    expected = {
        "editable": False,
        "graphTooltip": 1,
        "id": None,
        "schemaVersion": 36,
        "tags": ["iometer"],
        "timezone": "",
    }
    for key, value in expected.items():
        if board[key] != value:
            yield f"{key} is {board[key]!r}, not {value!r}"
    if board["refresh"] not in ("30s", "5m"):
        yield f"refresh {board['refresh']}"
    if not board["description"]:
        yield "no description"


def links_keep_time_and_variables(board: Json) -> Iterator[str]:
    """Another dashboard shows the same bridges at the same time."""
    for link in board["links"]:
        if not (link["keepTime"] and link["includeVars"]):
            yield f"{link['title']}: loses time or variables"
    for url in data_links(board):
        for part in (
            "${__url_time_range}",
            "${datasource:queryparam}",
            "var-bridge=",
            "var-instance=",
            "var-job=",
        ):
            if part not in url:
                yield f"{url}: without {part}"


def data_links(board: Json) -> Iterator[str]:
    """Where the cells of tables lead."""
    for panel in panels(board):
        for override in panel["fieldConfig"]["overrides"]:
            for item in override["properties"]:
                if item["id"] == "links":
                    yield from (link["url"] for link in item["value"])


RULES: Final[tuple[Rule, ...]] = (
    datasource_is_the_variable,
    panels_say_what_they_are,
    panels_are_of_the_core,
    identifiers_are_unique,
    grid_has_no_overlap,
    variables_are_known,
    choices_agree,
    queries_fit_their_panel,
    columns_are_there,
    bars_begin_at_zero,
    lone_points_are_drawn,
    names_of_bars_have_room,
    bridges_are_named_among_several,
    numbers_can_be_read,
    ranges_have_ends,
    nothing_is_no_alarm,
    own_ranges_are_explained,
    copies_have_a_heading_below,
    dashboard_is_provisioned,
    links_keep_time_and_variables,
)
