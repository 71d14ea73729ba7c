"""What Grafana makes of a panel before it asks Prometheus: variables, intervals, ranges, aligned steps.

Follows the Prometheus data source of Grafana 10 to 13. Pure: what only a server knows is given.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any, Final, Literal

from grafana.query import timerange
from grafana.query.timerange import TimeRange, seconds_of

Json = dict[str, Any]

ALL: Final = "$__all"

_VARIABLE: Final = re.compile(r"\$(\w+)|\$\{(\w+)(?::(\w+))?\}|\[\[(\w+?)(?::(\w+))?\]\]")
_REGEX_SPECIAL: Final = re.compile(r"[$^*{}\[\]'+?.()|]")
_LABEL_VALUES: Final = re.compile(r"label_values\((?:(?P<selector>.+),)?\s*(?P<label>\w+)\s*\)", re.DOTALL)
_PLACEHOLDER: Final = re.compile(r"\{\{\s*(.+?)\s*\}\}")

_MOST_POINTS: Final = 11_000
"""Points that Prometheus answers at most; Grafana never asks for more."""

_PIXELS_PER_COLUMN: Final = 75
"""Width of one of the 24 columns on a usual screen: as many points as pixels."""

_NICE: Final = (
    *((0.015, 0.01), (0.035, 0.02), (0.075, 0.05), (0.15, 0.1), (0.35, 0.2), (0.75, 0.5), (1.5, 1)),
    *((3.5, 2), (7.5, 5), (12.5, 10), (17.5, 15), (25, 20), (45, 30), (90, 60), (210, 120), (450, 300)),
    *((750, 600), (1050, 900), (1500, 1200), (2700, 1800), (5400, 3600), (9000, 7200), (16_200, 10_800)),
    *((32_400, 21_600), (86_400, 43_200), (604_800, 86_400), (1_814_400, 604_800), (3_628_800, 2_592_000)),
)
"""Below so many seconds, an interval is rounded to so many."""


class InterpolationError(Exception):
    """An expression or a panel that Grafana could not make a query of."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A dashboard variable as chosen; a `multi` one is put into regular expressions."""

    values: tuple[str, ...]
    multi: bool = False
    all_value: str = ""
    options: tuple[str, ...] = ()

    def text(self, form: str = "") -> str:
        """What stands in its place in an expression, in the given format."""
        if ALL in self.values:
            if self.all_value:
                return self.all_value
            return _joined(self.options, form)
        if form == "" and not self.multi:
            return self.values[0].replace("\\", "\\\\").replace("'", r"\\'") if self.values else ""
        return _joined(self.values, form)


@dataclass(frozen=True, slots=True)
class Context:
    """The moment, the viewer's zone, the data source's scrape interval in s, the dashboard's choices.

    The zone is `chosen` if it is set in Grafana, of the dashboard, the user or all, and not the browser's.
    """

    now: float
    zone: tzinfo
    scrape_interval: float
    time_from: str
    time_to: str = "now"
    variables: Mapping[str, Variable] = field(default_factory=dict)
    zone_chosen: bool = False

    @property
    def relative(self) -> bool:
        """Whether the range moves on with the clock."""
        return "now" in self.time_from or "now" in self.time_to

    @property
    def range(self) -> TimeRange:
        """The range in the dashboard's time picker."""
        begin = timerange.moment(self.time_from, self.now, self.zone)
        return TimeRange(begin, timerange.moment(self.time_to, self.now, self.zone, round_up=True))


@dataclass(frozen=True, slots=True)
class Query:
    """What goes to Prometheus: an instant query at `end`, or a range query with a step in seconds."""

    expr: str
    kind: Literal["instant", "range"]
    begin: float
    end: float
    step: float
    ref: str = ""
    legend: str = ""
    format: str = "time_series"


def variables(dashboard: Json, chosen: Mapping[str, Sequence[str]] | None = None) -> dict[str, Variable]:
    """The dashboard's variables with their current values, or those chosen instead."""
    found = {}
    for item in dashboard.get("templating", {}).get("list", []):
        current = item.get("current", {}).get("value", item.get("query", ""))
        values = (chosen or {}).get(item["name"], current)
        multi = bool(item.get("multi") or item.get("includeAll"))
        found[item["name"]] = Variable(
            values=(values,) if isinstance(values, str) else tuple(values),
            multi=multi and item["type"] != "textbox",
            all_value=item.get("allValue") or "",
            options=tuple(str(option["value"]) for option in item.get("options", [])),
        )
    return found


def label_values(query: str) -> tuple[str, str] | None:
    """Selector (may be empty) and label of a `label_values(…)` query; None for a query of another kind."""
    match = _LABEL_VALUES.fullmatch(query.strip())
    return ((match["selector"] or "").strip(), match["label"]) if match else None


def panels(dashboard: Json) -> Iterator[Json]:
    """All panels but rows, those in collapsed rows too."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel.get("panels", [])
        else:
            yield panel


def panel_range(panel: Json, context: Context) -> TimeRange:
    """The range of a panel, whose own `timeShift` goes first, and `timeFrom` too in a relative range."""
    found = context.range
    if (own := panel.get("timeFrom")) and context.relative:
        found = timerange.described(own, context.now, context.zone)
    if back := panel.get("timeShift"):
        found = timerange.shift(back, found, context.zone)
    return found


def queries(panel: Json, context: Context) -> Iterator[Query]:
    """The queries of a panel, hidden targets left out."""
    stretch = panel_range(panel, context)
    points = panel.get("maxDataPoints") or panel["gridPos"]["w"] * _PIXELS_PER_COLUMN
    lowest = seconds_of(interpolate(own, context, stretch)) if (own := panel.get("interval")) else None
    for target in panel.get("targets", []):
        if not target.get("hide"):
            yield query(target, context, stretch, points, lowest)


def query(
    target: Json, context: Context, stretch: TimeRange, points: int, lowest: float | None = None
) -> Query:
    """The query of one target over a range, for so many points, with a step of `lowest` s at least."""
    scrape = context.scrape_interval
    if own := target.get("interval"):
        # Grafana takes the smallest step of a target, not of a panel, for its scrape interval.
        lowest = scrape = seconds_of(interpolate(own, context, stretch))
    step = step_of(stretch, points, lowest or scrape)
    # In an absolute range Grafana, since 11.6, does not ask the browser for its zone, but takes UTC.
    known = context.relative or context.zone_chosen
    offset = timerange.utc_offset(stretch.end, context.zone) if known else 0.0
    instant = bool(target.get("instant"))
    begin, end = stretch.begin, stretch.end
    if not instant:
        # Steps begin where the viewer's days do.
        begin, end = (math.floor((time + offset) / step) * step - offset for time in (begin, end))
    return Query(
        expr=interpolate(target["expr"], context, stretch, step, scrape),
        kind="instant" if instant else "range",
        begin=begin,
        end=end,
        step=step,
        ref=target.get("refId", ""),
        legend=target.get("legendFormat", ""),
        format=target.get("format", "time_series"),
    )


def annotation(item: Json, context: Context) -> Query:
    """The query of an annotation over the dashboard's range, a step of 60 s unless it has its own."""
    target = {"expr": item["expr"]}
    lowest = seconds_of(item.get("step") or "60s")
    return query(target, context, context.range, _MOST_POINTS, lowest)


def step_of(stretch: TimeRange, points: int, lowest: float) -> float:
    """Step in seconds for so many points over a range, rounded as Grafana does, `lowest` at least."""
    length = stretch.end - stretch.begin
    exact = length / points
    step = lowest if exact < lowest else nice(exact)
    return max(step, nice(length / _MOST_POINTS))


def nice(interval: float) -> float:
    """The round interval next to one in seconds."""
    return next((float(rounded) for limit, rounded in _NICE if interval < limit), 31_536_000.0)


def rate_interval(step: float, scrape: float) -> float:
    """Seconds of `$__rate_interval`: four scrapes at least, so that two samples always lie in it."""
    return max(step + scrape, 4 * scrape)


def interpolate(
    text: str,
    context: Context,
    stretch: TimeRange,
    step: float | None = None,
    scrape: float | None = None,
) -> str:
    """The text with its variables replaced, for a step and scrapes in seconds; `$1` of a regex stays.

    Raises InterpolationError for an unknown variable.
    """
    interval = context.scrape_interval if step is None else step
    rate = rate_interval(interval, scrape or context.scrape_interval)
    builtin = {
        "__interval": duration(interval),
        "__interval_ms": f"{interval * 1000:.0f}",
        "__rate_interval": duration(rate),
        "__rate_interval_ms": f"{rate * 1000:.0f}",
        "__range": f"{stretch.seconds}s",
        "__range_s": f"{stretch.seconds}",
        "__range_ms": f"{(stretch.end - stretch.begin) * 1000:.0f}",
        "__from": f"{stretch.begin * 1000:.0f}",
        "__to": f"{stretch.end * 1000:.0f}",
    }

    def replaced(match: re.Match[str]) -> str:
        name = match[1] or match[2] or match[4]
        form = match[3] or match[5] or ""
        if name.isdigit():
            return match[0]
        if name in builtin:
            return builtin[name]
        if name not in context.variables:
            raise InterpolationError(f"the variable ${name} in {text!r} is not one of the dashboard")
        return context.variables[name].text(form)

    return _VARIABLE.sub(replaced, text)


def duration(seconds: float) -> str:
    """Seconds as PromQL writes them, in the largest unit that divides them."""
    milliseconds = round(seconds * 1000)
    for unit in ("w", "d", "h", "m", "s"):
        count, rest = divmod(milliseconds, int(timerange.SECONDS[unit] * 1000))
        if count and not rest:
            return f"{count}{unit}"
    return f"{milliseconds}ms"


def placeholders(legend: str) -> list[str]:
    """The labels that a legend such as `{{bridge}} L1` wants."""
    return _PLACEHOLDER.findall(legend)


def legend(text: str, labels: Mapping[str, str]) -> str:
    """The name of a series; without a legend all its labels, as Grafana shows them."""
    if text and text != "__auto":
        return _PLACEHOLDER.sub(lambda match: labels.get(match[1], ""), text)
    if set(labels) - {"__name__"} and text == "__auto" and len(set(labels) - {"__name__"}) == 1:
        return next(value for key, value in labels.items() if key != "__name__")
    shown = ", ".join(f'{key}="{value}"' for key, value in sorted(labels.items()) if key != "__name__")
    return labels.get("__name__", "") + (f"{{{shown}}}" if shown or "__name__" not in labels else "")


def _joined(values: Sequence[str], form: str) -> str:
    if form == "raw":
        return ",".join(values)
    if form == "pipe":
        return "|".join(values)
    if form == "csv":
        return ",".join(values)
    if form not in ("", "regex"):
        raise InterpolationError(f"the format :{form} of a variable is not known here")
    # In the default format the expression's own string swallows one backslash, so there are two.
    escape = "\\" if form == "regex" else "\\\\"
    escaped = [_REGEX_SPECIAL.sub(lambda match: escape + match[0], value) for value in values]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"
