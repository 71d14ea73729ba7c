"""Kilowatt-hours and money by day, month and year."""

from functools import partial
from typing import Final

from grafana.board import Board
from grafana.boards.home import NO_ENERGY, NO_EXPORT, this_month, to_date, today
from grafana.layout import shelf
from grafana.panels import (
    BLUE,
    GREY,
    KWH,
    MONEY,
    ORANGE,
    PURPLE,
    TEXT,
    Json,
    at_step,
    barchart,
    below_zero,
    colored,
    curve,
    now,
    query,
    shades,
    stat,
    table,
)
from grafana.queries import (
    DAY,
    DAY_BEFORE,
    FEE_OF_DAY,
    FEE_OF_DAY_BEFORE,
    FEE_OF_MONTH,
    FEE_OF_MONTH_BEFORE,
    JOULES_PER_KWH,
    cost,
    fee_of_year,
    kwh,
    metric,
    net,
    of_month_before,
    of_year_before,
    revenue,
)
from grafana.transforms import columns, limit, sort, totals
from grafana.variables import HOUSEHOLD, PRICES
from iometer_exporter.metrics import families as metrics
from iometer_exporter.metrics.families import Family

DAYS: Final = (
    "A bar is a day from midnight to midnight in your time zone; before the last change of clocks, days "
    "begin "
    "an hour off. The last bar is today so far."
)
MONTHS: Final = "The last 12 months and this one so far, from the days of each in your time zone."
_NOON: Final = "vector(time() + 43200)"
_MONTH: Final = f"year({_NOON}) * 100 + month({_NOON})"


def by_day(expression: str) -> Json:
    """Days, each a series named after its date, also one that begins at 23:00 as clocks were put forward."""
    date = f"({_MONTH}) * 100 + day_of_month({_NOON})"
    return _named("day", date, "(....)(..)(..)", "$1-$2-$3", expression)


def by_month(expression: str) -> Json:
    """Days, each in the series of its month, to be summed by `totals`."""
    return _named("month", _MONTH, "(....)(..)", "$1-$2", expression)


def _named(label: str, number: str, pattern: str, name: str, expression: str) -> Json:
    """Days with a label: a number in which the pattern finds the parts of its name."""
    named = f'label_replace(count_values("{label}", {number}), "{label}", "{name}", "{label}", "{pattern}")'
    return at_step("1d", query(f"{named} * on () group_left () ({expression})", f"{{{{{label}}}}}"))


def so_far(family: Family, days_ago: int = 0) -> str:
    """Kilowatt-hours since the range began at midnight, of all chosen bridges, on a day that is so long ago.

    What is not read for a while keeps its last value; a counter that is new begins with its first one.
    """
    selector = metric(family)
    back = f" offset {days_ago}d" if days_ago else ""
    last = f"last_over_time({selector}[1d]{back})"
    first = f"last_over_time({selector}[1d] @ start(){back}) or min_over_time({selector}[1d] @ end(){back})"
    return f"sum({last} - ({first})) / {JOULES_PER_KWH}"


def bill(
    title: str,
    description: str,
    fee: str,
    period: str,
    *before: Json,
    shift: str = "",
) -> Json:
    """Cost, fee, revenue and what is left to pay of a calendar period; below it that of the one `before`."""
    return stat(
        title,
        description,
        now(cost(), "Energy"),
        now(f"0 * {cost()} + {fee}", "Base fee"),
        now(revenue(), "Revenue"),
        now(net(fee=fee), "Net"),
        *before,
        width=6,
        unit=MONEY,
        decimals=2,
        overrides=[
            *(colored("A", ORANGE), colored("B", GREY), colored("C", BLUE), colored("D", TEXT)),
            *(colored("E", GREY) for _ in before),
        ],
        nothing=NO_ENERGY,
        period=period,
        shift=shift,
    )


def top_days(title: str, description: str, family: Family, nothing: str) -> Json:
    """The ten days with the highest sums."""
    return table(
        title,
        description,
        by_day(kwh(family, DAY)),
        width=12,
        unit=KWH,
        decimals=2,
        transformations=[
            totals(),
            sort("Total", descending=True),
            limit(10),
            columns({"Field": "Day", "Total": "Energy"}),
        ],
        nothing=nothing,
    )


BOARD: Final = Board(
    name="energy",
    description="Energy and money of all chosen bridges together, by day, month and year, each beside the "
    "period before up to the same time. Days and months begin at midnight in your time zone.",
    start="now-30d",
    refresh="5m",
    choice=HOUSEHOLD,
    variables=PRICES,
    marks="off",
    shelves=(
        shelf(
            4,
            *today(width=4),
            *this_month(width=4),
            to_date(
                "Drawn this year",
                "Energy drawn since 1 January, or since Prometheus first read the meter; below it the "
                "change to as many days and hours of the year before, if they are known.",
                metrics.ENERGY_IMPORT,
                of_year_before(partial(kwh, metrics.ENERGY_IMPORT)),
                "to last year",
                "now/y",
                width=4,
            ),
            to_date(
                "Fed in this year",
                "Energy fed in since 1 January, or since Prometheus first read the meter; below it the "
                "change to as many days and hours of the year before, if they are known.",
                metrics.ENERGY_EXPORT,
                of_year_before(partial(kwh, metrics.ENERGY_EXPORT)),
                "to last year",
                "now/y",
                width=4,
            ),
        ),
        shelf(
            6,
            bill(
                "Bill of today in $currency",
                "Since midnight, with the base fee of the whole day; below it that of yesterday up to the "
                "same time.",
                FEE_OF_MONTH,
                "now/d",
                now(net(DAY_BEFORE, fee=FEE_OF_DAY_BEFORE), "Yesterday by this time"),
            ),
            bill(
                "Bill of this month in $currency",
                "Since the first, with the base fee of each day that has begun; below it that of as many "
                "days and hours of the month before, if they are known.",
                FEE_OF_MONTH,
                "now/M",
                now(of_month_before(partial(net, fee=FEE_OF_MONTH_BEFORE)), "Last month by this day"),
            ),
            bill(
                "Last month in $currency",
                "The whole month before, with its whole base fee even if a part of it was not read.",
                "($base_fee)",
                "now/M",
                shift="1M/M",
            ),
            bill(
                "Bill of this year in $currency",
                "Since 1 January, or since Prometheus first read the meter, with the base fee of the days "
                "that were read; below it that of as many days and hours of the year before, if they are "
                "known.",
                fee_of_year(),
                "now/y",
                now(
                    of_year_before(lambda window: net(window, fee=fee_of_year(window))),
                    "Last year by this day",
                ),
            ),
        ),
        shelf(
            9,
            curve(
                "Energy per day",
                f"Drawn above zero, fed in below. {DAYS}",
                at_step("1d", query(kwh(metrics.ENERGY_IMPORT, DAY), "Drawn")),
                at_step("1d", query(kwh(metrics.ENERGY_EXPORT, DAY), "Fed in")),
                width=12,
                unit=KWH,
                bars=True,
                calcs=("sum", "mean"),
                overrides=[colored("A", ORANGE), below_zero("B", BLUE)],
                nothing=NO_ENERGY,
            ),
            curve(
                "Net cost per day in $currency",
                f"Cost with the day's share of the base fee, less revenue; below zero you earn. {DAYS}",
                at_step("1d", query(net(DAY, fee=FEE_OF_DAY), "Net")),
                width=12,
                unit=MONEY,
                decimals=2,
                bars=True,
                color={"mode": "fixed", "fixedColor": PURPLE},
                calcs=("sum", "mean"),
                nothing=NO_ENERGY,
            ),
            heading="Days",
        ),
        shelf(
            8,
            curve(
                "Drawn today against yesterday",
                "Energy drawn since midnight, and in the day before up to the same time.",
                at_step("5m", query(so_far(metrics.ENERGY_IMPORT), "Today")),
                at_step("5m", query(so_far(metrics.ENERGY_IMPORT, 1), "Yesterday")),
                width=12,
                unit=KWH,
                overrides=[colored("A", ORANGE), colored("B", GREY)],
                nothing=NO_ENERGY,
                period="now/d",
            ),
            curve(
                "Fed in today against yesterday",
                "Energy fed in since midnight, and in the day before up to the same time.",
                at_step("5m", query(so_far(metrics.ENERGY_EXPORT), "Today")),
                at_step("5m", query(so_far(metrics.ENERGY_EXPORT, 1), "Yesterday")),
                width=12,
                unit=KWH,
                overrides=[colored("A", BLUE), colored("B", GREY)],
                nothing=NO_EXPORT,
                period="now/d",
            ),
        ),
        shelf(
            8,
            barchart(
                "Drawn per month",
                MONTHS,
                by_month(kwh(metrics.ENERGY_IMPORT, DAY)),
                width=8,
                unit=KWH,
                color={"mode": "fixed", "fixedColor": ORANGE},
                transformations=[totals(), columns({"Field": "Month", "Total": "Energy"})],
                nothing=NO_ENERGY,
                period="1y/M",
            ),
            barchart(
                "Fed in per month",
                MONTHS,
                by_month(kwh(metrics.ENERGY_EXPORT, DAY)),
                width=8,
                unit=KWH,
                color={"mode": "fixed", "fixedColor": BLUE},
                transformations=[totals(), columns({"Field": "Month", "Total": "Energy"})],
                nothing=NO_EXPORT,
                period="1y/M",
            ),
            barchart(
                "Net cost per month in $currency",
                f"Cost with the base fee of the days that were read, less revenue. {MONTHS}",
                by_month(net(DAY, fee=FEE_OF_DAY)),
                width=8,
                unit=MONEY,
                decimals=2,
                color={"mode": "fixed", "fixedColor": PURPLE},
                transformations=[totals(), columns({"Field": "Month", "Total": "Money"})],
                nothing=NO_ENERGY,
                period="1y/M",
            ),
            heading="Months",
        ),
        shelf(
            11,
            top_days(
                "Days with most drawn",
                f"The ten highest days of the range. {DAYS}",
                metrics.ENERGY_IMPORT,
                NO_ENERGY,
            ),
            top_days(
                "Days with most fed in",
                f"The ten highest days of the range. {DAYS}",
                metrics.ENERGY_EXPORT,
                NO_EXPORT,
            ),
            heading="Top days",
            folded=True,
        ),
        shelf(
            9,
            curve(
                "Energy per day and tariff",
                f"For meters with more than one tariff. {DAYS}",
                at_step(
                    "1d", query(kwh(metrics.TARIFF_IMPORT, DAY, by="tariff"), "Drawn, tariff {{tariff}}")
                ),
                at_step(
                    "1d",
                    query(f"-{kwh(metrics.TARIFF_EXPORT, DAY, by='tariff')}", "Fed in, tariff {{tariff}}"),
                ),
                width=24,
                unit=KWH,
                bars=True,
                stacked=True,
                calcs=("sum",),
                overrides=[shades("A", ORANGE), shades("B", BLUE)],
                nothing="The meter tells no tariffs",
            ),
            heading="Tariffs",
            folded=True,
        ),
    ),
)
