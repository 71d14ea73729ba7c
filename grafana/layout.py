"""Places of panels: shelves of one height, filled from left to right, on a grid 24 wide."""

from dataclasses import dataclass
from typing import Any, Final

from grafana.texts import Text

Json = dict[str, Any]

WIDTH: Final = 24


@dataclass(frozen=True, slots=True)
class Shelf:
    """Panels side by side, all `height` high; a heading begins a new row of the dashboard."""

    height: int
    panels: tuple[Json, ...]
    heading: str = ""


def shelf(height: int, *panels: Json, heading: str = "") -> Shelf:
    """Panels side by side; raises ValueError if they do not fill the width."""
    width = sum(panel["gridPos"]["w"] for panel in panels)
    if width != WIDTH:
        titles = ", ".join(panel["title"] for panel in panels)
        raise ValueError(f"these panels are {width} wide together, not {WIDTH}: {titles}")
    return Shelf(height, panels, heading)


def placed(shelves: tuple[Shelf, ...]) -> list[Json]:
    """The panels with their places and ids, in reading order."""
    result: list[Json] = []
    y = 0
    for one in shelves:
        if one.heading:
            result.append(_heading(one.heading, y))
            y += 1
        x = 0
        for panel in one.panels:
            width = panel["gridPos"]["w"]
            result.append(panel | {"gridPos": {"h": one.height, "w": width, "x": x, "y": y}})
            x += width
        y += one.height
    return [panel | {"id": number} for number, panel in enumerate(result, 1)]


def _heading(title: str, y: int) -> Json:
    return {
        "type": "row",
        "title": Text(title),
        "collapsed": False,
        "gridPos": {"h": 1, "w": WIDTH, "x": 0, "y": y},
        "panels": [],
    }
