"""What a household keeps open: power now, energy and cost so far, and whether all is well."""

from functools import partial
from typing import Final

from grafana.board import Board
from grafana.boards.alerts import HOUSEHOLD as HOUSEHOLD_ALERTS
from grafana.boards.alerts import alerts, firing
from grafana.boards.devices import AGE, BATTERY, NEEDS, RADIO, WIFI, bridges
from grafana.layout import shelf
from grafana.panels import (
    BLUE,
    GREEN,
    KWH,
    MONEY,
    ORANGE,
    RED,
    TEXT,
    Change,
    Json,
    at_step,
    below_zero,
    colored,
    curve,
    for_each,
    known,
    now,
    only_if_now,
    override,
    query,
    stat,
)
from grafana.queries import (
    DAY_BEFORE,
    FEE_OF_MONTH,
    HOUR,
    cost,
    kwh,
    metric,
    net,
    of_month_before,
    revenue,
)
from grafana.transforms import totals
from grafana.variables import HOUSEHOLD, PRICES
from iometer_exporter.metrics import families as metrics
from iometer_exporter.metrics.families import Family

DIRECTION: Final = known(-1e9, BLUE, (0, ORANGE))
"""Colours of power: drawn from the grid, or fed into it."""

NO_POWER: Final = "No power known: is the reading old, or the meter's PIN missing?"
NO_ENERGY: Final = "No energy known for this time"
NO_EXPORT: Final = "No feed-in"


def against_the_day_before(
    title: str, description: str, family: Family, *, width: int, shift: str = ""
) -> Json:
    """The energy of a day, and by how much it differs from the same hours of the day before."""
    color, change, nothing = _LOOKS[family]
    return stat(
        title,
        description,
        # Nothing to compare with is nothing, and not a rise without end.
        now(f"{kwh(family, DAY_BEFORE)} > 0", "Before"),
        now(kwh(family), "This day"),
        width=width,
        unit=KWH,
        decimals=2,
        change=change,
        transformations=[totals()],
        # By limits, so that what is said where nothing is known has no colour.
        limits=known(-1e9, color),
        nothing=nothing,
        period="now/d",
        shift=shift,
    )


_LOOKS: Final[dict[Family, tuple[str, Change, str]]] = {
    metrics.ENERGY_IMPORT: (ORANGE, "inverted", NO_ENERGY),
    metrics.ENERGY_EXPORT: (BLUE, "standard", NO_EXPORT),
}
"""Colour of a direction, whether more of it is good, and what is said where there is none."""


def today(*, width: int) -> tuple[Json, Json]:
    """What has been drawn and fed in since midnight, each against the day before."""
    return (
        against_the_day_before(
            "Drawn today",
            "Energy drawn since midnight in your time zone; the arrow compares it with yesterday by the "
            "same time.",
            metrics.ENERGY_IMPORT,
            width=width,
        ),
        against_the_day_before(
            "Fed in today",
            "Energy fed in since midnight in your time zone; the arrow compares it with yesterday by the "
            "same time.",
            metrics.ENERGY_EXPORT,
            width=width,
        ),
    )


def to_date(
    title: str, description: str, family: Family, before: str, against: str, period: str, *, width: int
) -> Json:
    """The energy of a month or year, and by how much it differs from what was `before`, if that is known.

    Prometheus rarely knows so much. Grafana's own change would then be 0 %, and red.
    """
    color, change, nothing = _LOOKS[family]
    less, more = (GREEN, RED) if change == "inverted" else (RED, GREEN)
    return stat(
        title,
        description,
        now(kwh(family), "So far"),
        now(f"{kwh(family)} / (({before}) > 0) - 1", against),
        width=width,
        unit=KWH,
        decimals=2,
        alone=True,
        overrides=[
            colored("A", color),
            override("B", unit="percentunit", decimals=1, thresholds=known(-1e9, less, (0, more))),
        ],
        nothing=nothing,
        period=period,
    )


def this_month(*, width: int) -> tuple[Json, Json]:
    """What has been drawn and fed in since the first, each against the month before."""
    return (
        to_date(
            "Drawn this month",
            "Energy drawn since the first of the month; below it the change to as many days and hours of "
            "the month before, if they are known.",
            metrics.ENERGY_IMPORT,
            of_month_before(partial(kwh, metrics.ENERGY_IMPORT)),
            "to last month",
            "now/M",
            width=width,
        ),
        to_date(
            "Fed in this month",
            "Energy fed in since the first of the month; below it the change to as many days and hours of "
            "the month before, if they are known.",
            metrics.ENERGY_EXPORT,
            of_month_before(partial(kwh, metrics.ENERGY_EXPORT)),
            "to last month",
            "now/M",
            width=width,
        ),
    )


def money(title: str, description: str, period: str) -> Json:
    """Cost with the base fee, revenue, and the one less the other, of a calendar period within a month."""
    return stat(
        title,
        description,
        now(f"{cost()} + {FEE_OF_MONTH}", "Cost"),
        now(revenue(), "Revenue"),
        now(net(fee=FEE_OF_MONTH), "Net"),
        width=8,
        unit=MONEY,
        decimals=2,
        overrides=[colored("A", ORANGE), colored("B", BLUE), colored("C", TEXT)],
        nothing=NO_ENERGY,
        period=period,
    )


BOARD: Final = Board(
    name="home",
    description="Power at the grid connection, energy and cost so far, and the state of the devices. "
    "Power and states are shown for each bridge; energy and money are those of all chosen bridges together. "
    "What is drawn is orange, what is fed in is blue.",
    start="now-24h",
    refresh="30s",
    choice=HOUSEHOLD,
    variables=PRICES,
    shelves=(
        shelf(
            8,
            stat(
                "Power now",
                "Power at the grid connection of each bridge, over its curve of the last three hours: orange "
                "while drawn from the grid, blue and negative while fed in. Empty once the reading is older "
                "than 20 minutes, for then nobody knows.",
                only_if_now(metric(metrics.POWER)),
                width=8,
                unit="watt",
                spark=True,
                limits=DIRECTION,
                nothing=NO_POWER,
                period="3h",
            ),
            curve(
                "Today by hour",
                "Energy of each hour since midnight in your time zone, of all chosen bridges: drawn above "
                "zero, fed in below. The last bar is this hour so far.",
                at_step("1h", query(kwh(metrics.ENERGY_IMPORT, HOUR), "Drawn")),
                at_step("1h", query(kwh(metrics.ENERGY_EXPORT, HOUR), "Fed in")),
                width=16,
                unit=KWH,
                decimals=1,
                bars=True,
                overrides=[colored("A", ORANGE), below_zero("B", BLUE)],
                nothing=NO_ENERGY,
                period="now/d",
            ),
        ),
        shelf(
            4,
            *today(width=6),
            against_the_day_before(
                "Drawn yesterday",
                "Energy drawn on the whole day before, in your time zone; the arrow compares it with the day "
                "before that.",
                metrics.ENERGY_IMPORT,
                width=6,
                shift="1d/d",
            ),
            against_the_day_before(
                "Fed in yesterday",
                "Energy fed in on the whole day before, in your time zone; the arrow compares it with the "
                "day before that.",
                metrics.ENERGY_EXPORT,
                width=6,
                shift="1d/d",
            ),
        ),
        shelf(
            4,
            money(
                "Cost today in $currency",
                "Since midnight, at the prices set above: what is drawn and the day's share of the base fee, "
                "what is fed in, and the one less the other. Negative is what you earn.",
                "now/d",
            ),
            money(
                "Cost this month in $currency",
                "Since the first, at the prices set above: what is drawn and the base fee of each day that "
                "has begun, what is fed in, and the one less the other. Negative is what you earn.",
                "now/M",
            ),
            *this_month(width=4),
        ),
        shelf(
            9,
            for_each(
                "bridge",
                curve(
                    "Power",
                    "Mean power at the grid connection of a bridge: orange while drawn, blue and below zero "
                    "while fed in.",
                    query(f"avg_over_time({metric(metrics.POWER)}[$__rate_interval])", "{{bridge}}"),
                    width=24,
                    unit="watt",
                    fill=25,
                    usual=(0, 0),
                    limits=DIRECTION,
                    scheme=True,
                    calcs=("min", "mean", "max"),
                    nothing=NO_POWER,
                ),
            ),
        ),
        shelf(
            6,
            bridges(
                "Devices",
                "What needs a hand, age of the last reading, charge of the core's battery, radio between "
                "core and bridge, Wi-Fi of the bridge. A dash is unknown, or a core without a battery.",
                *(NEEDS, AGE, BATTERY, RADIO, WIFI),
                width=13,
            ),
            alerts(
                "Alerts of prometheus/alerts.yml for the chosen bridges and their exporter; none without "
                "that file loaded in Prometheus.",
                firing(HOUSEHOLD_ALERTS, 'bridge=~"$bridge|"'),
                width=11,
            ),
            heading="State of the devices",
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
