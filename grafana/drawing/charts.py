"""Charts over time: lines, bars, states; and those over values: bars by name, histograms."""

import itertools
import math
from typing import Any

from grafana.drawing import theme
from grafana.drawing.canvas import Box, text_width
from grafana.drawing.display import colour_of, text_of
from grafana.drawing.page import Work, time_ticks
from grafana.drawing.units import formatted
from grafana.query.frames import Field
from grafana.query.transform import reduced, reducer_name

_LEGEND_LINE = 18


def timeseries(work: Work) -> None:
    """Lines or bars over time, stacked if the panel wants it, with its thresholds as dashed lines."""
    series = [(frame, one) for frame in work.frames for one in frame.value_fields]
    box = _with_legend(work, [one for _, one in series])
    axes = work.canvas.axes(box.inner(left=62, right=12, top=6, bottom=22))
    _time_axis(axes, work, box)
    above: dict[float, float] = {}
    below: dict[float, float] = {}
    highs: list[float] = []
    for frame, one in series:
        times, values = frame.times, one.numbers
        custom = one.config.get("custom", {})
        base = [0.0] * len(values)
        if custom.get("stacking", {}).get("mode") == "normal":
            base = [
                (below if value < 0 else above).get(time, 0.0)
                for time, value in zip(times, values, strict=True)
            ]
            for time, value, low in zip(times, values, base, strict=True):
                if not math.isnan(value):
                    (below if value < 0 else above)[time] = low + value
        _draw(axes, times, values, base, one, custom)
        highs += [low + value for low, value in zip(base, values, strict=True) if not math.isnan(value)]
        # Bars and stacks stand on zero; a line that stays far from it is drawn close up, filled or not.
        if custom.get("drawStyle") == "bars" or any(base):
            highs.append(0.0)
    if highs:
        room = (max(highs) - min(highs) or abs(max(highs)) or 1.0) * 0.08
        floor = 0.0 if min(highs) >= 0 and min(highs) - room < 0 else min(highs) - room
        axes.set_ylim(floor, max(highs) + room)
        _value_axis(axes, work, series[0][1])
        _threshold_lines(axes, series[0][1])
    axes.set_xlim(work.range.begin, work.range.end)


def barchart(work: Work) -> None:
    """A bar for each row of a table, named by its first text."""
    box = work.box
    frame = next(iter(work.frames), None)
    fields = frame.value_fields if frame else []
    if frame is None or not fields:
        return
    names = next((one.values for one in frame.fields if one not in fields and not one.is_time), [])
    axes = work.canvas.axes(box.inner(left=62, right=12, top=18, bottom=24))
    width = 0.8 / len(fields)
    for number, one in enumerate(fields):
        places = [index - 0.4 + width * (number + 0.5) for index in range(len(one.values))]
        values = one.numbers
        colours = [colour_of(one, value) for value in one.values]
        axes.bar(places, [0 if math.isnan(v) else v for v in values], width * 0.9, color=colours, alpha=0.85)
        for place, value in zip(places, values, strict=True):
            if not math.isnan(value):
                text = text_of(one, value, work.now, work.zone)
                axes.annotate(
                    text, (place, value), (0, 3 if value >= 0 else -10), textcoords="offset points",
                    ha="center", color=theme.TEXT, fontsize=7.5,
                )  # fmt: skip
    axes.set_xticks(range(len(names)), [str(name) for name in names])
    axes.margins(y=0.15)
    axes.grid(visible=False, axis="x")
    _value_axis(axes, work, fields[0])


def histogram(work: Work) -> None:
    """How often values lie in each of many buckets."""
    fields = [one for frame in work.frames for one in frame.value_fields]
    box = _with_legend(work, fields)
    axes = work.canvas.axes(box.inner(left=62, right=12, top=6, bottom=22))
    size = float(work.option("bucketSize", 0) or 0)
    for one in fields:
        numbers = [value for value in one.numbers if not math.isnan(value)]
        width = size or (max(numbers) - min(numbers)) / 30 or 1.0
        counts: dict[float, int] = {}
        for value in numbers:
            place = math.floor(value / width) * width
            counts[place] = counts.get(place, 0) + 1
        axes.bar(
            list(counts),
            list(counts.values()),
            width * 0.95,
            align="edge",
            color=colour_of(one, None),
            alpha=0.8,
        )
    if fields:
        unit = str(fields[0].config.get("unit", ""))
        axes.xaxis.set_major_formatter(lambda value, _: formatted(round(float(value), 9), unit))


def state_timeline(work: Work) -> None:
    """A band for each series, coloured by its state over time."""
    series = [(frame, one) for frame in work.frames for one in frame.value_fields]
    if not series:
        return
    widest = max(text_width(one.title, 12) for _, one in series)
    left = min(widest + 18, work.box.w * 0.3)
    area = work.box.inner(left=left, right=12, top=4, bottom=22)
    axes = work.canvas.axes(area)
    _time_axis(axes, work, area)
    axes.grid(visible=False)
    axes.set_ylim(len(series) - 0.5, -0.5)
    axes.set_yticks([])
    for row, (frame, one) in enumerate(series):
        middle = area.y + (row + 0.5) * area.h / len(series)
        work.canvas.text(
            area.x - 8, middle, one.title, 12, align="right", width=left - 14, colour=theme.FAINT
        )
        for begin, end, value in _runs(frame.times, one, work.range.end):
            colour = colour_of(one, value)
            axes.barh(row, end - begin, 0.8, begin, color=colour, alpha=0.85)
            text = work.text(one, value)
            share = (end - begin) / (work.range.end - work.range.begin)
            if text_width(text, 12) + 10 < share * area.w:
                axes.text(begin, row, f" {text}", va="center", fontsize=8.6, color=theme.readable_on(colour))
    axes.set_xlim(work.range.begin, work.range.end)


def _runs(times: list[float], one: Field, end: float) -> list[tuple[float, float, float]]:
    """Begin, end and value of every stretch of time without a change."""
    runs: list[tuple[float, float, float]] = []
    begin, value = 0.0, math.nan
    for time, number in zip([*times, end], [*one.numbers, math.nan], strict=True):
        if number != value:
            if not math.isnan(value):
                runs.append((begin, time, value))
            begin, value = time, number
    return runs


def _draw(
    axes: Any, times: list[float], values: list[float], base: list[float], one: Field, custom: dict[str, Any]
) -> None:
    colour = colour_of(one, None)
    if one.config.get("color", {}).get("mode") == "thresholds":
        colour = colour_of(one, reduced(one.values, "last"))
    fill = custom.get("fillOpacity", 0) / 100
    tops = [low + value for low, value in zip(base, values, strict=True)]
    if custom.get("drawStyle") == "bars":
        step = min((b - a for a, b in itertools.pairwise(times)), default=86_400.0)
        shift = {1: 0.5, -1: -0.5}.get(custom.get("barAlignment", 0), 0.0) * step
        style = {"color": colour, "edgecolor": colour, "linewidth": 0.8, "alpha": max(fill, 0.3)}
        axes.bar([time + shift for time in times], values, step * 0.85, base, **style)
        return
    where = custom.get("lineInterpolation") == "stepAfter"
    drawstyle = "steps-post" if where else "default"
    axes.plot(times, tops, color=colour, linewidth=1.2 * custom.get("lineWidth", 1), drawstyle=drawstyle)
    if fill:
        axes.fill_between(
            times, tops, base, color=colour, alpha=fill, linewidth=0, step="post" if where else None
        )


def _with_legend(work: Work, fields: list[Field]) -> Box:
    """Draw the legend at the bottom; the box that is left."""
    if not fields or not work.option("legend.showLegend", default=False):
        return work.box
    calcs = work.option("legend.calcs", [])
    items = []
    for one in fields:
        parts = [one.title]
        for calc in calcs:
            value = reduced(one.values, calc)
            parts.append(f"{reducer_name(calc)}: {work.text(one, value)}")
        items.append(("   ".join(parts), colour_of(one, reduced(one.values, "last"))))
    lines: list[list[tuple[str, str]]] = [[]]
    room = work.box.w - 24
    for item in items:
        used = sum(text_width(text, 11) + 36 for text, _ in lines[-1])
        if lines[-1] and used + text_width(item[0], 11) + 36 > room:
            lines.append([])
        lines[-1].append(item)
    height = len(lines) * _LEGEND_LINE
    for number, line in enumerate(lines):
        x = work.box.x + 12
        y = work.box.y + work.box.h - height + (number + 0.5) * _LEGEND_LINE - 2
        for text, colour in line:
            work.canvas.rectangle(Box(x, y - 2, 14, 3), colour)
            work.canvas.text(x + 19, y, text, 11, colour=theme.FAINT, width=room - 20)
            x += text_width(text, 11) + 36
    return work.box.inner(bottom=height + 2)


def _time_axis(axes: Any, work: Work, box: Box) -> None:
    ticks, names = time_ticks(work.range, work.zone, max(2, int(box.w / 85)))
    axes.set_xticks(ticks, names)


def _value_axis(axes: Any, work: Work, one: Field) -> None:
    unit, decimals = str(one.config.get("unit", "")), one.config.get("decimals")
    low, high = one.config.get("min"), one.config.get("max")
    bottom, top = axes.get_ylim()
    axes.set_ylim(bottom if low is None else low, top if high is None else high)
    axes.locator_params(axis="y", nbins=max(3, int(work.box.h / 40)))
    axes.yaxis.set_major_formatter(lambda value, _: formatted(round(float(value), 9), unit, decimals))


def _threshold_lines(axes: Any, one: Field) -> None:
    if one.config.get("custom", {}).get("thresholdsStyle", {}).get("mode", "off") == "off":
        return
    bottom, top = axes.get_ylim()
    for step in one.config.get("thresholds", {}).get("steps", []):
        value = step.get("value")
        if value is not None and bottom <= value <= top:
            axes.axhline(value, color=theme.colour(step["color"]), linewidth=1, linestyle="--", alpha=0.7)
