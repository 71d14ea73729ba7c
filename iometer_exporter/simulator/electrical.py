"""What a three-phase meter measures besides energy: power, voltage and current per phase, frequency."""

from dataclasses import dataclass
from typing import Final

from iometer_exporter.simulator.noise import smooth

_GRID: Final = 50
"""Seed of the frequency: it is the same in all of Europe."""


@dataclass(frozen=True, slots=True)
class Phases:
    """Per phase L1 to L3: W (their sum is the total), V and A; and the grid's Hz."""

    watts: tuple[int, int, int]
    volts: tuple[float, float, float]
    amperes: tuple[float, float, float]
    hertz: float


def split(seed: int, time: int, total: int) -> Phases:
    """The phases of a home that draws `total` W."""
    first = round(total * (0.45 + 0.15 * smooth(seed + 1, time, 900)))
    second = round(total * (0.30 + 0.10 * smooth(seed + 2, time, 700)))
    watts = (first, second, total - first - second)
    volts = _volts(seed, time, watts[0], 1), _volts(seed, time, watts[1], 2), _volts(seed, time, watts[2], 3)
    # Motors and power supplies draw a little more current than their power needs.
    currents = [round(abs(power) / voltage / 0.96, 2) for power, voltage in zip(watts, volts, strict=True)]
    hertz = round(50.0 + 0.03 * smooth(_GRID, time, 90) + 0.015 * smooth(_GRID + 1, time, 11), 2)
    return Phases(watts, volts, (currents[0], currents[1], currents[2]), hertz)


def _volts(seed: int, time: int, watts: int, phase: int) -> float:
    """V of a phase: drawing power lowers it, feeding in raises it."""
    return round(231.0 + 2.5 * smooth(seed + 10 * phase, time, 1800) - watts / 1500.0, 1)
