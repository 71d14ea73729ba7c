"""When and how much: base load, peaks, hours of the week, distribution."""

from typing import Final

from grafana.board import Board
from grafana.boards.home import DIRECTION, NO_EXPORT
from grafana.layout import shelf
from grafana.localtime import HOUR, NIGHT, WEEKDAY
from grafana.panels import (
    BLUE,
    GREY,
    ORANGE,
    PURPLE,
    YELLOW,
    Json,
    at_step,
    colored,
    column,
    curve,
    heatmap,
    histogram,
    now,
    query,
    shades,
    stat,
    table,
)
from grafana.queries import BRIDGE, buckets, metric, quarter_hour
from grafana.texts import Text
from grafana.transforms import columns, limit, matrix, sort
from grafana.variables import HOUSEHOLD, SUMMER_TIME, UTC_OFFSET
from iometer_exporter.metrics import families as metrics
from iometer_exporter.metrics.families import Family

NO_POWER: Final = "No power known: without the meter's PIN there are whole kWh only"
NO_STREAM: Final = "No event stream is followed"
DAYS: Final = {"1": "Mon", "2": "Tue", "3": "Wed", "4": "Thu", "5": "Fri", "6": "Sat", "0": "Sun"}

QUARTER_HOURS: Final = f"sum(avg_over_time({metric(metrics.POWER)}[15m]))"

_HOUR: Final = f'label_replace(count_values("hour", {HOUR}), "hour", "0$1", "hour", "(.)")'
_HOUR_OF_WEEK: Final = f'count_values("weekday", {WEEKDAY}) * on () group_left (hour) {_HOUR}'


def base_load(window: str, offset: str = "") -> str:
    """The mean of a quarter-hour that nine of ten quarter-hours between midnight and 4:00 exceed."""
    nights = f"({quarter_hour(metrics.ENERGY_IMPORT)} and on () {NIGHT})"
    return f"quantile_over_time(0.1, {nights}[{window}:15m]{offset})"


_EVERY: Final = 'le="+Inf"'


def within(window: str, by: str, *matchers: str) -> str:
    """Events of streams in a window whose power was within each bucket, and by further labels."""
    return f"sum by ({by}) (increase({buckets(metric(metrics.POWER_DISTRIBUTION, *matchers))}{window}))"


def share_within(window: str) -> str:
    """The share of these events, of all chosen bridges; without any, there is none.

    Grafana takes the lowest limit of rows that are told apart by `le` alone for zero, so they have another
    label too, which comes before it.
    """
    share = f"{within(window, 'le')} / on () group_left () (sum({within(window, 'le', _EVERY)}) > 0)"
    return f'label_replace({share}, "at", "once", "", "")'


def not_exceeded(share: float) -> str:
    """Watts that such a share of the events of 15 minutes did not exceed, of each bridge with a stream."""
    # Without events it is NaN, which is no number.
    return f"histogram_quantile({share}, {within('[15m]', f'{BRIDGE}, le')}) >= -Inf"


def hours_of_week(title: str, description: str, family: Family, colors: str, nothing: str) -> Json:
    """Mean watts for each hour and weekday, as coloured cells."""
    watts = f"{_HOUR_OF_WEEK} * on () group_left () sum(rate({metric(family)}[1h]))"
    # In whole watts: a dawn of milliwatts is none.
    mean = f"round(avg_over_time(({watts})[$__range:1h]))"
    return table(
        title,
        description,
        query(mean, table=True),
        width=12,
        unit="watt",
        color={"mode": colors},
        custom={
            "align": "center",
            "cellOptions": {"type": "color-background", "mode": "basic"},
            "minWidth": 60,
        },
        transformations=[
            matrix("hour", "weekday"),
            sort("hour\\weekday"),
            columns({"hour\\weekday": "Hour", **DAYS}),
        ],
        overrides=[column(Text("Hour"), custom__cellOptions={"type": "auto"}, custom__width=70, unit="none")],
        nothing=nothing,
    )


BOARD: Final = Board(
    name="load",
    description="Base load, peaks and habits, from means of 15 minutes and of hours. Base load and peaks are "
    "those of each bridge; hours and distribution are those of all chosen bridges together.",
    start="now-7d",
    refresh="5m",
    choice=HOUSEHOLD,
    variables=(UTC_OFFSET, SUMMER_TIME),
    marks="off",
    shelves=(
        shelf(
            4,
            stat(
                "Base load",
                "What always runs: the mean of 15 minutes that is exceeded in 9 of 10 quarter-hours between "
                "midnight "
                "and 4:00 in the time zone set above. A battery that feeds the house at night makes it too "
                "low.",
                now(f"sort_desc({base_load('$__range')})"),
                width=6,
                unit="watt",
                color={"mode": "fixed", "fixedColor": ORANGE},
                nothing=NO_POWER,
            ),
            stat(
                "Highest quarter-hour drawn",
                "Highest mean of 15 minutes on the clock, as tariffs with a demand charge count it.",
                now(f"sort_desc(max_over_time({quarter_hour(metrics.ENERGY_IMPORT)}[$__range:15m]))"),
                width=6,
                unit="watt",
                color={"mode": "fixed", "fixedColor": ORANGE},
                nothing=NO_POWER,
            ),
            stat(
                "Highest quarter-hour fed in",
                "Highest mean of 15 minutes on the clock that was fed in.",
                now(f"sort_desc(max_over_time({quarter_hour(metrics.ENERGY_EXPORT)}[$__range:15m]))"),
                width=6,
                unit="watt",
                color={"mode": "fixed", "fixedColor": BLUE},
                nothing=NO_EXPORT,
            ),
            stat(
                "Mean power",
                "Mean power at the grid connection, feed-in taken off, where it is known in the range.",
                now(f"avg_over_time({metric(metrics.POWER)}[$__range])"),
                width=6,
                unit="watt",
                limits=DIRECTION,
                nothing=NO_POWER,
            ),
        ),
        shelf(
            10,
            curve(
                "Means of 15 minutes",
                "Drawn above zero, fed in below, by the counters; each point ends a quarter-hour on the "
                "clock.",
                at_step("15m", query(quarter_hour(metrics.ENERGY_IMPORT), "{{bridge}} drawn")),
                at_step("15m", query(f"-{quarter_hour(metrics.ENERGY_EXPORT)}", "{{bridge}} fed in")),
                width=24,
                unit="watt",
                usual=(0, 0),
                overrides=[shades("A", ORANGE), shades("B", BLUE)],
                nothing=NO_POWER,
            ),
        ),
        shelf(
            13,
            table(
                "Highest quarter-hours",
                "The ten highest means of 15 minutes drawn by all chosen bridges together, and when they "
                "ended; "
                "complete in ranges of up to 100 days.",
                at_step("15m", query(f"sum({quarter_hour(metrics.ENERGY_IMPORT)})", table=True)),
                width=10,
                unit="watt",
                transformations=[
                    sort("Value", descending=True),
                    limit(10),
                    columns({"Time": "Ended", "Value": "Mean power"}),
                ],
                nothing=NO_POWER,
            ),
            histogram(
                "Distribution of power",
                "How many quarter-hours had which mean power at the grid connection; below zero while "
                "feeding in.",
                at_step("15m", query(f"{QUARTER_HOURS} >= 0", "Drawn")),
                at_step("15m", query(f"{QUARTER_HOURS} < 0", "Fed in")),
                width=14,
                unit="watt",
                bucket=250,
                overrides=[colored("A", ORANGE), colored("B", BLUE)],
                nothing=NO_POWER,
            ),
            heading="Peaks and distribution",
            folded=True,
        ),
        shelf(
            10,
            heatmap(
                "Distribution of power by hour",
                "Share of the readings of each hour whose power lay in each row, by the event streams of all "
                "chosen bridges; a row is named by its upper limit. Needs `live` in the configuration.",
                at_step("1h", query(share_within("[1h]"), "{{le}}", rows=True)),
                width=12,
                rows="watt",
                cells="percentunit",
                nothing=NO_STREAM,
            ),
            curve(
                "Power within a quarter-hour",
                "By the event streams: what the power was below for 1 %, half and 99 % of the readings of 15 "
                "minutes. The further apart, the shorter the peaks. Needs `live` in the configuration.",
                at_step("15m", query(not_exceeded(0.99), "{{bridge}} 99 %")),
                at_step("15m", query(not_exceeded(0.5), "{{bridge}} half")),
                at_step("15m", query(not_exceeded(0.01), "{{bridge}} 1 %")),
                width=12,
                unit="watt",
                fill=0,
                usual=(0, 0),
                overrides=[shades("A", PURPLE), shades("B", GREY), shades("C", YELLOW)],
                nothing=NO_STREAM,
            ),
            heading="Between scrapes",
            folded=True,
        ),
        shelf(
            8,
            curve(
                "Base load of each night",
                "Of the night that ends on the day shown, by the same rule as above; a rise means that "
                "something "
                "new runs all the time.",
                at_step("1d", query(base_load("1d", " offset -1d"), "{{bridge}}")),
                width=24,
                unit="watt",
                color={"mode": "shades", "fixedColor": ORANGE},
                low=0,
                nothing=NO_POWER,
            ),
            heading="Nights",
            folded=True,
        ),
        shelf(
            25,
            hours_of_week(
                "Drawn by hour and weekday",
                "Mean power drawn in each hour of the week over the range, in the time zone set above.",
                metrics.ENERGY_IMPORT,
                "continuous-YlRd",
                "No energy known for this time",
            ),
            hours_of_week(
                "Fed in by hour and weekday",
                "Mean power fed in in each hour of the week over the range, in the time zone set above.",
                metrics.ENERGY_EXPORT,
                "continuous-blues",
                NO_EXPORT,
            ),
            heading="Hours of the week",
            folded=True,
        ),
    ),
)
