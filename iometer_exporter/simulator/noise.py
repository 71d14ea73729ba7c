"""Randomness that is a function of its keys alone, so that any moment of a home can be computed by itself."""

import math
from functools import lru_cache
from typing import Final

_MASK: Final = (1 << 64) - 1


def bits(*keys: int) -> int:
    """64 random bits for these keys."""
    state = 0x9E3779B97F4A7C15
    for key in keys:
        # The finaliser of splitmix64: neighbouring keys share no bits.
        state = (state ^ key) * 0xBF58476D1CE4E5B9 & _MASK
        state = (state ^ (state >> 27)) * 0x94D049BB133111EB & _MASK
        state ^= state >> 31
    return state


def uniform(low: float, high: float, *keys: int) -> float:
    """A random number between low and high for these keys."""
    return low + (high - low) * (bits(*keys) / _MASK)


def smooth(seed: int, time: float, period: float) -> float:
    """A random curve from -1 to 1 that turns about once in `period` seconds."""
    knot, rest = divmod(time, period)
    before, after = _at_knot(seed, int(knot)), _at_knot(seed, int(knot) + 1)
    weight = (1.0 - math.cos(math.pi * rest / period)) / 2.0
    return before + (after - before) * weight


@lru_cache(maxsize=4096)
def _at_knot(seed: int, knot: int) -> float:
    """What a curve is at one of its knots: the same for all moments around it."""
    return uniform(-1.0, 1.0, seed, knot)
