"""What counts as too much, too little or too old: the one place, for rules and dashboards."""

from dataclasses import dataclass
from typing import Final

JOB: Final = "iometer"
"""The `job` of the scrape configuration that reads the exporter."""

RUNBOOKS: Final = ""
"""Address of the runbook, docs/alerts.md, where you can read it; without one no alert has a `runbook_url`."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The limits of all alerts; the unit is in the name, ratios are 0 to 1."""

    flapping_up_ratio: float = 0.9
    """A bridge that answers less often than this in an hour…"""
    flapping_changes: int = 6
    """… and goes or comes at least so often is flapping; one failed scrape is two changes."""

    stale_floor_seconds: int = 600
    """A reading younger than this is never stale…"""
    stale_cap_seconds: int = 3600
    """… and one older than this always is: the longest interval of the app is 15 minutes."""
    stale_intervals: int = 3
    """In between, so many times the usual distance of two readings may pass."""

    skew_ahead_seconds: int = 120
    skew_behind_seconds: int = 300
    """More than ahead, as a reading takes its time to get here."""

    battery_low_ratio: float = 0.2
    """As in `iometer-exporter check`."""
    battery_critical_ratio: float = 0.1
    battery_empty_ratio: float = 0.05
    """A core near this charge stops."""
    battery_empty_days: int = 14
    """How far ahead BatteryEmptySoon looks."""
    battery_new_ratio: float = 0.6
    """Above this a fall says nothing: new batteries settle."""
    battery_fall_ratio: float = 0.025
    """A smaller fall in a week is noise: the level comes in steps of 0.01."""

    wifi_weak_dbm: int = -80
    core_weak_dbm: int = -90
    """868 MHz carries further than Wi-Fi at the same signal."""

    wrong_readings: int = 5
    """Readings with a wrong value, refused in an hour."""
    replayed_ratio: float = 0.25
    """Share of older readings, among those of an hour; some firmware always sends a few."""

    stuck_watts: int = 200
    """Mean power of 6 h that moves even a counter of whole kWh."""
    disagree_watts: int = 50
    disagree_ratio: float = 0.2
    """How far mean power and counters may differ in 6 h: by so many watts and this share of the energy."""

    export_none_kwh: float = 0.05
    """A day with less than this is one without export…"""
    export_usual_kwh: float = 1.0
    """… in a house that usually exports more than this in a day."""

    power_high_watts: int = 10_000
    base_load_factor: int = 2
    """How many times that of a week ago the base load is high…"""
    base_load_floor_watts: int = 100
    """… and nothing below the factor times this."""

    inventory_old_seconds: int = 3600
    """Many times the interval at which a provider's inventory is read, 5 minutes."""
    request_errors: int = 10
    """Errors of one kind in half an hour; one installation that the API cannot tell of makes six."""
    pool_free_ratio: float = 0.1
    """Share of a license pool that is left when it is nearly used up."""
    license_end_days: int = 14
    """How far ahead LicensesEnding looks."""
    silent_seconds: int = 3600
    """An installation without a reading for so long is silent: it sends one every 15 minutes at least…"""
    silent_forgotten_days: int = 7
    """… and counts no more after so many days."""
    silent_ratio: float = 0.1
    """Some installations are always silent; more than this share of them…"""
    silent_installations: int = 3
    """… and at least so many have a common reason."""


DEFAULTS: Final = Thresholds()
