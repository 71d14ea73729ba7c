"""What a household keeps open: power now, energy and money so far, and whether all is well."""

from typing import Final

from grafana.board import Board
from grafana.layout import shelf
from grafana.panels import (
    BLUE,
    DBM,
    EURO,
    GREEN,
    KWH,
    ORANGE,
    RED,
    TEXT,
    YELLOW,
    Json,
    colored,
    column,
    curve,
    known,
    now,
    query,
    spans,
    stat,
    states,
    table,
    thresholds,
    words,
)
from grafana.queries import BRIDGE, EXPORTER, cost, kwh, metric, net, revenue
from grafana.texts import Text
from grafana.transforms import columns, sort
from grafana.variables import EXPORT_PRICE, IMPORT_PRICE
from iometer_exporter.metrics import families as metrics
from prometheus.build import ALERTS
from prometheus.thresholds import DEFAULTS

POWER_COLORS: Final = known(-1e9, BLUE, (0, ORANGE), (6000, RED))
BATTERY_COLORS: Final = known(
    0, RED, (DEFAULTS.battery_critical_ratio, YELLOW), (DEFAULTS.battery_low_ratio, GREEN)
)
AGE_COLORS: Final = known(
    -1e9, GREEN, (DEFAULTS.stale_floor_seconds, YELLOW), (DEFAULTS.stale_cap_seconds, RED)
)
CORE_COLORS: Final = known(-1000, RED, (DEFAULTS.core_weak_dbm, YELLOW), (DEFAULTS.core_weak_dbm + 10, GREEN))
WIFI_COLORS: Final = known(-1000, RED, (DEFAULTS.wifi_weak_dbm, YELLOW), (DEFAULTS.wifi_weak_dbm + 10, GREEN))
# The newest of a bridge: the meter that was replaced today has a last reading too.
LATEST: Final = (
    f"time() - max by ({BRIDGE}) (last_over_time({metric(metrics.READING_TIMESTAMP)}[1d]))"
    f" and on ({BRIDGE}) {metric(metrics.UP)}"
)
_NAMES: Final = "|".join(rule.name for group in ALERTS for rule in group.rules)
_SEVERITIES: Final = {"critical": ("critical", RED), "warning": ("warning", ORANGE), "info": ("info", BLUE)}


def firing() -> str:
    """The firing alerts of the chosen bridges, and of exporters, the more severe the higher the value."""
    ours = f'alertstate="firing",alertname=~"{_NAMES}",{",".join(EXPORTER)},bridge=~"$bridge|"'
    return " or ".join(
        f'{weight} * ALERTS{{{ours},severity="{severity}"}}'
        for weight, severity in enumerate(reversed(_SEVERITIES), 1)
    )


NO_POWER: Final = "No power known: is the reading old, or the meter's PIN missing?"
NO_ENERGY: Final = "No energy known for this time"
NO_STATUS: Final = "No status of the device"


def energy(title: str, description: str, period: str, shift: str = "") -> Json:
    """Import and export of a calendar period."""
    return stat(
        title,
        description,
        now(kwh(metrics.ENERGY_IMPORT), "Drawn"),
        now(kwh(metrics.ENERGY_EXPORT), "Fed in"),
        width=4,
        unit=KWH,
        decimals=2,
        overrides=[colored("A", ORANGE), colored("B", BLUE)],
        nothing=NO_ENERGY,
        period=period,
        shift=shift,
    )


def money(title: str, description: str, period: str, shift: str = "") -> Json:
    """Cost and revenue of a calendar period."""
    return stat(
        title,
        description,
        now(cost(), "Cost"),
        now(revenue(), "Revenue"),
        now(net(), "Net"),
        width=4,
        unit=EURO,
        decimals=2,
        overrides=[colored("A", ORANGE), colored("B", BLUE), colored("C", TEXT)],
        nothing=NO_ENERGY,
        period=period,
        shift=shift,
    )


BOARD: Final = Board(
    name="home",
    description="Power at the grid connection, energy and money so far, and the state of the devices. "
    "Power and states are shown for each bridge; energy and money are those of all chosen bridges together.",
    start="now-24h",
    refresh="30s",
    variables=(IMPORT_PRICE, EXPORT_PRICE),
    shelves=(
        shelf(
            5,
            stat(
                "Grid power now",
                "Power at the grid connection of each bridge; negative and blue while feeding in. "
                "Empty once the reading is older than 20 minutes: an old power is no power.",
                now(metric(metrics.POWER)),
                width=6,
                unit="watt",
                limits=POWER_COLORS,
                nothing=NO_POWER,
            ),
            stat(
                "Direction",
                "Whether power is drawn from the grid or fed into it at this moment.",
                now(metric(metrics.POWER)),
                width=4,
                unit="watt",
                limits=POWER_COLORS,
                mappings=spans(
                    (None, -1, "Feeding in", BLUE), (-1, 1, "Balanced", TEXT), (1, None, "Drawing", ORANGE)
                ),
                nothing=NO_POWER,
            ),
            stat(
                "Age of the reading",
                "Time since the meter was last read. Usual is the interval set in the app, 15 minutes at "
                "most; "
                "the age goes on while a bridge does not answer.",
                now(LATEST),
                width=4,
                unit="s",
                decimals=0,
                limits=AGE_COLORS,
                nothing="No reading in the last day",
            ),
            table(
                "Firing alerts",
                "Alerts of prometheus/alerts.yml for the chosen bridges; none without that file loaded in "
                "Prometheus.",
                query(firing(), table=True),
                width=10,
                unit="none",
                nothing="No alert is firing",
                transformations=[
                    sort("Value", descending=True),
                    columns(
                        {
                            "alertname": "Alert",
                            "severity": "Severity",
                            "bridge": "Bridge",
                            "instance": "Exporter",
                        },
                        hidden=("Time", "Value", "alertstate", "job", "meter"),
                    ),
                ],
                overrides=[
                    column(
                        Text("Severity"),
                        mappings=words(_SEVERITIES),
                        color={"mode": "thresholds"},
                        custom__cellOptions={"type": "color-text"},
                    )
                ],
            ),
        ),
        shelf(
            5,
            energy("Today", "Energy since midnight in your time zone, of all chosen bridges.", "now/d"),
            money(
                "Money today",
                "Cost and revenue since midnight at the prices set above, no base fee.",
                "now/d",
            ),
            energy("Yesterday", "Energy of the whole day before, in your time zone.", "now/d", "1d/d"),
            money(
                "Money yesterday", "Cost and revenue of the whole day before, no base fee.", "now/d", "1d/d"
            ),
            energy("This month", "Energy since the first of the month.", "now/M"),
            money("Money this month", "Cost and revenue since the first of the month, no base fee.", "now/M"),
        ),
        shelf(
            9,
            curve(
                "Power",
                "Mean power at the grid connection of each bridge; below zero while feeding in.",
                query(f"avg_over_time({metric(metrics.POWER)}[$__rate_interval])", "{{bridge}}"),
                width=24,
                unit="watt",
                fill=20,
                limits=thresholds(BLUE, (0, ORANGE), (6000, RED)),
                lines=True,
                calcs=("min", "mean", "max"),
                nothing=NO_POWER,
            ),
        ),
        shelf(
            5,
            stat(
                "Battery of the core",
                "Charge of the batteries in the core, the sensor on the meter.",
                now(metric(metrics.CORE_BATTERY)),
                width=6,
                unit="percentunit",
                limits=BATTERY_COLORS,
                low=0,
                high=1,
                nothing="No battery: powered by wire, or no status",
            ),
            stat(
                "Radio of the core",
                "Strength of the 868 MHz signal between core and bridge; nearer to zero is better.",
                now(metric(metrics.CORE_RSSI)),
                width=6,
                unit=DBM,
                limits=CORE_COLORS,
                nothing=NO_STATUS,
            ),
            stat(
                "Wi-Fi of the bridge",
                "Strength of the Wi-Fi signal at the bridge; nearer to zero is better.",
                now(metric(metrics.BRIDGE_RSSI)),
                width=6,
                unit=DBM,
                limits=WIFI_COLORS,
                nothing=NO_STATUS,
            ),
            stat(
                "Connection",
                "Whether the core on the meter reaches the bridge.",
                now(metric(metrics.CORE_CONNECTED)),
                width=6,
                unit="none",
                mappings=states({0: ("Disconnected", RED), 1: ("Connected", GREEN)}),
                nothing=NO_STATUS,
            ),
        ),
        shelf(
            8,
            curve(
                "Power of the phases",
                "Mean power of each phase; below zero while feeding in.",
                query(
                    f"avg_over_time({metric(metrics.PHASE_POWER)}[$__rate_interval])", "{{bridge}} {{phase}}"
                ),
                width=9,
                unit="watt",
                nothing="The meter does not tell its phases",
            ),
            curve(
                "Voltage of the phases",
                "Voltage of each phase; 230 V plus or minus 10 % is usual.",
                query(
                    f"avg_over_time({metric(metrics.PHASE_VOLTAGE)}[$__rate_interval])",
                    "{{bridge}} {{phase}}",
                ),
                width=5,
                unit="volt",
                fill=0,
                usual=(215, 245),
                nothing="The meter does not tell its voltages",
            ),
            curve(
                "Current of the phases",
                "Current of each phase.",
                query(
                    f"avg_over_time({metric(metrics.PHASE_CURRENT)}[$__rate_interval])",
                    "{{bridge}} {{phase}}",
                ),
                width=5,
                unit="amp",
                nothing="The meter does not tell its currents",
            ),
            curve(
                "Grid frequency",
                "50 Hz, give or take a few hundredths.",
                query(f"avg_over_time({metric(metrics.FREQUENCY)}[$__rate_interval])", "{{bridge}}"),
                width=5,
                unit="hertz",
                decimals=2,
                fill=0,
                usual=(49.9, 50.1),
                nothing="The meter does not tell the frequency",
            ),
            heading="Phases",
            folded=True,
        ),
    ),
)
