"""What a panel is drawn with: its canvas, its own part of it, the moment and the zone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

from grafana.drawing.canvas import Box, Canvas
from grafana.drawing.display import text_of
from grafana.query.frames import Cell, Field, Frame
from grafana.query.timerange import TimeRange, utc_offset


@dataclass(frozen=True, slots=True)
class Work:
    """A panel to be drawn into a box, with its frames; `now` is unix time."""

    canvas: Canvas
    box: Box
    panel: Mapping[str, Any]
    frames: list[Frame]
    range: TimeRange
    now: float
    zone: tzinfo

    def text(self, one: Field, value: Cell) -> str:
        """A value as its field shows it."""
        return text_of(one, value, self.now, self.zone)

    @property
    def options(self) -> Mapping[str, Any]:
        """The panel's options."""
        return dict(self.panel.get("options", {}))

    def option(self, path: str, default: Any = None) -> Any:
        """An option by its path, as in `legend.showLegend`."""
        found: Any = self.options
        for key in path.split("."):
            found = found.get(key, {}) if isinstance(found, Mapping) else {}
        return default if found in ({}, None) else found


_STEPS = (60, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 432_000, 604_800)


def time_ticks(stretch: TimeRange, zone: tzinfo, most: int) -> tuple[list[float], list[str]]:
    """Round times within a range, so many at most, and what to call them."""
    step = next((step for step in _STEPS if (stretch.end - stretch.begin) / step <= most), 2_592_000)
    offset = utc_offset(stretch.end, zone)
    time = -(-(stretch.begin + offset) // step) * step - offset
    ticks, names = [], []
    while time <= stretch.end:
        at = datetime.fromtimestamp(time, zone)
        if step >= 86_400:
            # Where the clock was put forward or back in between, midnight lies an hour off.
            at = (at + timedelta(hours=6)).replace(hour=0)
        if step >= 86_400 or (stretch.seconds > 172_800 and (at.hour, at.minute) == (0, 0)):
            names.append(at.strftime("%m/%d"))
        elif stretch.seconds > 172_800:
            names.append(at.strftime("%m/%d %H:%M"))
        else:
            names.append(at.strftime("%H:%M"))
        ticks.append(at.timestamp())
        time += step
    return ticks, names
