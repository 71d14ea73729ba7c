"""The registers of a meter as a bridge sends them."""

from collections.abc import Set as AbstractSet
from functools import cache
from typing import Any, Final

from iometer_exporter.simulator.electrical import split
from iometer_exporter.simulator.faults import Fault
from iometer_exporter.simulator.home import Home

Register = dict[str, Any]
"""`obis`, `value` and `unit`, ready for JSON."""

_TENTHS_PER_KWH: Final = 10_000

_DECREASE_TENTHS: Final = 50_000
_SPIKE_TENTHS: Final = 0xFFFFFFFF
"""What a lost sign bit makes of a small number."""
_JUMP_TENTHS: Final = 200_000
_NONSENSE_TENTHS: Final = 999_990_000


@cache
def obis(code: str) -> str:
    """The bridge's spelling of a code such as `1.8.0`: hexadecimal, lower case."""
    c, d, e = (int(part) for part in code.split("."))
    return f"01-00:{c:02x}.{d:02x}.{e:02x}*ff"


def registers(home: Home, *, seed: int, faults: AbstractSet[Fault], glitch: int | None) -> list[Register]:
    """All registers that the meter of a home shows at the home's time.

    `glitch` numbers the wrong value that is shown now; None where values are right.
    """
    energy = {"1.8.0": home.import_tenths}
    if "tariffs" in faults:
        energy["1.8.1"] = home.day_tenths
        energy["1.8.2"] = home.night_tenths
    if "import-only" not in faults:
        energy["2.8.0"] = home.export_tenths
    if glitch is not None:
        _spoil(energy, glitch, faults)
    if "wrong-first" in faults and "2.8.0" in energy:
        energy["2.8.0"] = _NONSENSE_TENTHS
    if "pin-missing" in faults:
        return [_energy(code, tenths // _TENTHS_PER_KWH * _TENTHS_PER_KWH) for code, tenths in energy.items()]
    return [_energy(code, tenths) for code, tenths in energy.items()] + _instant(home, seed, faults)


def _instant(home: Home, seed: int, faults: AbstractSet[Fault]) -> list[Register]:
    total = home.power_watts
    found = [] if "phase-only" in faults else [_register("16.7.0", total, "W")]
    if "three-phase" in faults:
        phases = split(seed, home.time, total)
        for at, unit, values in ((36, "W", phases.watts), (32, "V", phases.volts), (31, "A", phases.amperes)):
            found += [_register(f"{at + 20 * i}.7.0", value, unit) for i, value in enumerate(values)]
        found.append(_register("14.7.0", phases.hertz, "Hz"))
    elif "phase-only" in faults:
        found.append(_register("36.7.0", total, "W"))
    return found


def _spoil(energy: dict[str, int], glitch: int, faults: AbstractSet[Fault]) -> None:
    """Make one total wrong: import and export take turns, where export has a value to lose."""
    both = energy.get("2.8.0", 0) > _DECREASE_TENTHS
    code = "2.8.0" if both and glitch % 2 == 0 else "1.8.0"
    if "decrease" in faults:
        energy[code] = max(0, energy[code] - _DECREASE_TENTHS)
    if "spike" in faults:
        energy[code] += _SPIKE_TENTHS
    if "wrong-export" in faults and "2.8.0" in energy:
        energy["2.8.0"] += _JUMP_TENTHS


def _energy(code: str, tenths: int) -> Register:
    return _register(code, tenths / 10, "Wh")


def _register(code: str, value: float, unit: str) -> Register:
    return {"obis": obis(code), "value": value, "unit": unit}
