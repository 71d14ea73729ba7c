"""A page in pixels: boxes, texts that fit into them, and axes for charts."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.patches import FancyBboxPatch, Rectangle
from PIL import Image

from grafana.drawing import theme

_DPI: Final = 100
_COLOURS: Final = 256
_FINE: Final = 200
"""Size at which texts are measured, so large that no letter is rounded to whole pixels."""
_POINTS_PER_PIXEL: Final = 72 / _DPI


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels, from the left and from the top."""

    x: float
    y: float
    w: float
    h: float

    def inner(self, *, left: float = 0, top: float = 0, right: float = 0, bottom: float = 0) -> "Box":
        """The box without a margin."""
        return Box(self.x + left, self.y + top, self.w - left - right, self.h - top - bottom)

    def columns(self, count: int) -> list["Box"]:
        """The box cut into so many of equal width."""
        width = self.w / count
        return [Box(self.x + index * width, self.y, width, self.h) for index in range(count)]

    def rows(self, count: int) -> list["Box"]:
        """The box cut into so many of equal height."""
        height = self.h / count
        return [Box(self.x, self.y + index * height, self.w, height) for index in range(count)]


class Canvas:
    """A page of a width and height in pixels."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self._figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor=theme.PAGE)
        self._canvas = FigureCanvasAgg(self._figure)
        page = self._figure.add_axes((0.0, 0.0, 1.0, 1.0))
        page.set_xlim(0, width)
        page.set_ylim(height, 0)
        page.set_axis_off()
        self._page = page

    def panel(self, box: Box) -> None:
        """The ground of a panel."""
        style = "round,pad=0,rounding_size=3"
        self._page.add_patch(
            FancyBboxPatch((box.x, box.y), box.w, box.h, style, facecolor=theme.PANEL, edgecolor=theme.BORDER)
        )

    def rectangle(self, box: Box, colour: str) -> None:
        """A filled rectangle."""
        self._page.add_patch(Rectangle((box.x, box.y), box.w, box.h, facecolor=colour, linewidth=0))

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        *,
        colour: str = theme.TEXT,
        align: str = "left",
        weight: str = "normal",
        width: float | None = None,
    ) -> None:
        """A line of text, its middle at y, its height in pixels; cut short where it is wider than `width`."""
        style: dict[str, Any] = {"ha": align, "va": "center_baseline", "fontweight": weight}
        if width is not None:
            text = shortened(text, size, width)
        self._page.text(
            x, y, text.replace("$", r"\$"), fontsize=size * _POINTS_PER_PIXEL, color=colour, **style
        )

    def axes(self, box: Box) -> Any:
        """Axes that fill a box; their labels lie outside of it."""
        place = (
            box.x / self.width,
            1 - (box.y + box.h) / self.height,
            max(box.w, 1) / self.width,
            max(box.h, 1) / self.height,
        )
        axes = self._figure.add_axes(place, facecolor=theme.PANEL)
        for spine in axes.spines.values():
            spine.set_visible(False)
        axes.grid(visible=True, color=theme.GRID, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(colors=theme.FAINT, labelsize=11 * _POINTS_PER_PIXEL, length=0, pad=4)
        return axes

    def save(self, path: Path) -> None:
        """Write the page as PNG, small: so few colours are enough for lines on a dark ground."""
        self._canvas.draw()  # type: ignore[no-untyped-call]
        pixels = np.asarray(self._canvas.buffer_rgba())  # type: ignore[no-untyped-call]
        picture = Image.fromarray(pixels).convert("RGB")
        few = picture.quantize(_COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        few.save(path, optimize=True)


def text_width(text: str, size: float) -> float:
    """Width in pixels of a text of a height in pixels."""
    # Small letters are drawn a little wider than they are.
    return 1.05 * size * _relative_width(text)


@lru_cache(maxsize=4096)
def _relative_width(text: str) -> float:
    """Width of a text as a multiple of its size."""
    font = get_font(findfont(FontProperties()))
    font.set_size(_FINE, 72)
    font.set_text(text)
    width, _ = font.get_width_height()
    return float(width) / 64 / _FINE


def shortened(text: str, size: float, width: float) -> str:
    """As much of a text as fits into a width in pixels."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(f"{text}…", size) > width:
        text = text[:-1]
    return f"{text}…" if text else ""


def fitting(texts: list[str], width: float, height: float, *, largest: float, smallest: float = 9) -> float:
    """The largest text size in pixels at which all the texts fit into a box."""
    widest = max((text_width(text, 100) for text in texts), default=0) or 1
    return max(smallest, min(largest, height, width / widest * 100))
