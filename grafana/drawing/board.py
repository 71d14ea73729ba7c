"""A whole dashboard: the panels at their places, under a line that says what this picture is."""

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from grafana.drawing import charts, theme, tiles
from grafana.drawing.canvas import Box, Canvas
from grafana.drawing.display import configure
from grafana.drawing.page import Work
from grafana.query import interpolate, timerange
from grafana.query.frames import Frame, frames
from grafana.query.interpolate import Context, Query
from grafana.query.source import Series, Source
from grafana.query.transform import transformed

NOTICE: Final = "Preview drawn by grafana/preview.py, not Grafana"

_WIDTH: Final = 1600
_COLUMN: Final = (_WIDTH - 16) / 24
_ROW: Final = 38
_HEAD: Final = 58
_TITLE: Final = 30

_DRAWN: Final[Mapping[str, Callable[[Work], None]]] = {
    "alertlist": tiles.alerts,
    "barchart": charts.barchart,
    "gauge": tiles.gauge,
    "histogram": charts.histogram,
    "stat": tiles.stat,
    "state-timeline": charts.state_timeline,
    "table": tiles.table,
    "text": tiles.words,
    "timeseries": charts.timeseries,
}


def draw(dashboard: dict[str, Any], context: Context, source: Source, path: Path) -> None:
    """Draw a dashboard as it is at the context's moment into a PNG file."""
    panels = [*dashboard["panels"], *_collapsed(dashboard)]
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    canvas = Canvas(_WIDTH, _HEAD + rows * _ROW + 12)
    _head(canvas, dashboard, context)
    for panel in panels:
        at = panel["gridPos"]
        box = Box(8 + at["x"] * _COLUMN, _HEAD + at["y"] * _ROW, at["w"] * _COLUMN, at["h"] * _ROW)
        box = box.inner(left=4, right=4, top=4, bottom=4)
        if panel["type"] == "row":
            canvas.text(box.x + 6, box.y + box.h / 2, f"⌄  {panel['title']}", 16, weight="bold")
        else:
            _panel(canvas, box, panel, context, source)
    canvas.save(path)


def answers(panel: dict[str, Any], context: Context, source: Source) -> list[tuple[Query, list[Series]]]:
    """The queries of a panel and their answers."""
    return [(query, source.run(query)) for query in interpolate.queries(panel, context)]


def shown(panel: dict[str, Any], context: Context, source: Source) -> list[Frame]:
    """What a panel shows: its frames, transformed and configured."""
    found = transformed(frames(answers(panel, context, source)), panel.get("transformations", []))
    configure(found, panel.get("fieldConfig", {}))
    return found


def _panel(canvas: Canvas, box: Box, panel: dict[str, Any], context: Context, source: Source) -> None:
    canvas.panel(box)
    note = _time_note(panel)
    canvas.text(box.x + 10, box.y + 16, panel["title"], 14, weight="bold", width=box.w - 20 - 7 * len(note))
    canvas.text(box.x + box.w - 10, box.y + 16, note, 11, colour=theme.FAINT, align="right")
    found = shown(panel, context, source)
    work = Work(
        canvas=canvas,
        box=box.inner(left=2, right=2, top=_TITLE, bottom=6),
        panel=panel,
        frames=found,
        range=interpolate.panel_range(panel, context),
        now=context.now,
        zone=context.zone,
    )
    if panel.get("targets") and not any(one.values for frame in found for one in frame.fields):
        text = panel["fieldConfig"]["defaults"].get("noValue", "No data")
        middle = work.box.y + work.box.h / 2
        canvas.text(box.x + box.w / 2, middle, text, 14, colour=theme.FAINT, align="center", width=box.w - 16)
    else:
        _DRAWN[panel["type"]](work)


def _head(canvas: Canvas, dashboard: dict[str, Any], context: Context) -> None:
    canvas.text(16, 22, dashboard["title"], 22, weight="bold")
    at = datetime.fromtimestamp(context.now, context.zone).strftime("%Y-%m-%d %H:%M:%S")
    chosen = "   ".join(
        f"{item.get('label') or item['name']}: {_chosen(context, item['name'])}"
        for item in dashboard["templating"]["list"]
        if item["name"] in context.variables and item["type"] != "datasource" and not item.get("hide")
    )
    canvas.text(16, 46, chosen, 12, colour=theme.FAINT)
    times = f"{context.time_from} to {context.time_to}, {at}"
    canvas.text(_WIDTH - 16, 46, times, 12, colour=theme.FAINT, align="right")
    canvas.text(_WIDTH - 16, 20, NOTICE, 15, colour=theme.colour("orange"), align="right", weight="bold")


def _chosen(context: Context, name: str) -> str:
    values = context.variables[name].values
    return "All" if interpolate.ALL in values else ", ".join(values)


def _time_note(panel: Mapping[str, Any]) -> str:
    if panel.get("hideTimeOverride"):
        return ""
    return timerange.label(panel.get("timeFrom") or "", panel.get("timeShift") or "")


def _collapsed(dashboard: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The panels of collapsed rows, drawn where they are when opened."""
    return [inner for row in dashboard["panels"] for inner in row.get("panels", [])]
