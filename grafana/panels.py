"""Panels as Grafana's classic JSON, by small functions: what is drawn, not where."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from grafana.texts import Text, Texts

Json = dict[str, Any]

DATASOURCE: Final[Json] = {"type": "prometheus", "uid": "${datasource}"}

BLUE: Final = "blue"
PURPLE: Final = "purple"
TEXT: Final = "text"
CLEAR: Final = "transparent"
GREEN: Final = "green"
ORANGE: Final = "orange"
RED: Final = "red"
YELLOW: Final = "yellow"
GREY: Final = "#8e8e8e"

# Grafana's own units of these write 1.03 MWh beside 943 kWh, €1.23K for a year's bill, and, since 13.1, dbm.
KWH: Final = "suffix:kWh"
DBM: Final = "suffix:dBm"

MONEY: Final = "none"
"""A unit cannot be a variable, a title can: panels of money name the `$currency` in theirs."""

_ANY: Final = 1e12
"""More than any value: until Grafana 12, a range that has no end matches nothing."""

OWN_RANGE: Final = Text("With an absolute time range at the top it shows that range instead.")
"""What must be said of a panel with a time range of its own, for Grafana marks neither."""

STEP_OF_DAYS: Final = 3660
"""Points of a panel with a step of a day, so that it keeps that step for ten years."""


def query(
    expression: str, legend: str = "", *, instant: bool = False, table: bool = False, rows: bool = False
) -> Json:
    """One expression; its legend may name labels as `{{bridge}}`. Panels give it its refId.

    `rows` is for the buckets of a histogram, of which each becomes a row of a heatmap.
    """
    return {
        "datasource": DATASOURCE,
        "editorMode": "code",
        "expr": expression,
        "format": "table" if table else "heatmap" if rows else "time_series",
        "instant": instant or table,
        "legendFormat": Text(legend),
        "range": not (instant or table),
    }


def at_step(step: str, target: Json) -> Json:
    """The query over the time range, with a point each step such as `15m`."""
    return target | {"instant": False, "interval": step, "range": True}


def now(expression: str, legend: str = "{{bridge}}") -> Json:
    """The expression at the end of the time range."""
    return query(expression, legend, instant=True)


def thresholds(first: str, *steps: tuple[float, str]) -> Json:
    """Colours: the first from minus infinity on, the others from their value on."""
    return {
        "mode": "absolute",
        "steps": [
            {"color": first, "value": None},
            *({"color": color, "value": value} for value, color in steps),
        ],
    }


def known(lowest: float, first: str, *steps: tuple[float, str]) -> Json:
    """Colours from the lowest value on; below it is what is not known, which is no alarm."""
    return thresholds(TEXT, (lowest, first), *steps)


def states(names: Mapping[int, tuple[str, str]]) -> list[Json]:
    """Value mappings from a number to a text and a colour."""
    return words({str(value): shown for value, shown in names.items()})


def words(names: Mapping[str, tuple[str, str]]) -> list[Json]:
    """Value mappings from a text to another and a colour, or an empty one for that of the text."""
    options = {
        value: ({"color": color} if color else {}) | {"index": index, "text": Text(text)}
        for index, (value, (text, color)) in enumerate(names.items())
    }
    return [{"type": "value", "options": options}]


def spans(*ranges: tuple[float | None, float | None, str, str]) -> list[Json]:
    """Value mappings from a range (from, to, text, colour) to a text and a colour; None is no end."""
    return [
        {
            "type": "range",
            "options": {
                "from": -_ANY if low is None else low,
                "to": _ANY if high is None else high,
                "result": {"color": color, "index": index, "text": Text(text)},
            },
        }
        for index, (low, high, text, color) in enumerate(ranges)
    ]


def only_if_now(expression: str) -> Json:
    """The expression over the time range, of those series alone that are there at its end.

    For a big number with a curve behind it: the last value of a series that has ended is not that of now.
    """
    return query(f"{expression} and {expression} @ end()", "{{bridge}}")


def override(ref: str, **properties: Any) -> Json:
    """Other field options for one query; the names are those of Grafana with `__` for a dot."""
    return {
        "matcher": {"id": "byFrameRefID", "options": ref},
        "properties": [{"id": name.replace("__", "."), "value": value} for name, value in properties.items()],
    }


def shades(ref: str, color: str) -> Json:
    """Shades of one colour for the curves of one query."""
    return override(ref, color={"mode": "shades", "fixedColor": color})


def colored(ref: str, color: str) -> Json:
    """One fixed colour for one query."""
    return override(ref, color={"mode": "fixed", "fixedColor": color})


def below_zero(ref: str, color: str) -> Json:
    """One fixed colour for one query that is drawn below zero; its legend and tooltip have no sign."""
    return override(ref, color={"mode": "fixed", "fixedColor": color}, custom__transform="negative-Y")


def panel(
    kind: str,
    title: str,
    description: str,
    queries: Sequence[Json],
    *,
    width: int,
    unit: str,
    options: Json,
    custom: Json | None = None,
    color: Json | None = None,
    limits: Json | None = None,
    mappings: Sequence[Json] = (),
    overrides: Sequence[Json] = (),
    decimals: int | None = None,
    low: float | None = None,
    high: float | None = None,
    nothing: str = "",
    period: str = "",
    shift: str = "",
    transformations: Sequence[Json] = (),
) -> Json:
    """A panel without its place.

    `nothing` is shown without data; `period` and `shift` replace the time range. Raises ValueError for
    queries with different steps.
    """
    steps = {target["interval"] for target in queries if "interval" in target}
    if len(steps) > 1:
        raise ValueError(f"{title}: a panel has one step, not {sorted(steps)}")
    defaults: Json = {
        "color": color or {"mode": "palette-classic"},
        "custom": custom or {},
        "mappings": list(mappings),
        "thresholds": limits or thresholds(GREEN),
        "unit": unit,
    }
    extra = {"decimals": decimals, "min": low, "max": high, "noValue": Text(nothing) if nothing else None}
    defaults |= {name: value for name, value in extra.items() if value is not None}
    result: Json = {
        "type": kind,
        "title": Text(title),
        "description": Texts((Text(description), OWN_RANGE)) if period else Text(description),
        "datasource": DATASOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": list(overrides)},
        "gridPos": {"w": width},
        "options": options,
        "pluginVersion": "10.0.0",
        "targets": [target | {"refId": chr(ord("A") + index)} for index, target in enumerate(queries)],
        "transformations": list(transformations),
    }
    for step in steps:
        result |= {"interval": step, "maxDataPoints": STEP_OF_DAYS if step == "1d" else 11_000}
    if period:
        # The title says which; Grafana's own words for it would leave no room for it.
        result |= {"hideTimeOverride": True, "timeFrom": period}
    if shift:
        result["timeShift"] = shift
    return result


Change = Literal["", "standard", "inverted"]
"""No change, or one in which more is good, or in which it is bad."""


def stat(
    title: str,
    description: str,
    *queries: Json,
    width: int,
    unit: str,
    spark: bool = False,
    change: Change = "",
    alone: bool = False,
    **field: Any,
) -> Json:
    """Big numbers, one a series, with its legend if it has one; coloured by limits or as given.

    `spark` draws the curve of the time range behind them; `change` tells by how much the last value of what
    the transformations leave differs from the first. One that is often `alone` is named beside others only.
    """
    colors = field.pop("color", {"mode": "thresholds"})
    # What is not there, or in none of the mappings, has no colour.
    field.setdefault("limits", thresholds(TEXT))
    several = len(queries) > 1 and not change
    options = {
        "colorMode": "value",
        "graphMode": "area" if spark else "none",
        "justifyMode": "auto",
        # Side by side, several values are too small to be read in a narrow panel.
        "orientation": "horizontal" if width < (2 * len(queries) + 2 if several else 6) else "auto",
        "percentChangeColorMode": change or "standard",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "showPercentChange": bool(change),
        # A bridge is named only among several; what each of several queries is about is always said.
        "textMode": "value_and_name" if several and not alone else "auto",
        # A name and a number in one narrow line are both in tiny letters; a number alone has all the room.
        "wideLayout": not alone,
    }
    if alone:
        options["text"] = {"titleSize": 12}
    if len(queries) > 3:
        # Four lines below one another would be in small print.
        options["text"] = {"titleSize": 14, "valueSize": 18}
    return panel(
        "stat", title, description, queries, width=width, unit=unit, options=options, color=colors, **field
    )


def curve(
    title: str,
    description: str,
    *queries: Json,
    width: int,
    unit: str,
    bars: bool = False,
    stacked: bool = False,
    lines: bool = False,
    fill: int = 10,
    usual: tuple[float, float] | None = None,
    calcs: Iterable[str] = (),
    scheme: bool = False,
    log: bool = False,
    **field: Any,
) -> Json:
    """Values over time, as lines or as bars that begin at their time.

    `lines` draws the limits too, `scheme` colours each part of a line by them; `usual` is a range that is
    always in sight. `log` is for values of which some are a thousand times as high as others.
    """
    if scheme:
        field["color"] = {"mode": "thresholds"}
    if bars:
        # Otherwise the axis begins at the lowest bar but for some room, and that bar looks like nothing.
        usual = (0, 0)
    custom: Json = {
        "axisBorderShow": False,
        "axisCenteredZero": False,
        "barAlignment": 1 if bars else 0,
        "drawStyle": "bars" if bars else "line",
        "fillOpacity": 80 if bars else fill,
        "gradientMode": "scheme" if scheme else "none",
        "lineWidth": 1,
        # A lone point has no line.
        "showPoints": "never" if bars else "auto",
        "spanNulls": False,
        "stacking": {"group": "A", "mode": "normal" if stacked else "none"},
        "thresholdsStyle": {"mode": "dashed" if lines else "off"},
    }
    if usual:
        custom |= {"axisSoftMin": usual[0], "axisSoftMax": usual[1]}
    if log:
        custom["scaleDistribution"] = {"log": 10, "type": "log"}
    options = {
        "legend": {"calcs": list(calcs), "displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return panel(
        "timeseries",
        title,
        description,
        queries,
        width=width,
        unit=unit,
        options=options,
        custom=custom,
        **field,
    )


def counted(title: str, description: str, *queries: Json, width: int, nothing: str) -> Json:
    """What happened, how often a minute: bars, those of each kind on the others."""
    return curve(
        title,
        description,
        *queries,
        width=width,
        unit="suffix:/min",
        bars=True,
        stacked=True,
        nothing=nothing,
    )


def timeline(
    title: str, description: str, *queries: Json, width: int, mappings: Sequence[Json], **field: Any
) -> Json:
    """States over time, one bar a series."""
    options = {
        "alignValue": "left",
        "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": False},
        "mergeValues": True,
        "rowHeight": 0.8,
        "showValue": "auto",
        "tooltip": {"mode": "single", "sort": "none"},
    }
    custom = {"fillOpacity": 80, "lineWidth": 0, "spanNulls": False}
    return panel(
        "state-timeline",
        title,
        description,
        queries,
        width=width,
        unit="none",
        options=options,
        custom=custom,
        color={"mode": "thresholds"},
        mappings=mappings,
        **field,
    )


def table(title: str, description: str, *queries: Json, width: int, unit: str, **field: Any) -> Json:
    """Rows and columns; the transformations say which."""
    options = {"cellHeight": "sm", "showHeader": True}
    custom = {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False, "minWidth": 90}
    # Without these, an empty cell would show what is said when the whole table is empty.
    unknown = [
        {
            "matcher": {"id": "byType", "options": kind},
            "properties": [{"id": "noValue", "value": "-"}],
        }
        for kind in ("number", "string")
    ]
    return panel(
        "table",
        title,
        description,
        queries,
        width=width,
        unit=unit,
        options=options,
        custom=custom | field.pop("custom", {}),
        overrides=[*unknown, *field.pop("overrides", ())],
        **field,
    )


def histogram(
    title: str, description: str, *queries: Json, width: int, unit: str, bucket: float, **field: Any
) -> Json:
    """How often values occur, in buckets of the given width."""
    options = {
        "bucketOffset": 0,
        "bucketSize": bucket,
        "combine": False,
        "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True},
    }
    custom = {"fillOpacity": 80, "gradientMode": "none", "lineWidth": 1}
    return panel(
        "histogram",
        title,
        description,
        queries,
        width=width,
        unit=unit,
        options=options,
        custom=custom,
        **field,
    )


def heatmap(
    title: str, description: str, target: Json, *, width: int, rows: str, cells: str, **field: Any
) -> Json:
    """How much of a histogram falls into each bucket over time; units of its rows and of its cells."""
    options = {
        "calculate": False,
        "cellGap": 1,
        "cellValues": {"decimals": 0, "unit": cells},
        "color": {
            "exponent": 0.5,
            "fill": "dark-orange",
            "mode": "scheme",
            "reverse": False,
            "scale": "exponential",
            "scheme": "Purples",
            "steps": 64,
        },
        "exemplars": {"color": "rgba(255,0,255,0.7)"},
        # What never occurs has no cell.
        "filterValues": {"le": 1e-9},
        "legend": {"show": True},
        "rowsFrame": {"layout": "auto"},
        "showValue": "never",
        "tooltip": {"mode": "single", "showColorScale": False, "yHistogram": False},
        "yAxis": {"axisPlacement": "left", "reverse": False, "unit": rows},
    }
    custom: Json = {
        "hideFrom": {"legend": False, "tooltip": False, "viz": False},
        "scaleDistribution": {"type": "linear"},
    }
    return panel(
        "heatmap",
        title,
        description,
        [target],
        width=width,
        unit=cells,
        options=options,
        custom=custom,
        **field,
    )


def bargauge(title: str, description: str, *queries: Json, width: int, unit: str, **field: Any) -> Json:
    """A bar for each series, as long as its value within `low` and `high`, coloured by the limits."""
    options = {
        "displayMode": "basic",
        "minVizHeight": 16,
        "minVizWidth": 8,
        "orientation": "horizontal",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "showUnfilled": True,
        "valueMode": "color",
    }
    return panel(
        "bargauge",
        title,
        description,
        queries,
        width=width,
        unit=unit,
        options=options,
        color={"mode": "thresholds"},
        **field,
    )


def barchart(title: str, description: str, *queries: Json, width: int, unit: str, **field: Any) -> Json:
    """A bar for each row of what the transformations leave; the first text column names it."""
    options = {
        "barWidth": 0.9,
        "groupWidth": 0.8,
        "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": False},
        "orientation": "vertical",
        "showValue": "auto",
        "stacking": "none",
        # Otherwise two bars have their values in letters larger than those of the title.
        "text": {"valueSize": 14},
        "tooltip": {"mode": "single", "sort": "none"},
        "xTickLabelRotation": 0,
        # The width of a name such as 2026-04 and some room; narrow panels leave names out.
        "xTickLabelSpacing": 60,
    }
    custom = {"axisCenteredZero": False, "fillOpacity": 80, "gradientMode": "none", "lineWidth": 0}
    return panel(
        "barchart",
        title,
        description,
        queries,
        width=width,
        unit=unit,
        options=options,
        custom=custom,
        **field,
    )


def for_each(variable: str, drawn: Json) -> Json:
    """The panel once for each chosen value of the variable, three side by side.

    Below it must stand a heading, or what is below would fill its gaps.
    """
    return drawn | {"maxPerRow": 3, "repeat": variable, "repeatDirection": "h"}


def called(name: str, words: str) -> Json:
    """Words for a series whose name is a label's value."""
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [{"id": "displayName", "value": Text(words)}],
    }


def column(name: str, **properties: Any) -> Json:
    """Field options for a column of a table, by its name in the end: a `Text` if it was renamed."""
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [{"id": key.replace("__", "."), "value": value} for key, value in properties.items()],
    }
