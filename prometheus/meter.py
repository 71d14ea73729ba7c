"""Alerts on the meter's values: refused, stuck, contradictory, missing, unusually high."""

from typing import Final

from prometheus.rules import HOUR, MINUTE, Alert

_IMPORT: Final = "iometer_energy_import_joules_total{$bridge}"
_EXPORT: Final = "iometer_energy_export_joules_total{$bridge}"
_POWER: Final = "iometer_power_watts{$bridge}"
_TIME: Final = "iometer_reading_timestamp_seconds{$bridge}"

# The guard has kept wrong values out of the counters; this is about the cause. Some firmware always sends a
# few older readings, which is no fault to act on: only many are.
READINGS_REJECTED: Final = Alert(
    "ReadingsRejected",
    "warning",
    after=10 * MINUTE,
    expr="""
increase(iometer_readings_rejected_total{$bridge,reason=~"decreased|implausible"}[1h]) >= $wrong_readings
or
increase(iometer_readings_rejected_total{$bridge,reason="replayed"}[1h])
  > ignoring (reason) group_left ()
    $replayed_ratio * count_over_time(iometer_up{$bridge}[1h])
""",
    summary='{{ $value | printf "%.0f" }} readings of {{ $labels.bridge }} were refused in an hour '
    "({{ $labels.reason }})",
    description='In the last hour the exporter refused {{ $value | printf "%.0f" }} readings of the bridge '
    "{{ $labels.bridge }}, because they were {{ $labels.reason }}. The last good reading was served "
    "instead; the counters are right. If it goes on, see with "
    "iometer-exporter check whether the bridge is wrong or max_power too low.",
)

# Here and below, windows of hours that must be filled are patience enough: `after` would add nothing.
#
# The first two ask for more than a kWh and for power all the time, so whole kWh do not mislead them. The
# third is for meters without power: nothing in a week, neither in nor out.
COUNTER_STUCK: Final = Alert(
    "CounterStuck",
    "warning",
    after=0,
    expr=f"""
(
  (
    increase({_IMPORT}[6h]) == 0
    and avg_over_time({_POWER}[6h]) > $stuck_watts
  )
  or
  (
    increase({_EXPORT}[6h]) == 0
    and avg_over_time({_POWER}[6h]) < -$stuck_watts
  )
)
and count_over_time({_POWER}[6h:10m]) >= 34
or
(
  increase({_IMPORT}[7d]) == 0
  unless increase({_EXPORT}[7d]) > 0
  unless present_over_time({_POWER}[7d])
)
and changes({_TIME}[1d]) > 0
and present_over_time({_IMPORT}[1h] offset 7d)
""",
    summary="The energy counter of {{ $labels.bridge }} does not move",
    description="New readings arrive at the bridge {{ $labels.bridge }}, "
    "but their energy stays the same: for 6 hours although there is power, or for 7 days on a meter that "
    "sends no power. If the meter's own display moves on, take the core off and put it back, and restart the "
    "bridge.",
)

# J/s is W. Rare readings, holes and counters in whole kWh make the two differ without a fault.
ENERGY_POWER_DISAGREE: Final = Alert(
    "EnergyPowerDisagree",
    "info",
    after=0,
    expr=f"""
abs(
  rate({_IMPORT}[6h])
  - (rate({_EXPORT}[6h]) or 0 * rate({_IMPORT}[6h]))
  - avg_over_time({_POWER}[6h])
)
> $disagree_watts + $disagree_ratio * (
  rate({_IMPORT}[6h])
  + (rate({_EXPORT}[6h]) or 0 * rate({_IMPORT}[6h]))
)
and changes({_TIME}[6h]) >= 120
and count_over_time({_POWER}[6h:10m]) >= 34
and
  changes({_IMPORT}[6h])
  + (changes({_EXPORT}[6h]) or 0 * changes({_IMPORT}[6h]))
  >= 20
""",
    summary="Power and energy of {{ $labels.bridge }} differ by {{ $value | humanize }}W",
    description="Over the last 6 hours the power at the bridge {{ $labels.bridge }} and the energy "
    "counters of its meter differ by {{ $value | humanize }}W on average. One of them may be read from the "
    "wrong register: iometer-exporter check shows which ones the meter sends.",
)

# Seven of ten days must have had export, so that neither a house without PV nor a dark winter is told. It
# ends by itself when four of 14 days were without.
NO_EXPORT_BY_DAY: Final = Alert(
    "NoExportByDay",
    "info",
    after=0,
    expr=f"""
increase({_EXPORT}[1d]) / 3.6e6 < $export_none_kwh
and quantile_over_time(0.3, increase({_EXPORT}[1d])[14d:1d]) / 3.6e6 > $export_usual_kwh
and present_over_time({_EXPORT}[1d] offset 7d)
and time() - {_TIME} < 3600
""",
    summary='{{ $labels.bridge }} has fed nothing into the grid for a day ({{ $value | printf "%.2f" }} kWh)',
    description="On most of the last 14 days the house at the bridge {{ $labels.bridge }} exported energy, "
    'in the last 24 hours only {{ $value | printf "%.2f" }} kWh. See whether the inverter runs and its fuse '
    "is in, unless it snowed.",
)

POWER_HIGH: Final = Alert(
    "PowerHigh",
    "warning",
    after=10 * MINUTE,
    expr=f"avg_over_time({_POWER}[15m]) > $power_high_watts",
    summary="{{ $labels.bridge }} draws {{ $value | humanize }}W",
    description="The house at the bridge {{ $labels.bridge }} has drawn {{ $value | humanize }}W from the "
    "grid on average over 15 minutes, and for at least 10 minutes more than the limit. See what is on; where "
    "so much is usual, raise power_high_watts.",
)


def _base_load(offset: str) -> str:
    """The lowest 15-minute mean of a day in W; in a house that exports, of its night (0 to 3 h UTC)."""
    mean = f"avg_over_time({_POWER}[15m])"
    return f"""(
  (
    min_over_time({mean}[1d:15m]{offset})
    unless increase({_EXPORT}[1d]{offset}) > 0
  )
  or min_over_time(({mean} and on () hour() < 3)[1d:15m]{offset})
)"""


BASE_LOAD_HIGH: Final = Alert(
    "BaseLoadHigh",
    "info",
    after=3 * HOUR,
    expr=f"""
{_base_load("")}
> $base_load_factor * clamp_min({_base_load(" offset 7d")}, $base_load_floor_watts)
and count_over_time({_POWER}[1d:15m]) >= 90
""",
    summary="The base load of {{ $labels.bridge }} has risen to {{ $value | humanize }}W",
    description="In the last 24 hours the house at the bridge {{ $labels.bridge }} never drew less than "
    "{{ $value | humanize }}W, much more than a week ago. Look for what was left on.",
)

ALERTS: Final = (READINGS_REJECTED, POWER_HIGH)
SLOW_ALERTS: Final = (COUNTER_STUCK, ENERGY_POWER_DISAGREE, NO_EXPORT_BY_DAY, BASE_LOAD_HIGH)
