"""Alerts on what stands between Prometheus and a reading: exporter, configuration, bridge, age, clock."""

from typing import Final

from prometheus.rules import HOUR, MINUTE, Alert

EXPORTER_DOWN: Final = Alert(
    "ExporterDown",
    "critical",
    after=5 * MINUTE,
    expr="up{$job} == 0",
    summary="Prometheus gets nothing from the exporter at {{ $labels.instance }}",
    description="The exporter at {{ $labels.instance }} has not answered for at least 5 minutes, so there "
    "are no values of what it reads. See whether it runs, and whether Prometheus has its right address; the "
    "page of targets in Prometheus shows the error.",
)

# `up` ends with the target, so a target that was deleted makes no ExporterDown.
EXPORTER_ABSENT: Final = Alert(
    "ExporterAbsent",
    "critical",
    after=15 * MINUTE,
    expr="absent(up{$job})",
    summary="Prometheus has no target in the job {{ $labels.job }}",
    description="Nothing is scraped in the job {{ $labels.job }}, so no other alert can fire. Either the "
    "scrape configuration has lost the job, service discovery finds no bridge, or the job has another name "
    "than these rules expect: see the page of targets in Prometheus.",
)

# One lost answer is normal for Wi-Fi, hence the maximum of 5 minutes.
BRIDGE_UNREACHABLE: Final = Alert(
    "BridgeUnreachable",
    "critical",
    after=5 * MINUTE,
    expr="max_over_time(iometer_up{$bridge}[5m]) == 0",
    summary="The bridge {{ $labels.bridge }} does not answer",
    description="The exporter has had no valid answer from the bridge {{ $labels.bridge }} for at least "
    "10 minutes. See whether it has power and Wi-Fi, and whether its address is still the same; "
    "iometer-exporter check says what is wrong.",
)

# Changes tell it from one long outage; the last term leaves a bridge that is gone to BridgeUnreachable.
BRIDGE_FLAPPING: Final = Alert(
    "BridgeFlapping",
    "warning",
    after=30 * MINUTE,
    expr="""
avg_over_time(iometer_up{$bridge}[1h]) < $flapping_up_ratio
and changes(iometer_up{$bridge}[1h]) >= $flapping_changes
and max_over_time(iometer_up{$bridge}[5m]) == 1
""",
    summary="The bridge {{ $labels.bridge }} answers only {{ $value | humanizePercentage }} of the time",
    description="In the last hour the bridge {{ $labels.bridge }} came and went several times and gave an "
    "answer to {{ $value | humanizePercentage }} of the requests. Weak Wi-Fi is the usual reason: bring it "
    "nearer to the router.",
)

# The middle of the ages seen in 6 h is half the usual distance of two readings, whatever the interval is set
# to in the app; an outage shorter than 3 h does not move it. A reading that is no longer served at all leaves
# its last time stamp behind for 6 h; after that, and if there never was one, /v1/reading itself is the sign.
# `without` and not `by`, here and elsewhere: labels of the target, such as a site, tell bridges apart too.
READING_STALE: Final = Alert(
    "ReadingStale",
    "warning",
    after=10 * MINUTE,
    expr="""
(
  time() - max without (meter) (
    last_over_time(iometer_reading_timestamp_seconds{$bridge}[6h])
  )
  > clamp(
    2 * $stale_intervals * max without (meter) (
      quantile_over_time(0.5, (time() - iometer_reading_timestamp_seconds{$bridge})[6h:2m])
    ),
    $stale_floor_seconds, $stale_cap_seconds
  )
  or
  $stale_cap_seconds + max without (endpoint) (
    max_over_time(iometer_endpoint_up{$bridge,endpoint="reading"}[1h]) == 0
    and iometer_endpoint_up{$bridge,endpoint="reading"} offset 1h
  )
)
and max_over_time(iometer_up{$bridge}[5m]) == 1
""",
    summary="No new reading from {{ $labels.bridge }} for {{ $value | humanizeDuration }}",
    description="The bridge {{ $labels.bridge }} answers, but its newest reading is "
    "{{ $value | humanizeDuration }} old (or it has none), much more than usual. The core may have lost the "
    "meter or the bridge: see that it sits on the meter, and ask iometer-exporter check.",
)

# Ahead: at once visible. Behind: the reading goes on, yet is never young.
CLOCK_SKEW: Final = Alert(
    "ClockSkew",
    "warning",
    after=15 * MINUTE,
    expr="""
iometer_reading_timestamp_seconds{$bridge} - time() > $skew_ahead_seconds
or
(
  max_over_time((iometer_reading_timestamp_seconds{$bridge} - time())[1h:1m]) < -$skew_behind_seconds
  and changes(iometer_reading_timestamp_seconds{$bridge}[1h]) >= 3
)
""",
    summary="The clock of {{ $labels.bridge }} differs by {{ $value | humanizeDuration }}",
    description="Readings of the bridge {{ $labels.bridge }} carry a time that is "
    "{{ if gt $value 0.0 }}ahead of{{ else }}behind{{ end }} the clock of this Prometheus, by "
    '{{ $value | humanizeDuration | reReplaceAll "^-" "" }}. One of the two clocks is wrong, most often that '
    "of the host: synchronise it (timedatectl), else restart the bridge.",
)

# A configuration that is bad for some minutes is one that somebody is working on.
CONFIG_RELOAD_FAILED: Final = Alert(
    "ConfigReloadFailed",
    "warning",
    after=10 * MINUTE,
    expr="iometer_config_last_reload_successful{$job} == 0",
    summary="The exporter at {{ $labels.instance }} has refused its new configuration",
    description="The exporter at {{ $labels.instance }} was told to read its configuration again and found "
    "it wrong. It goes on with the old one, but would not start with the new one. Its log and "
    "iometer-exporter config check say what is wrong: correct the file, and reload.",
)

DISCOVERY_LIMITED: Final = Alert(
    "DiscoveryLimited",
    "warning",
    after=15 * MINUTE,
    expr="iometer_discovery_limited{$job} == 1",
    summary="More bridges announce themselves to the exporter at {{ $labels.instance }} than it takes in",
    description="The exporter at {{ $labels.instance }} has as many discovered bridges as discovery.limit "
    "allows, so others are not read. If you have so many, raise the limit or name them in the configuration; "
    "if not, somebody in the network announces bridges that do not exist: see iometer-exporter discover.",
)

# Some firmware has no status and never had one, which is no fault: only who had one within two weeks can miss
# it. Without a status nothing is known of core and battery, so no other alert speaks of them.
STATUS_MISSING: Final = Alert(
    "StatusMissing",
    "warning",
    after=HOUR,
    expr="""
max_over_time(iometer_endpoint_up{$bridge,endpoint="status"}[1d]) == 0
and max_over_time(iometer_endpoint_up{$bridge,endpoint="status"}[14d:1h]) == 1
and present_over_time(iometer_endpoint_up{$bridge,endpoint="status"}[1h] offset 1d)
and ignoring (endpoint)
  avg_over_time(iometer_endpoint_up{$bridge,endpoint="reading"}[1d]) >= $flapping_up_ratio
""",
    summary="The bridge {{ $labels.bridge }} has sent no status for a day",
    description="The bridge {{ $labels.bridge }} sends readings, but for at least a day no status. Meanwhile "
    "nothing is known of its core, battery and signal, and no alert on them can fire. Restart the bridge; "
    "iometer-exporter check says what is wrong with the status.",
)

ALERTS: Final = (
    EXPORTER_DOWN,
    EXPORTER_ABSENT,
    CONFIG_RELOAD_FAILED,
    DISCOVERY_LIMITED,
    BRIDGE_UNREACHABLE,
    BRIDGE_FLAPPING,
    READING_STALE,
    CLOCK_SKEW,
)
SLOW_ALERTS: Final = (STATUS_MISSING,)
