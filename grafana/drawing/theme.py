"""Colours, close to Grafana's dark theme."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

PAGE: Final = "#111217"
PANEL: Final = "#181b1f"
BORDER: Final = "#2c3035"
TEXT: Final = "#d8d9da"
FAINT: Final = "#8e9197"
GRID: Final = "#2a2d33"

_NAMED: Final = {
    "blue": "#5794f2",
    "green": "#73bf69",
    "orange": "#ff9830",
    "purple": "#b877d9",
    "red": "#f2495c",
    "yellow": "#fade2a",
    "gray": "#8e8e8e",
    "text": TEXT,
    "transparent": PANEL,
}
_SHADES: Final = {"super-light": 1.35, "light": 1.18, "semi-dark": 0.82, "dark": 0.64}

PALETTE: Final = (
    *("#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#705da0", "#37872d"),
    *("#fade2a", "#447ebc", "#c15c17", "#890f02", "#0a437c", "#6d1f62", "#584477"),
)
"""`palette-classic`: one after the other."""

_CONTINUOUS: Final = {
    "continuous-GrYlRd": ("#73bf69", "#fade2a", "#f2495c"),
    "continuous-RdYlGr": ("#f2495c", "#fade2a", "#73bf69"),
    "continuous-BlYlRd": ("#5794f2", "#fade2a", "#f2495c"),
    "continuous-YlBl": ("#fade2a", "#5794f2"),
    "continuous-YlRd": ("#fade2a", "#f2495c"),
    "continuous-BlPu": ("#5794f2", "#b877d9"),
    "continuous-blues": (PANEL, "#5794f2"),
    "continuous-greens": (PANEL, "#73bf69"),
    "continuous-oranges": (PANEL, "#ff9830"),
    "continuous-reds": (PANEL, "#f2495c"),
    "continuous-purples": (PANEL, "#b877d9"),
}


def colour(name: str) -> str:
    """A colour of Grafana, by name (`semi-dark-red`) or as `#rrggbb`, as `#rrggbb`."""
    if name.startswith("#"):
        return name
    shade, _, base = name.rpartition("-")
    found = _NAMED.get(base, TEXT)
    return _mixed(found, _SHADES[shade]) if shade in _SHADES else found


def continuous(mode: str, share: float) -> str:
    """The colour of a `continuous-…` mode at a share from 0 to 1."""
    stops = _CONTINUOUS.get(mode, _CONTINUOUS["continuous-GrYlRd"])
    place = min(max(share, 0.0), 1.0) * (len(stops) - 1)
    index = min(int(place), len(stops) - 2)
    low, high = (_rgb(stop) for stop in stops[index : index + 2])
    part = place - index
    return _hex([a + (b - a) * part for a, b in zip(low, high, strict=True)])


def threshold(steps: Sequence[Mapping[str, Any]], value: float) -> str:
    """The colour of the highest step that a value reaches."""
    found = steps[0]["color"] if steps else "text"
    for step in steps:
        if step.get("value") is not None and value >= step["value"]:
            found = step["color"]
    return colour(found)


def readable_on(background: str) -> str:
    """Black or white, whichever can be read on a colour."""
    red, green, blue = _rgb(background)
    return "#111111" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "#ffffff"


def _mixed(base: str, factor: float) -> str:
    return _hex([min(255.0, part * factor) for part in _rgb(base)])


def _rgb(text: str) -> tuple[int, int, int]:
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def _hex(parts: Sequence[float]) -> str:
    return "#" + "".join(f"{round(part):02x}" for part in parts)
