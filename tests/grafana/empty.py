"""What rightly has no data, and why: the one place. What is listed here and has data is a fault too."""

from collections.abc import Mapping
from typing import Final

import promql_parser
from promql_parser import BinaryExpr, Expr, VectorSelector

from grafana.histories.plan import PROVIDER
from iometer_exporter.metrics.families import FAMILIES, POWER_DISTRIBUTION, STREAMS
from iometer_exporter.provider.served.families import INSTALLATION_FAMILIES, PROVIDER_FAMILIES, READING_DELAY
from tests.grafana.boards import children

_NO_PV: Final = "the meter has no export register"
_WIRED: Final = "the core is wired and has no battery"
_PLAIN: Final = "the meter sends no phases and no frequency"
_ONE_TARIFF: Final = "the meter has no tariff registers"
_NO_EXPORT_TARIFFS: Final = "no simulated meter counts export by tariff"

_NO_PHASES: Final = dict.fromkeys(
    (
        "iometer_phase_power_watts",
        "iometer_phase_voltage_volts",
        "iometer_phase_current_amperes",
        "iometer_frequency_hertz",
    ),
    _PLAIN,
)

_NOT_FOLLOWED: Final = dict.fromkeys(
    (*(family.name for family in STREAMS), f"{POWER_DISTRIBUTION.name}_bucket"),
    "no stream of a bridge is followed there",
)

_NO_PROVIDER: Final = {
    name: "a home has no provider; the history of a provider's fleet has"
    for name in (
        f"{READING_DELAY.name}_bucket",
        *(family.name for family in (*PROVIDER_FAMILIES, *INSTALLATION_FAMILIES)),
    )
    if name not in {shared.name for shared in FAMILIES}
}

ABSENT: Final[Mapping[str, Mapping[str, str]]] = {
    "pv-15s": {
        "iometer_tariff_energy_export_joules_total": _NO_EXPORT_TARIFFS,
        **_NO_PHASES,
        **_NOT_FOLLOWED,
        **_NO_PROVIDER,
    },
    "three-60s": {"iometer_tariff_energy_export_joules_total": _NO_EXPORT_TARIFFS, **_NO_PROVIDER},
    "plain-60s": {
        "iometer_energy_export_joules_total": _NO_PV,
        "iometer_tariff_energy_export_joules_total": _NO_PV,
        "iometer_tariff_energy_import_joules_total": _ONE_TARIFF,
        "iometer_core_battery_ratio": _WIRED,
        **_NO_PHASES,
        **_NOT_FOLLOWED,
        **_NO_PROVIDER,
    },
}
"""Metrics that a scenario has no series of: what selects one of them and nothing instead is empty."""

LIVE_ABSENT: Final[Mapping[str, str]] = {
    "iometer_tariff_energy_export_joules_total": _NO_EXPORT_TARIFFS,
    **_NO_PROVIDER,
}
"""Metrics that the living exporter's Prometheus has no series of."""

_QUIET: Final = dict.fromkeys(ABSENT, "no alert fires: the history ends well")
_NO_RESET: Final = dict.fromkeys(ABSENT, "the only reset is older than a day")
_NOT_YET: Final = dict.fromkeys(ABSENT, "the history begins later in the month, and in this year")

_NO_RULES: Final = {PROVIDER.name: "nobody evaluates the rules there"}

EMPTY: Final[Mapping[str, Mapping[str, str]]] = {
    "iometer-home: Firing alerts A": _QUIET,
    "iometer-provider: Firing alerts A": _NO_RULES,
    "iometer-health: Counter resets": _NO_RESET,
    "iometer-load: Distribution of power B": {"plain-60s": _NO_PV},
    **{
        f"{board}: {title}": _NOT_YET
        for board, title in (
            *((f"iometer-{name}", "Drawn this month B") for name in ("home", "energy")),
            *((f"iometer-{name}", "Fed in this month B") for name in ("home", "energy")),
            *(("iometer-energy", title) for title in ("Drawn this year B", "Fed in this year B")),
            ("iometer-energy", "Bill of this month in $currency E"),
            ("iometer-energy", "Bill of this year in $currency E"),
        )
    },
}
"""Queries, as `uid: panel ref`, that are empty in a scenario for another reason."""


def reason(expr: str, scenario: str, key: str = "") -> str | None:
    """Why an expression must be empty in a scenario; None if it must not be."""
    return EMPTY.get(key, {}).get(scenario) or lacking(expr, ABSENT.get(scenario, {}))


def lacking(expr: str, absent: Mapping[str, str]) -> str | None:
    """Why an expression is empty where some metrics (with a reason each) are absent; None if it is not."""
    return _lacks(promql_parser.parse(expr), absent)


def _lacks(node: Expr, absent: Mapping[str, str]) -> str | None:
    if isinstance(node, VectorSelector):
        return absent.get(node.name or "")
    parts = [_lacks(child, absent) for child in children(node)]
    if isinstance(node, BinaryExpr) and str(node.op) == "or":
        return parts[0] and parts[1]
    if isinstance(node, BinaryExpr) and str(node.op) == "unless":
        return parts[0]
    return next((part for part in parts if part), None)
