"""Recording rules: few, for people's own queries; neither dashboards nor alerts need them."""

from typing import Final

from prometheus.core import AGED, days_left
from prometheus.rules import Record


def _energy(direction: str, window: str) -> Record:
    """The kWh of a bridge in the time window before now, across a change of the meter."""
    counter = f"iometer_energy_{direction}_joules_total{{$bridge}}[{window}]"
    return Record(
        f"bridge:iometer_energy_{direction}_kwh:increase{window}",
        f"sum without (meter) (increase({counter})) / 3.6e6",
    )


RECORDS: Final = (
    _energy("import", "1h"),
    _energy("export", "1h"),
    Record("meter:iometer_power_watts:avg15m", "avg_over_time(iometer_power_watts{$bridge}[15m])"),
)
SLOW_RECORDS: Final = (
    _energy("import", "1d"),
    _energy("export", "1d"),
    Record("meter:iometer_core_battery_left_days:deriv14d", f"{days_left('14d')}\n{AGED}"),
)
