"""Alerts on the core: radio, place, PIN, battery, firmware."""

from typing import Final

from prometheus.rules import DAY, HOUR, MINUTE, Alert

CORE_DISCONNECTED: Final = Alert(
    "CoreDisconnected",
    "critical",
    after=10 * MINUTE,
    keep_firing=10 * MINUTE,
    expr="max_over_time(iometer_core_connected{$bridge}[10m]) == 0",
    summary="The core of {{ $labels.bridge }} does not reach the bridge",
    description="The bridge {{ $labels.bridge }} has heard nothing from its core for at "
    "least 20 minutes, so there are no new readings. Replace the core's battery if it was low, or bring the "
    "bridge nearer to the meter.",
)

CORE_DETACHED: Final = Alert(
    "CoreDetached",
    "critical",
    after=5 * MINUTE,
    expr="max_over_time(iometer_core_attached{$bridge}[5m]) == 0",
    summary="The core of {{ $labels.bridge }} has come off the meter",
    description="The core of the bridge {{ $labels.bridge }} says that it does not sit on the meter. "
    "It reads nothing until it is put back onto the optical port.",
)

# A disconnected core says nothing of the PIN; states unknown today are none of ours.
METER_PIN_MISSING: Final = Alert(
    "MeterPinMissing",
    "warning",
    after=30 * MINUTE,
    expr="""
min_over_time(iometer_core_pin_status{$bridge,status=~"missing|pending"}[15m]) == 1
and ignoring (status) max_over_time(iometer_core_connected{$bridge}[15m]) == 1
""",
    summary="The PIN of the meter at {{ $labels.bridge }} is {{ $labels.status }}",
    description="The PIN of the meter at the bridge {{ $labels.bridge }} is "
    "{{ $labels.status }}. Without it most meters show whole kWh only and no power. Get it from the operator "
    "of the meter, and enter it in the IOmeter app.",
)

# An empty battery takes its own level along: the core is gone and sends none. So the last level of a week
# stands in where there is none of the last hour, as long as the bridge is known. A core that was put on the
# wire sends none either, and has nothing to replace.
_BATTERY: Final = """(
  max_over_time(iometer_core_battery_ratio{$bridge}[1h])
  or ignoring (meter) (
    last_over_time(iometer_core_battery_ratio{$bridge}[7d])
    unless ignoring (status) last_over_time(iometer_core_power_status{$bridge,status="wired"}[7d]) == 1
  )
)"""
_KNOWN: Final = "and ignoring (meter) present_over_time(iometer_up{$bridge}[1h])"

# Goes on below the critical level, where Alertmanager holds it back: so nobody is told that it is over.
BATTERY_LOW: Final = Alert(
    "BatteryLow",
    "warning",
    after=HOUR,
    expr=f"{_BATTERY} <= $battery_low_ratio\n{_KNOWN}",
    summary="The battery of the core of {{ $labels.bridge }} is at {{ $value | humanizePercentage }}",
    description="The battery of the core of the bridge {{ $labels.bridge }} is "
    "at {{ $value | humanizePercentage }}. Have new batteries at hand.",
)

BATTERY_CRITICAL: Final = Alert(
    "BatteryCritical",
    "critical",
    after=30 * MINUTE,
    expr=f"{_BATTERY} <= $battery_critical_ratio\n{_KNOWN}",
    summary="The battery of the core of {{ $labels.bridge }} is nearly empty: "
    "{{ $value | humanizePercentage }}",
    description="The battery of the core of the bridge {{ $labels.bridge }} is "
    "at {{ $value | humanizePercentage }}. Replace it now: readings will end soon, or have ended.",
)


def days_left(window: str) -> str:
    """Days until the battery is empty, if it goes on as in the time window; absent while it does not fall."""
    level = "iometer_core_battery_ratio{$bridge}"
    # An hour is fine enough, and 7 days of samples are many.
    return f"clamp_min({level} - $battery_empty_ratio, 0) / -(deriv({level}[{window}:1h]) < 0) / 86400"


AGED: Final = "and present_over_time(iometer_core_battery_ratio{$bridge}[1d] offset 3d)"
"""The slope is not that of some hours."""

# The level comes in steps: one step is no fall, and what fell days ago may stand still since.
BATTERY_EMPTY_SOON: Final = Alert(
    "BatteryEmptySoon",
    "warning",
    after=6 * HOUR,
    expr=f"""
{days_left("7d")} < $battery_empty_days
{AGED}
and iometer_core_battery_ratio{{$bridge}} < $battery_new_ratio
and deriv(iometer_core_battery_ratio{{$bridge}}[2d:1h]) < 0
and
  max_over_time(iometer_core_battery_ratio{{$bridge}}[7d:1h])
  - min_over_time(iometer_core_battery_ratio{{$bridge}}[7d:1h])
  > $battery_fall_ratio
""",
    summary="The battery of the core of {{ $labels.bridge }} will be empty in about "
    '{{ $value | printf "%.0f" }} days',
    description="The battery of the core of the bridge {{ $labels.bridge }} "
    'falls fast. If it goes on as in the last 7 days, it will be empty in about {{ $value | printf "%.0f" }} '
    "days. Have new batteries at hand, and see whether a weak signal makes the core send more than it must.",
)

WEAK_SIGNAL: Final = Alert(
    "WeakSignal",
    "warning",
    after=HOUR,
    expr="""
label_replace(
  avg_over_time(iometer_bridge_rssi_dbm{$bridge}[1h]) < $wifi_weak_dbm, "radio", "Wi-Fi", "", ""
)
or
label_replace(
  avg_over_time(iometer_core_rssi_dbm{$bridge}[1h]) < $core_weak_dbm, "radio", "core", "", ""
)
""",
    summary='Weak {{ $labels.radio }} signal at {{ $labels.bridge }}: {{ $value | printf "%.0f" }} dBm',
    description="The {{ $labels.radio }} signal at the bridge {{ $labels.bridge }} has been at "
    '{{ $value | printf "%.0f" }} dBm on average for an hour. Readings may be lost, and a core that must '
    "repeat itself needs more battery. Move the bridge nearer to the "
    '{{ if eq $labels.radio "core" }}meter{{ else }}router{{ end }}.',
)

# By job: with one target per bridge, `instance` is the bridge. An hour is remembered, as 3 days would begin
# anew after every short outage. A core that is away has no version.
FIRMWARE_MISMATCH: Final = Alert(
    "FirmwareMismatch",
    "info",
    after=3 * DAY,
    expr="""
label_replace(
  count by (job) (
    count by (job, bridge_version) (last_over_time(iometer_bridge_info{$bridge,bridge_version!=""}[1h]))
  ) > 1, "component", "bridge", "", ""
)
or
label_replace(
  count by (job) (
    count by (job, core_version) (last_over_time(iometer_bridge_info{$bridge,core_version!=""}[1h]))
  ) > 1, "component", "core", "", ""
)
""",
    summary="{{ $value }} versions of the {{ $labels.component }} firmware are in use",
    description="For at least 3 days the {{ $labels.component }} firmware has not been the same everywhere: "
    "there are {{ $value }} versions. Bridges update themselves; one that does not may need a restart.",
)

ALERTS: Final = (
    CORE_DISCONNECTED,
    CORE_DETACHED,
    METER_PIN_MISSING,
    WEAK_SIGNAL,
)
SLOW_ALERTS: Final = (BATTERY_LOW, BATTERY_CRITICAL, BATTERY_EMPTY_SOON, FIRMWARE_MISMATCH)
