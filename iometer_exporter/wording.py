"""Values in words, as a meter shows them and a person says them."""

from datetime import datetime
from decimal import Decimal
from typing import Final

from iometer_exporter.meter import obis, quantities
from iometer_exporter.meter.models import Reading

_KWH_DECIMALS: Final = 7
"""A tenth of a milliwatt-hour: finer than any meter shows."""


_METER_DECIMALS: Final = 4


def kilowatt_hours(joules: Decimal) -> str:
    """An energy as a meter shows it, with every digit that is known: `12345.6789 kWh`."""
    value = round(joules / quantities.JOULES_PER_KWH, _KWH_DECIMALS).normalize()
    exponent = value.as_tuple().exponent
    # Whole kWh are shown as such; else as many digits as meters show, so that the numbers line up.
    digits = max(_METER_DECIMALS, -int(exponent)) if value % 1 else 0
    return f"{value:.{digits}f} kWh"


def watts(value: float) -> str:
    """A power with its sign: `-1234 W`."""
    return f"{value:.10g} W" if abs(value) < 1e9 else f"{value:g} W"


def duration(seconds: float) -> str:
    """A time span in its two largest units: `45 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    sign = "-" if seconds < 0 else ""
    rest = round(abs(seconds))
    parts: list[str] = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, rest = divmod(rest, size)
        if count or (size == 1 and not parts):
            parts.append(f"{count} {unit}")
        elif parts:
            break
    return sign + " ".join(parts[:2])


def waited(seconds: float) -> str:
    """A short wait, as it is set: `0.3 s`, `3 s`, `60 s`."""
    digits = 1 if seconds < 9.95 else 0
    return f"{seconds:.{digits}f}".removesuffix(".0") + " s"


def local_time(time: datetime) -> str:
    """A time as the clock on the wall shows it, with the zone: `2026-11-20 23:10:47 CET`."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def totals(reading: Reading) -> tuple[str | None, str | None]:
    """Import and export total of the meter in kWh, None for one that it does not have."""
    energies = quantities.energies(reading)
    found = (energies.get(code) for code in (obis.ENERGY_IMPORT, obis.ENERGY_EXPORT))
    imported, exported = (None if value is None else kilowatt_hours(value) for value in found)
    return imported, exported
