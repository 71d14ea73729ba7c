"""Registers of a meter of the fleet at a time."""

import re
from typing import Any, Final, Literal

from iometer_exporter.simulator.cloud.fleet import Meter
from iometer_exporter.simulator.noise import bits

Register = dict[str, Any]
"""`code` (decimal OBIS), `value` and `unit`."""

_CODE: Final = re.compile(r"\d{1,3}-\d{1,3}:\d{1,3}\.\d{1,3}\.\d{1,3}", re.ASCII)
_CODE_HEX: Final = re.compile(
    r"([0-9a-f]{2})-([0-9a-f]{2}):([0-9a-f]{2})\.([0-9a-f]{2})\.([0-9a-f]{2})\*ff", re.ASCII | re.IGNORECASE
)

_TENTHS_PER_KWH: Final = 10_000
_DECREASE_TENTHS: Final = 50_000
_SPIKE_TENTHS: Final = 0xFFFFFFFF


def _hexadecimal(code: str) -> str:
    c, d, e = (int(part) for part in code.removeprefix("1-0:").split("."))
    return f"01-00:{c:02x}.{d:02x}.{e:02x}*ff"


IMPORT: Final = "1-0:1.8.0"
EXPORT: Final = "1-0:2.8.0"
DAY: Final = "1-0:1.8.1"
NIGHT: Final = "1-0:1.8.2"
POWER: Final = "1-0:16.7.0"
PHASE_POWER: Final = ("1-0:36.7.0", "1-0:56.7.0", "1-0:76.7.0")
PHASE_VOLTAGE: Final = ("1-0:32.7.0", "1-0:52.7.0", "1-0:72.7.0")

_HEX: Final = {
    code: _hexadecimal(code) for code in (IMPORT, EXPORT, DAY, NIGHT, POWER, *PHASE_POWER, *PHASE_VOLTAGE)
}


def spelled(code: str, form: Literal["hex", "dec"] | None) -> str:
    """A code in the form that is asked for; decimal unless told otherwise."""
    return _HEX[code] if form == "hex" else code


def plain(text: object) -> str:
    """The decimal form of a code in either form; raises ValueError for anything else."""
    if isinstance(text, str) and (found := _CODE_HEX.fullmatch(text)):
        a, b, c, d, e = (int(part, 16) for part in found.groups())
        return f"{a}-{b}:{c}.{d}.{e}"
    if isinstance(text, str) and _CODE.fullmatch(text):
        return text
    raise ValueError(f"{text!r} is not an OBIS code such as 1-0:1.8.0")


def registers(meter: Meter, time: int, *, wrong: str = "") -> list[Register]:
    """All registers of a meter at a unix time; `wrong` is the fault that spoils its import."""
    load = meter.load
    total = load.import_tenths(time)
    if wrong == "decrease":
        total = max(0, total - _DECREASE_TENTHS)
    elif wrong == "spike":
        total += _SPIKE_TENTHS
    energy = {IMPORT: total}
    if meter.tariffs:
        energy[DAY] = load.day_tenths(time)
        energy[NIGHT] = load.night_tenths(time)
    if load.pv:
        energy[EXPORT] = load.export_tenths(time)
    if not meter.pin:
        return [_energy(code, tenths // _TENTHS_PER_KWH * _TENTHS_PER_KWH) for code, tenths in energy.items()]
    found = [_energy(code, tenths) for code, tenths in energy.items()]
    watts = load.power_watts(time)
    found.append({"code": POWER, "value": float(watts), "unit": "W"})
    if meter.phases:
        found += _phases(meter, time, watts)
    return found


def _phases(meter: Meter, time: int, watts: int) -> list[Register]:
    """Power and voltage of each phase; the powers add up to that of the meter."""
    parts = [watts * 5 // 10, watts * 3 // 10]
    parts.append(watts - sum(parts))
    powers = [
        {"code": code, "value": float(part), "unit": "W"}
        for code, part in zip(PHASE_POWER, parts, strict=True)
    ]
    voltages = [
        {"code": code, "value": (2250 + bits(meter.key, phase, time) % 120) / 10, "unit": "V"}
        for phase, code in enumerate(PHASE_VOLTAGE)
    ]
    return powers + voltages


def _energy(code: str, tenths: int) -> Register:
    return {"code": code, "value": tenths / 10, "unit": "Wh"}
