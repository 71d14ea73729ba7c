"""Alerts on a provider's fleet: the API, licenses, and readings that stop at many installations at once.

An alert for each customer would help nobody, so installations are counted. Of an account there may be several
exporters: shards, each with a part of the installations, or a pair with the same ones; all of them show the
same pools. So what belongs to the account is aggregated by it, and not by `instance`.
"""

from typing import Final

from prometheus.rules import HOUR, MINUTE, Alert

# A failed refresh is tried again within the interval, 5 minutes; some failures in a row are no news yet.
PROVIDER_API_DOWN: Final = Alert(
    "ProviderApiDown",
    "critical",
    after=5 * MINUTE,
    expr="max_over_time(iometer_provider_up{$job}[15m]) == 0",
    summary="The exporter at {{ $labels.instance }} gets no inventory from the provider API",
    description="For at least 20 minutes the exporter at {{ $labels.instance }} has not got the whole "
    "inventory from the provider API, so what it serves of devices and licenses stays as it was. Run "
    "iometer-exporter provider status on its host: it says whether the API fails or refuses the key.",
)

# A first refresh that goes on for hours has no result yet, and so no time.
PROVIDER_INVENTORY_OLD: Final = Alert(
    "ProviderInventoryOld",
    "warning",
    after=10 * MINUTE,
    expr="""
time() - iometer_provider_inventory_timestamp_seconds{$job} > $inventory_old_seconds
or
$inventory_old_seconds + 0 * (
  iometer_provider_installations{$job} offset 1h
  unless last_over_time(iometer_provider_inventory_timestamp_seconds{$job}[1h])
)
""",
    summary="The provider's inventory at {{ $labels.instance }} is {{ $value | humanizeDuration }} old",
    description="The exporter at {{ $labels.instance }} read the whole inventory of the provider "
    "{{ $value | humanizeDuration }} ago for the last time (or never yet), so devices, licenses and pools "
    "are shown as they were then. Its log says what stops it. If the API is only slow, set a longer "
    "inventory_interval.",
)

PROVIDER_SUBSCRIPTION_DOWN: Final = Alert(
    "ProviderSubscriptionDown",
    "warning",
    after=5 * MINUTE,
    expr="max_over_time(iometer_provider_subscription_up{$job}[10m]) == 0",
    summary="The exporter at {{ $labels.instance }} has no live readings from the provider API",
    description="For at least 15 minutes the exporter at {{ $labels.instance }} could not subscribe to the "
    "provider's readings. Those that come with the inventory are all there are, one every few minutes. Its "
    "log says why. Where WebSockets do not pass, set readings to poll in its configuration.",
)

# Half an hour with many errors, and that for an hour: what passes is bridged by the last good data.
PROVIDER_REQUEST_ERRORS: Final = Alert(
    "ProviderRequestErrors",
    "warning",
    after=HOUR,
    expr="increase(iometer_provider_request_errors_total{$job}[30m]) >= $request_errors",
    summary='{{ $value | printf "%.0f" }} errors of the provider API in 30 min at {{ $labels.instance }} '
    "({{ $labels.reason }})",
    description="For more than an hour the exporter at {{ $labels.instance }} has had errors of the provider "
    "API: {{ $labels.reason }} in the operation {{ $labels.operation }}, "
    '{{ $value | printf "%.0f" }} times in the last half hour. Its log has a sentence on each kind of error; '
    "docs/provider.md says what to do about each reason.",
)

LICENSE_POOL_NEARLY_USED: Final = Alert(
    "LicensePoolNearlyUsed",
    "warning",
    after=HOUR,
    expr="""
min by (job, pool, name) (iometer_license_pool_size{$job} - iometer_license_pool_used{$job})
<= $pool_free_ratio * max by (job, pool, name) (iometer_license_pool_size{$job} > 0)
""",
    summary="The license pool {{ $labels.name }} is nearly used up, licenses left: {{ $value }}",
    description="The pool {{ $labels.name }} ({{ $labels.pool }}) has so few licenses left: {{ $value }}. "
    "When there are none, no customer can be registered from it. Order more, or end licenses that nobody "
    "needs.",
)

# The key of an exporter belongs to one account, which lends its id and name to the installations.
LICENSES_ENDING: Final = Alert(
    "LicensesEnding",
    "info",
    after=HOUR,
    expr="""
count by (job, id, name) (
  max by (job, id, name, installation) (
    (
      iometer_license_end_timestamp_seconds{$installation}
      unless iometer_license_auto_renewal{$installation} == 1
    )
    * ignoring (id, name, installation) group_left (id, name) iometer_provider_info{$job}
  )
  - time() > 0 < $license_end_days * 86400
)
""",
    summary="Licenses of {{ $labels.name }} that are about to end: {{ $value }}",
    description="So many installations of the provider {{ $labels.name }} have a license that ends soon and "
    "does not renew itself: {{ $value }}. Find them by iometer_license_end_timestamp_seconds, and give those "
    "who stay another end or term with iometer-exporter provider license.",
)

# Seconds from the newest reading of each installation to the inventory that brings readings too. Not to now:
# while the API is down, nothing becomes silent.
_SILENCE: Final = """min by (job, id, name, installation) (
    iometer_provider_inventory_timestamp_seconds{$job}
    * ignoring (id, name) group_left (id, name) iometer_provider_info{$job}
    - ignoring (id, name, installation, meter) group_right (id, name)
      iometer_reading_timestamp_seconds{$installation}
  ) < $silent_forgotten_days * 86400"""

# Whoever was silent before that is left out: customers who never come back would make it true for ever.
INSTALLATIONS_SILENT: Final = Alert(
    "InstallationsSilent",
    "warning",
    after=30 * MINUTE,
    expr=f"""
count by (job, id, name) (
  {_SILENCE} > $silent_seconds
)
/
count by (job, id, name) (
  {_SILENCE}
)
> $silent_ratio
and
count by (job, id, name) (
  {_SILENCE} > $silent_seconds
)
>= $silent_installations
""",
    summary="{{ $value | humanizePercentage }} of the installations of {{ $labels.name }} have fallen silent",
    description="Of the installations of the provider {{ $labels.name }} that have sent readings lately, "
    "{{ $value | humanizePercentage }} send none any more. So many at once have a common reason: the "
    "vendor's cloud, power or internet of a region, or new firmware. See which ones they are with "
    "iometer-exporter provider installations, and ask the vendor.",
)

ALERTS: Final = (
    PROVIDER_API_DOWN,
    PROVIDER_INVENTORY_OLD,
    PROVIDER_SUBSCRIPTION_DOWN,
    PROVIDER_REQUEST_ERRORS,
    LICENSE_POOL_NEARLY_USED,
)
SLOW_ALERTS: Final = (LICENSES_ENDING, INSTALLATIONS_SILENT)
