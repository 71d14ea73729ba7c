"""Places of panels: shelves of one height, filled from left to right, on a grid 24 wide."""

from dataclasses import dataclass
from typing import Any, Final

from grafana.texts import Text

Json = dict[str, Any]

WIDTH: Final = 24


@dataclass(frozen=True, slots=True)
class Shelf:
    """Panels side by side, all `height` high; a heading begins a new row of the dashboard.

    A `folded` row is opened by a click, and asks nothing before.
    """

    height: int
    panels: tuple[Json, ...]
    heading: str = ""
    folded: bool = False


def shelf(height: int, *panels: Json, heading: str = "", folded: bool = False) -> Shelf:
    """Panels side by side; raises ValueError if they do not fill the width."""
    width = sum(panel["gridPos"]["w"] for panel in panels)
    if width != WIDTH:
        titles = ", ".join(panel["title"] for panel in panels)
        raise ValueError(f"these panels are {width} wide together, not {WIDTH}: {titles}")
    return Shelf(height, panels, heading, folded)


def placed(shelves: tuple[Shelf, ...]) -> list[Json]:
    """The panels with their places and ids, in reading order; a folded row holds those up to the next."""
    result: list[Json] = []
    target, number, y, below = result, 0, 0, 0
    for one in shelves:
        if one.heading:
            # Below a folded row goes on what would be there if it had no panels.
            y = y if target is result else below
            number += 1
            row = _heading(one, y) | {"id": number}
            result.append(row)
            y += 1
            target, below = (row["panels"], y) if one.folded else (result, 0)
        x = 0
        for panel in one.panels:
            width = panel["gridPos"]["w"]
            number += 1
            place = {"h": one.height, "w": width, "x": x, "y": y}
            target.append(panel | {"gridPos": place, "id": number})
            x += width
        y += one.height
    return result


def _heading(first: Shelf, y: int) -> Json:
    return {
        "type": "row",
        "title": Text(first.heading),
        "collapsed": first.folded,
        "gridPos": {"h": 1, "w": WIDTH, "x": 0, "y": y},
        "panels": [],
    }
