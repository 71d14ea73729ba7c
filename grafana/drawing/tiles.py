"""Panels of figures and words: stat, gauge, table, text, list of alerts."""

import itertools
import math

from grafana.drawing import theme
from grafana.drawing.canvas import Box, fitting
from grafana.drawing.display import colour_of
from grafana.drawing.page import Work
from grafana.query.frames import Cell, Field
from grafana.query.transform import reduced

_ROW = 36
_NARROWEST = 150
"""Width of a column unless it says otherwise; what does not fit is reached by scrolling."""
_HEAD = 13


def stat(work: Work) -> None:
    """The last value of each series, large, in the colour of its thresholds."""
    fields = [one for frame in work.frames for one in frame.value_fields]
    if not fields:
        return
    shown = [(one, reduced(one.values, _calc(work))) for one in fields]
    texts = [work.text(one, value) for one, value in shown]
    wide = work.box.w / len(shown) > 70 or work.box.h < 45 * len(shown)
    if work.option("orientation") == "vertical" or (work.box.w < 260 and len(shown) > 1):
        wide = False
    boxes = work.box.columns(len(shown)) if wide else work.box.rows(len(shown))
    named = len(shown) > 1 or work.option("textMode") in ("name", "value_and_name")
    value_room = 0.55 if named and wide else 0.7
    width = boxes[0].w - 24 if wide or not named else boxes[0].w * 0.55
    size = fitting(texts, width, boxes[0].h * value_room, largest=56)
    for box, (one, value), text in zip(boxes, shown, texts, strict=True):
        colour = colour_of(one, value)
        ground = work.option("colorMode") == "background"
        if ground:
            work.canvas.rectangle(box.inner(left=2, right=2, top=2, bottom=2), colour)
            colour = theme.readable_on(colour)
        _figure(work, box, one.title if named else "", text, colour, size, wide=wide)


def gauge(work: Work) -> None:
    """An arc for each series, filled as far as its value reaches."""
    fields = [one for frame in work.frames for one in frame.value_fields]
    for box, one in zip(work.box.columns(max(len(fields), 1)), fields, strict=False):
        value = reduced(one.values, _calc(work))
        low, high = float(one.config.get("min", 0)), float(one.config.get("max", 100))
        share = 0.0 if value is None else min(max((value - low) / ((high - low) or 1), 0), 1)
        colour = colour_of(one, value)
        side = min(box.w - 20, (box.h - 20) * 1.3)
        axes = work.canvas.axes(Box(box.x + (box.w - side) / 2, box.y + 4, side, side))
        axes.set_axis_off()
        axes.set_aspect("equal")
        axes.pie(
            [share * 0.7 or 0.001, 0.7 - share * 0.7, 0.3],
            colors=[colour, theme.GRID, "none"],
            startangle=216,
            counterclock=False,
            wedgeprops={"width": 0.22},
        )
        work.canvas.text(
            box.x + box.w / 2, box.y + 4 + side / 2, work.text(one, value), 26, colour=colour, align="center"
        )
        if len(fields) > 1:
            work.canvas.text(
                box.x + box.w / 2, box.y + box.h - 10, one.title, 12, align="center", width=box.w
            )


def table(work: Work) -> None:
    """Rows and columns as far as they fit, cells coloured where the column wants it."""
    frame = next(iter(work.frames), None)
    if frame is None or not frame.fields:
        return
    columns = frame.fields
    shown = int((work.box.h - _ROW) // _ROW)
    total = len(columns[0].values)
    widths = _widths(work, columns)
    x = work.box.x + 6
    for one, width in zip(columns, widths, strict=False):
        numbers = [value for value in one.numbers if not math.isnan(value)]
        low, high = min(numbers, default=0.0), max(numbers, default=1.0)
        numeric = bool(numbers) and not one.is_time and one.config.get("custom", {}).get("align") != "left"
        _cell(work, Box(x, work.box.y, width, _ROW), one.title, theme.colour("blue"), numeric=numeric)
        for row, value in enumerate(one.values[:shown]):
            box = Box(x, work.box.y + _ROW * (row + 1), width, _ROW)
            text, colour = _styled(work, one, value, box, low, high)
            _cell(work, box, text, colour, numeric=numeric)
        x += width
    for row in range(min(shown, total) + 1):
        y = work.box.y + _ROW * (row + 1)
        work.canvas.rectangle(Box(work.box.x + 4, y - 0.5, work.box.w - 8, 1), theme.GRID)
    hidden = [(total - shown, "rows below"), (len(columns) - len(widths), "columns to the right")]
    if note := ", ".join(f"{count} more {what}" for count, what in hidden if count > 0):
        y = work.box.y + work.box.h - 4
        work.canvas.text(work.box.x + work.box.w - 10, y, note, 11, colour=theme.FAINT, align="right")


def words(work: Work) -> None:
    """The text of a text panel, its Markdown as it is."""
    for number, line in enumerate(str(work.option("content", "")).splitlines()):
        work.canvas.text(work.box.x + 10, work.box.y + 12 + 20 * number, line, 13, width=work.box.w - 20)


def alerts(work: Work) -> None:
    """A list of alerts, which Grafana fills itself."""
    text = "Grafana lists the alerts here"
    work.canvas.text(work.box.x + 12, work.box.y + 18, text, _HEAD, colour=theme.FAINT, width=work.box.w - 20)


def _calc(work: Work) -> str:
    calcs = work.option("reduceOptions.calcs", ["lastNotNull"])
    return str(calcs[0])


def _figure(work: Work, box: Box, name: str, text: str, colour: str, size: float, *, wide: bool) -> None:
    middle = box.x + box.w / 2
    if not name:
        work.canvas.text(middle, box.y + box.h / 2, text, size, colour=colour, align="center")
    elif wide:
        work.canvas.text(middle, box.y + box.h * 0.2, name, 13, align="center", width=box.w - 10)
        work.canvas.text(middle, box.y + box.h * 0.6, text, size, colour=colour, align="center")
    else:
        y = box.y + box.h / 2
        work.canvas.text(box.x + 12, y, name, 13, width=box.w * 0.4)
        work.canvas.text(box.x + box.w - 12, y, text, size, colour=colour, align="right")


def _widths(work: Work, columns: list[Field]) -> list[float]:
    """Widths of the columns that can be seen without scrolling."""
    room = work.box.w - 12
    fixed = [one.config.get("custom", {}).get("width") for one in columns]
    least = [one.config.get("custom", {}).get("minWidth") or _NARROWEST for one in columns]
    even = (room - sum(width or 0 for width in fixed)) / max(sum(1 for width in fixed if not width), 1)
    widths = [float(width or max(even, low)) for width, low in zip(fixed, least, strict=True)]
    total = list(itertools.accumulate(widths))
    return [width for width, end in zip(widths, total, strict=True) if end <= room + 1]


def _styled(work: Work, one: Field, value: Cell, box: Box, low: float, high: float) -> tuple[str, str]:
    kind = one.config.get("custom", {}).get("cellOptions", {}).get("type") or one.config.get(
        "custom", {}
    ).get("displayMode", "auto")
    text = work.text(one, value)
    if value is None or kind == "auto":
        return text, theme.TEXT
    colour = colour_of(one, value, low, high)
    if kind.startswith("color-background"):
        work.canvas.rectangle(box.inner(left=1, right=1, top=1, bottom=1), colour)
        return text, theme.readable_on(colour)
    return text, colour


def _cell(work: Work, box: Box, text: str, colour: str, *, numeric: bool) -> None:
    x, align = (box.x + box.w - 8, "right") if numeric else (box.x + 8, "left")
    work.canvas.text(x, box.y + box.h / 2, text, _HEAD, colour=colour, align=align, width=box.w - 10)
