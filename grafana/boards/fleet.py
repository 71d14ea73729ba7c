"""A row for each bridge, worst first, for whoever looks after many."""

from dataclasses import dataclass
from typing import Final

from grafana.board import Board
from grafana.boards.health import PIN, UP
from grafana.boards.home import AGE_COLORS, BATTERY_COLORS, CORE_COLORS, LATEST, POWER_COLORS, WIFI_COLORS
from grafana.layout import shelf
from grafana.panels import (
    DBM,
    GREEN,
    KWH,
    ORANGE,
    RED,
    YELLOW,
    Json,
    column,
    known,
    now,
    query,
    stat,
    states,
    table,
    thresholds,
)
from grafana.queries import BRIDGE, JOULES_PER_KWH, metric, state
from grafana.texts import Text
from grafana.transforms import columns, merge, sort
from iometer_exporter.metrics import families as metrics
from iometer_exporter.metrics.families import Family
from prometheus.thresholds import DEFAULTS

PROBLEMS: Final = (
    (100, f"{metric(metrics.UP)} == bool 0"),
    (50, f"{metric(metrics.CORE_CONNECTED)} == bool 0"),
    (40, f"{metric(metrics.CORE_ATTACHED)} == bool 0"),
    (30, f"({LATEST}) > bool {DEFAULTS.stale_cap_seconds}"),
    (20, f"{metric(metrics.CORE_BATTERY)} <= bool {DEFAULTS.battery_critical_ratio}"),
    (10, f"{metric(metrics.CORE_BATTERY)} <= bool {DEFAULTS.battery_low_ratio}"),
    (5, metric(metrics.CORE_PIN_STATUS, 'status="missing"')),
    (2, f"{metric(metrics.CORE_RSSI)} < bool {DEFAULTS.core_weak_dbm}"),
    (1, f"{metric(metrics.BRIDGE_RSSI)} < bool {DEFAULTS.wifi_weak_dbm}"),
)
"""What is wrong with a bridge and how much that weighs; the sum puts the worst first."""


def severity() -> str:
    """The sum of the weights of all that is wrong with a bridge, 0 if nothing is."""
    terms = [
        f'label_replace({weight} * ({condition}), "problem", "{number}", "", "")'
        for number, (weight, condition) in enumerate(PROBLEMS)
    ]
    return f"sum by ({BRIDGE}) ({' or '.join(terms)})"


def _to(name: str, title: str) -> Json:
    labels = "&".join(
        f"var-{label}=${{__data.fields.{label}:percentencode}}" for label in ("job", "instance", "bridge")
    )
    return {
        "title": Text(title),
        "url": f"/d/iometer-{name}?${{__url_time_range}}&${{datasource:queryparam}}&{labels}",
        "targetBlank": False,
    }


LINKS: Final = [
    _to("home", "Home of this bridge"),
    _to("energy", "Energy and cost of this bridge"),
    _to("load", "Load profile of this bridge"),
    _to("health", "Device health of this bridge"),
]


@dataclass(frozen=True, slots=True)
class Column:
    """One value of each bridge: how it is called, asked for and shown."""

    title: str
    expression: str
    properties: Json
    colors: Json | None = None

    @property
    def override(self) -> Json:
        """The field options of the column."""
        colored = {"custom__cellOptions": {"type": "color-text"}, "color": {"mode": "thresholds"}}
        limits = colored | {"thresholds": self.colors} if self.colors else {}
        return column(Text(self.title), **self.properties, **limits)


def last_day(family: Family) -> str:
    """Kilowatt-hours of the last 24 hours."""
    return f"increase({metric(family)}[1d]) / {JOULES_PER_KWH}"


CORE: Final = states({0: ("Disconnected", RED), 1: ("Detached", ORANGE), 2: ("In place", GREEN)})

COLUMNS: Final = (
    Column("Severity", severity(), {"decimals": 0}, thresholds(GREEN, (1, YELLOW), (10, ORANGE), (30, RED))),
    Column("Answers", metric(metrics.UP), {"mappings": UP}, known(0, RED, (1, GREEN))),
    Column(
        "Core",
        f"{metric(metrics.CORE_CONNECTED)} * (1 + {metric(metrics.CORE_ATTACHED)})",
        {"mappings": CORE},
        known(0, RED, (2, GREEN)),
    ),
    Column("Age", LATEST, {"unit": "s", "decimals": 0}, AGE_COLORS),
    Column("Power", metric(metrics.POWER), {"unit": "watt"}, POWER_COLORS),
    Column("Drawn 24 h", last_day(metrics.ENERGY_IMPORT), {"unit": KWH, "decimals": 2}),
    Column("Fed in 24 h", last_day(metrics.ENERGY_EXPORT), {"unit": KWH, "decimals": 2}),
    Column("Battery", metric(metrics.CORE_BATTERY), {"unit": "percentunit"}, BATTERY_COLORS),
    Column(
        "PIN",
        state(metrics.CORE_PIN_STATUS, ("entered", "pending", "missing")),
        {"mappings": PIN},
        known(0, GREEN, (2, ORANGE)),
    ),
    Column("Radio", metric(metrics.CORE_RSSI), {"unit": DBM}, CORE_COLORS),
    Column("Wi-Fi", metric(metrics.BRIDGE_RSSI), {"unit": DBM}, WIFI_COLORS),
)


BOARD: Final = Board(
    name="fleet",
    description="All bridges, worst first. The name of a bridge leads to its other dashboards.",
    start="now-24h",
    refresh="30s",
    shelves=(
        shelf(
            4,
            stat(
                "Bridges",
                "Bridges that the exporters know.",
                now(f"count({metric(metrics.UP)})", ""),
                width=6,
                unit="none",
                color={"mode": "fixed", "fixedColor": GREEN},
                nothing="No bridge known",
            ),
            stat(
                "Bridges that do not answer",
                "Bridges without any valid document in the last scrape.",
                now(f"count({metric(metrics.UP)}) - sum({metric(metrics.UP)})", ""),
                width=6,
                unit="none",
                limits=thresholds(GREEN, (1, RED)),
                nothing="No bridge known",
            ),
            stat(
                "Bridges with a problem",
                "Bridges with a severity above 0.",
                now(f"sum({severity()} > bool 0)", ""),
                width=6,
                unit="none",
                limits=thresholds(GREEN, (1, ORANGE)),
                nothing="No bridge known",
            ),
            stat(
                "Power of all",
                "Sum of the power at the grid connections that are known now.",
                now(f"sum({metric(metrics.POWER)})", ""),
                width=6,
                unit="watt",
                limits=POWER_COLORS,
                nothing="No power known",
            ),
        ),
        shelf(
            16,
            table(
                "Bridges, worst first",
                "Severity sums up what is wrong: no answer 100, core out of reach 50, core off the meter 40, "
                "reading older than an hour 30, battery critical 30 or low 10, PIN missing 5, weak radio 2, "
                "weak Wi-Fi 1. "
                "A dash is unknown.",
                *(query(f"max by ({BRIDGE}) ({one.expression})", table=True) for one in COLUMNS),
                width=24,
                unit="none",
                transformations=[
                    merge(),
                    columns(
                        {"bridge": "Bridge"}
                        | {f"Value #{chr(ord('A') + index)}": one.title for index, one in enumerate(COLUMNS)}
                        | {"instance": "Exporter", "job": "Job"},
                        hidden=("Time",),
                    ),
                    sort(Text("Severity"), descending=True),
                ],
                overrides=[column(Text("Bridge"), links=LINKS), *(one.override for one in COLUMNS)],
                nothing="No bridge known",
            ),
        ),
    ),
)
