"""The alerts that fire, in words."""

from collections.abc import Sequence
from typing import Final

from grafana.panels import BLUE, ORANGE, RED, Json, column, query, table, words
from grafana.queries import EXPORTER
from grafana.texts import Text
from grafana.transforms import columns, sort
from prometheus.build import ALERTS
from prometheus.rules import Alert

_SEVERITIES: Final = {"critical": ("critical", RED), "warning": ("warning", ORANGE), "info": ("info", BLUE)}

NAMES: Final = {
    "ExporterDown": "Exporter does not answer",
    "ExporterAbsent": "No exporter is scraped",
    "ConfigReloadFailed": "New configuration refused",
    "DiscoveryLimited": "More bridges than allowed",
    "BridgeUnreachable": "Bridge does not answer",
    "BridgeFlapping": "Bridge answers now and then",
    "ReadingStale": "No new reading",
    "ClockSkew": "Clock of the bridge is wrong",
    "StatusMissing": "No status for a day",
    "CoreDisconnected": "Core out of reach",
    "CoreDetached": "Core off the meter",
    "MeterPinMissing": "PIN of the meter missing",
    "WeakSignal": "Weak signal",
    "BatteryLow": "Battery low",
    "BatteryCritical": "Battery nearly empty",
    "BatteryEmptySoon": "Battery empty soon",
    "FirmwareMismatch": "Different firmware",
    "ReadingsRejected": "Readings refused",
    "CounterStuck": "Energy counter stands still",
    "EnergyPowerDisagree": "Energy and power disagree",
    "NoExportByDay": "Nothing fed in for a day",
    "PowerHigh": "High power",
    "BaseLoadHigh": "Base load has risen",
    "ProviderApiDown": "Provider API does not answer",
    "ProviderInventoryOld": "Inventory is old",
    "ProviderSubscriptionDown": "No live readings",
    "ProviderRequestErrors": "Errors of the provider API",
    "LicensePoolNearlyUsed": "License pool nearly used up",
    "LicensesEnding": "Licenses are about to end",
    "InstallationsSilent": "Many installations are silent",
}
"""Every alert of prometheus/alerts.yml, in a few words."""

OF_PROVIDERS: Final = tuple(
    rule.name
    for group in ALERTS
    for rule in group.rules
    if isinstance(rule, Alert) and ("iometer_provider_" in rule.expr or "iometer_license_" in rule.expr)
)
_OF_EXPORTERS: Final = ("ExporterDown", "ExporterAbsent", "ConfigReloadFailed")

HOUSEHOLD: Final = tuple(name for name in NAMES if name not in OF_PROVIDERS)
PROVIDER: Final = (*_OF_EXPORTERS, *OF_PROVIDERS)


def firing(names: Sequence[str], bridge: str = "") -> str:
    """The firing ones of these alerts, the more severe the higher the value, with what they are about."""
    ours = ",".join(
        ('alertstate="firing"', f'alertname=~"{"|".join(names)}"', *EXPORTER, *([bridge] if bridge else []))
    )
    weighed = " or ".join(
        f'{weight} * ALERTS{{{ours},severity="{severity}"}}'
        for weight, severity in enumerate(reversed(_SEVERITIES), 1)
    )
    about = '"bridge", "name", "endpoint", "radio", "component", "operation", "reason"'
    joined = f'label_join({weighed}, "about", " ", {about})'
    # Without the blanks around what an alert does not have.
    return (
        f"max by (alertname, severity, about, instance)"
        f' (label_replace({joined}, "about", "$1", "about", " *(.*?) *"))'
    )


def alerts(description: str, expression: str, *, width: int) -> Json:
    """The table of alerts, the most severe first."""
    return table(
        "Firing alerts",
        description,
        query(expression, table=True),
        width=width,
        unit="none",
        nothing="No alert is firing",
        transformations=[
            sort("Value", descending=True),
            columns(
                {"alertname": "Alert", "severity": "Severity", "about": "About", "instance": "Exporter"},
                hidden=("Time", "Value"),
            ),
        ],
        overrides=[
            column(Text("Alert"), mappings=words({name: (text, "") for name, text in NAMES.items()})),
            column(
                Text("Severity"),
                mappings=words(_SEVERITIES),
                color={"mode": "thresholds"},
                custom__cellOptions={"type": "color-text"},
                custom__width=90,
            ),
        ],
    )
