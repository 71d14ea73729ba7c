"""The power of the last hours as a small picture: SVG without script, of any width."""

from collections.abc import Sequence
from typing import Final

from iometer_exporter.web.landing.markup import Html, join, tag

_WIDTH: Final = 360
_HEIGHT: Final = 100
_MARGIN: Final = 4
"""Above and below, for half the width of the line."""

_LEAST_RANGE: Final = 100.0
"""Watts from the lowest to the highest point: the noise of a base load is no mountain."""

_LONGEST_BRIDGED: Final = 10
"""Slots: cores on a battery may read every quarter of an hour, and a line still goes from one to the next."""


def sparkline(means: Sequence[float | None], *, name: str, label: str) -> Html | None:
    """The picture of mean powers in W at even distances; None if there is nothing to see.

    `name` is unique on the page, `label` tells what is seen to who does not see it.
    """
    pieces = _pieces(means)
    if not pieces:
        return None
    powers = [power for piece in pieces for _, power in piece]
    low, high = min(0.0, *powers), max(0.0, *powers)
    if high - low < _LEAST_RANGE:
        low, high = (low - (_LEAST_RANGE - high + low), high) if -low > high else (low, low + _LEAST_RANGE)
    per_watt = (_HEIGHT - 2 * _MARGIN) / (high - low)
    step = _WIDTH / max(1, len(means) - 1)

    def x(slot: int) -> str:
        return f"{slot * step:.4g}"

    def y(power: float) -> str:
        return f"{_MARGIN + (high - power) * per_watt:.3g}"

    zero = y(0.0)
    line = "".join(
        f"M{x(piece[0][0])} {y(piece[0][1])}"
        # A lone point is a line of no length, whose round ends are a dot.
        + ("h0" if len(piece) == 1 else "L" + " ".join(f"{x(slot)} {y(power)}" for slot, power in piece[1:]))
        for piece in pieces
    )
    area = "".join(
        f"M{x(piece[0][0])} {zero}L"
        + " ".join(f"{x(slot)} {y(power)}" for slot, power in piece)
        + f" {x(piece[-1][0])} {zero}z"
        for piece in pieces
        if len(piece) > 1
    )
    share = f"{float(zero) / _HEIGHT:.4f}"
    return tag(
        "svg",
        tag(
            "linearGradient",
            tag("stop", offset=share, class_="drawn"),
            tag("stop", offset=share, class_="fed"),
            id=name,
            gradientUnits="userSpaceOnUse",
            x1="0",
            y1="0",
            x2="0",
            y2=str(_HEIGHT),
        ),
        tag("path", d=f"M0 {zero}H{_WIDTH}", class_="zero"),
        tag("path", d=area, class_="area", fill=f"url(#{name})") if area else None,
        tag("path", d=line, class_="line", stroke=f"url(#{name})"),
        class_="spark",
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
    )


def bars(level: int, *, label: str) -> Html:
    """The strength of a signal as four bars, `level` of which are filled."""
    shapes = (
        tag(
            "rect",
            x=str(number * 5),
            y=str(9 - 3 * number),
            width="3",
            height=str(3 + 3 * number),
            rx="1",
            class_="on" if number < level else "off",
        )
        for number in range(4)
    )
    weak = " weak" if level < 2 else ""
    return tag("svg", join(*shapes), class_=f"bars{weak}", viewBox="0 0 18 12", role="img", aria_label=label)


def _pieces(means: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """The known slots with their powers, in pieces between which nothing was known for long."""
    pieces: list[list[tuple[int, float]]] = []
    for slot, power in enumerate(means):
        if power is None:
            continue
        if not pieces or slot - pieces[-1][-1][0] > _LONGEST_BRIDGED:
            pieces.append([])
        pieces[-1].append((slot, power))
    return pieces
