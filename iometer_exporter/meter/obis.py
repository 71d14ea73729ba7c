"""OBIS codes (IEC 62056-6-1): which quantity a register of a meter holds."""

import re
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from iometer_exporter.errors import ObisError


def _form(group: str) -> re.Pattern[str]:
    return re.compile(rf"({group})-({group}):({group})\.({group})\.({group})(?:\*({group}))?")


_HEX: Final = _form("[0-9a-fA-F]{2}")
_DECIMAL: Final = _form("[0-9]{1,3}")

_LARGEST_GROUP: Final = 255
_CURRENT_VALUE: Final = 255
"""Group F of a register that holds the present value, not a stored past one; both forms may leave it out."""


class ObisCode(NamedTuple):
    """The six value groups A-B:C.D.E*F; `str()` gives the canonical decimal form."""

    a: int
    b: int
    c: int
    d: int
    e: int
    f: int = _CURRENT_VALUE

    def __str__(self) -> str:
        text = f"{self.a}-{self.b}:{self.c}.{self.d}.{self.e}"
        return text if self.f == _CURRENT_VALUE else f"{text}*{self.f}"

    @classmethod
    def parse(cls, text: str) -> "ObisCode":
        """The code written as `01-00:01.08.00*ff` (hexadecimal) or `1-0:1.8.0` (decimal).

        Raises ObisError for anything else.
        """
        return _parse(text)


@lru_cache(maxsize=1024)
def _parse(text: str) -> ObisCode:
    # Two digits in every group is what tells the hexadecimal form: 01-00:10.07.00*ff is 1-0:16.7.0.
    for pattern, base in ((_HEX, 16), (_DECIMAL, 10)):
        if match := pattern.fullmatch(text):
            groups = [int(group, base) for group in match.groups() if group is not None]
            if max(groups) <= _LARGEST_GROUP:
                return ObisCode(*groups)
    raise ObisError(f"{text!r} is not an OBIS code such as '01-00:01.08.00*ff' or '1-0:1.8.0'")


def _electricity(c: int, d: int, e: int = 0) -> ObisCode:
    return ObisCode(1, 0, c, d, e)


ENERGY_IMPORT: Final = _electricity(1, 8)
ENERGY_EXPORT: Final = _electricity(2, 8)
POWER: Final = _electricity(16, 7)
POWER_IMPORT: Final = _electricity(1, 7)
POWER_EXPORT: Final = _electricity(2, 7)
FREQUENCY: Final = _electricity(14, 7)
PHASES: Final = ("L1", "L2", "L3")
PHASE_POWER: Final = (_electricity(36, 7), _electricity(56, 7), _electricity(76, 7))
PHASE_VOLTAGE: Final = (_electricity(32, 7), _electricity(52, 7), _electricity(72, 7))
PHASE_CURRENT: Final = (_electricity(31, 7), _electricity(51, 7), _electricity(71, 7))

_HIGHEST_TARIFF: Final = 63

Direction = Literal["import", "export"]
"""Way that a counter's energy goes, as the metrics call it: out of the grid, or into it."""

_TOTALS: Final[dict[Direction, ObisCode]] = {"import": ENERGY_IMPORT, "export": ENERGY_EXPORT}

_DIRECTIONS: Final[dict[Direction, str]] = {"import": "drawn from", "export": "fed into"}
"""Directions in words for a person."""

ENERGIES: Final[dict[ObisCode, tuple[Direction, str]]] = {
    _electricity(total.c, total.d, tariff): (direction, str(tariff or ""))
    for direction, total in _TOTALS.items()
    for tariff in range(_HIGHEST_TARIFF + 1)
}
"""The energy counters that are guarded, each with its direction and tariff, which is empty for the total."""

KNOWN: Final[dict[ObisCode, str]] = {
    ENERGY_IMPORT: "energy drawn from the grid, total",
    ENERGY_EXPORT: "energy fed into the grid, total",
    POWER: "power now, negative while feeding in",
    POWER_IMPORT: "power drawn from the grid now",
    POWER_EXPORT: "power fed into the grid now",
    FREQUENCY: "grid frequency",
    **{code: f"power now, {phase}" for code, phase in zip(PHASE_POWER, PHASES, strict=True)},
    **{code: f"voltage, {phase}" for code, phase in zip(PHASE_VOLTAGE, PHASES, strict=True)},
    **{code: f"current, {phase}" for code, phase in zip(PHASE_CURRENT, PHASES, strict=True)},
}
"""Meanings of the codes that become metrics, in words for a person (tariffs: see `describe`)."""


def describe(code: ObisCode) -> str:
    """Meaning of the code in words for a person; empty for a code that becomes no metric of its own."""
    direction, tariff = ENERGIES.get(code, ("import", ""))
    if tariff:
        return f"energy {_DIRECTIONS[direction]} the grid, tariff {tariff}"
    return KNOWN.get(code, "")
