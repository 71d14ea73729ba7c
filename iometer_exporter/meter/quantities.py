"""From registers to quantities in base units: which register counts, and what its unit is worth."""

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from typing import Final, NamedTuple

from iometer_exporter.meter import obis
from iometer_exporter.meter.models import Reading, Register
from iometer_exporter.meter.obis import ObisCode

_Scale = Mapping[str, int | Decimal]

_JOULES: Final[_Scale] = {"J": 1, "Ws": 1, "Wh": 3600, "kWh": 3_600_000, "MWh": 3_600_000_000}
_WATTS: Final[_Scale] = {"mW": Decimal("0.001"), "W": 1, "kW": 1000, "MW": 1_000_000}
_VOLTS: Final[_Scale] = {"mV": Decimal("0.001"), "V": 1, "kV": 1000}
_AMPERES: Final[_Scale] = {"mA": Decimal("0.001"), "A": 1, "kA": 1000}
_HERTZ: Final[_Scale] = {"mHz": Decimal("0.001"), "Hz": 1}

JOULES_PER_KWH: Final = 3_600_000

_KWH: Final = Decimal(JOULES_PER_KWH)

LARGEST_COUNTER_JOULES: Final = 10**18
"""Joules, more than all of Europe's meters together count in a month: no meter shows it."""


class Phase(NamedTuple):
    """Values of one phase (`L1` to `L3`), in W, V and A; None where the meter does not say."""

    name: str
    power: float | None
    voltage: float | None
    current: float | None


_OF_PHASES: Final = frozenset((*obis.PHASE_POWER, *obis.PHASE_VOLTAGE, *obis.PHASE_CURRENT))


def energies(reading: Reading) -> dict[ObisCode, Decimal]:
    """The energy counters of the reading, totals and tariffs (1.8.x, 2.8.x), in exact joules.

    A negative or absurdly large counter is none and is left out, as is one whose unit is none of energy.
    """
    counters = {}
    for code in reading.registers:
        if code in obis.ENERGIES:
            value = energy(reading, code)
            if value is not None:
                counters[code] = value
    return counters


def energy(reading: Reading, code: ObisCode) -> Decimal | None:
    """One of the energy counters that `energies` gives; None where that has none."""
    register = reading.registers.get(code)
    value = None if register is None else joules(register)
    return value if value is not None and 0 <= value < LARGEST_COUNTER_JOULES else None


def resolutions(reading: Reading, counters: Mapping[ObisCode, Decimal]) -> dict[ObisCode, Decimal]:
    """The units in which the counters that `energies` found in the reading count, in joules, at most 1 kWh.

    The last digit sent; but a meter whose PIN is not entered shows whole kWh of everything, and no power.
    """
    if is_coarse(reading, counters):
        return dict.fromkeys(counters, _KWH)
    return {code: _last_digit(reading.registers[code]) for code in counters}


def is_coarse(reading: Reading, counters: Mapping[ObisCode, Decimal]) -> bool:
    """Whether the reading looks like that of a meter without its PIN; a fine one may do so by chance."""
    return all(not value % JOULES_PER_KWH for value in counters.values()) and power(reading) is None


def joules(register: Register) -> Decimal | None:
    """The energy in the register in joules; None if its unit is none of energy."""
    scale = _JOULES.get(register.unit)
    return None if scale is None else register.value * scale


def power(reading: Reading) -> float | None:
    """Power at the grid connection in W, negative while exporting.

    16.7.0, else 1.7.0 - 2.7.0, else the sum of the three phases, else 36.7.0 alone.
    """
    total = _value(reading, obis.POWER, _WATTS)
    if total is None:
        drawn = _value(reading, obis.POWER_IMPORT, _WATTS)
        fed = _value(reading, obis.POWER_EXPORT, _WATTS)
        if drawn is not None and fed is not None:
            total = drawn - fed
    if total is None:
        phases = [_value(reading, code, _WATTS) for code in obis.PHASE_POWER]
        known = [value for value in phases if value is not None]
        if len(known) == len(phases) or _stands_in_for_total(reading):
            total = sum(known, Decimal())
    return _float(total)


def phases(reading: Reading) -> Iterator[Phase]:
    """The phases, none where the meter tells nothing of them.

    Their powers are left out where 36.7.0 alone is the total of the meter.
    """
    if _OF_PHASES.isdisjoint(reading.registers):
        return
    total_only = _stands_in_for_total(reading)
    for index, name in enumerate(obis.PHASES):
        watts = None if total_only else _value(reading, obis.PHASE_POWER[index], _WATTS)
        yield Phase(
            name=name,
            power=_float(watts),
            voltage=_float(_value(reading, obis.PHASE_VOLTAGE[index], _VOLTS)),
            current=_float(_value(reading, obis.PHASE_CURRENT[index], _AMPERES)),
        )


def frequency(reading: Reading) -> float | None:
    """Grid frequency in Hz (14.7.0)."""
    return _float(_value(reading, obis.FREQUENCY, _HERTZ))


def _last_digit(register: Register) -> Decimal:
    exponent = register.value.as_tuple().exponent
    assert isinstance(exponent, int)  # noqa: S101 (models lets no NaN or infinity through)
    # Further out the limit decides anyway, and a zero may claim an exponent that no number can have.
    return _digit(min(max(exponent, -9), 9), register.unit)


@cache
def _digit(exponent: int, unit: str) -> Decimal:
    return min(Decimal(1).scaleb(exponent) * _JOULES[unit], _KWH)


def _stands_in_for_total(reading: Reading) -> bool:
    """Whether 36.7.0 is sent without any other power: some meters give their total that way."""
    first, *others = obis.PHASE_POWER
    powers = (obis.POWER, obis.POWER_IMPORT, obis.POWER_EXPORT, *others)
    return not any(_is_sent(reading, code) for code in powers) and _is_sent(reading, first)


def _is_sent(reading: Reading, code: ObisCode) -> bool:
    """Whether the register is there, and is one of power."""
    register = reading.registers.get(code)
    return register is not None and register.unit in _WATTS


def _value(reading: Reading, code: ObisCode, scale: _Scale) -> Decimal | None:
    """The register in the base unit of the scale; None if it is missing or of another kind of unit."""
    register: Register | None = reading.registers.get(code)
    factor = None if register is None else scale.get(register.unit)
    if register is None or factor is None:
        return None
    return register.value if factor == 1 else register.value * factor


def _float(value: Decimal | None) -> float | None:
    """As a float; None also where the conversion to the base unit left the range of one."""
    if value is None:
        return None
    converted = float(value)
    return None if math.isinf(converted) else converted
