"""PromQL of the dashboards: selectors from the table of metrics, and the expressions that panels share."""

from collections.abc import Callable
from typing import Final

from iometer_exporter.metrics import families as metrics
from iometer_exporter.metrics.families import Family

EXPORTER: Final = ('job=~"$job"', 'instance=~"$instance"')
"""The matchers of what Prometheus itself says about an exporter, such as `up`."""

BRIDGE: Final = "job, instance, bridge"
"""The labels that tell one bridge from all others."""

JOULES_PER_KWH: Final = "3.6e6"

RANGE: Final = "[$__range]"
"""The whole time range of a panel, as one window."""

DAY_BEFORE: Final = f"{RANGE} offset 1d"
"""The same stretch of the day before."""

HOUR: Final = "[1h] offset -1h"
DAY: Final = "[1d] offset -1d"
"""A window that begins at its point of time: Grafana puts points that are days apart on local midnights."""

_VARIABLES: Final = {"bridge": "$bridge", "meter": "$meter"}


def metric(family: Family, *matchers: str) -> str:
    """A selector of the family with the dashboard's variables, and further matchers as `status="wired"`."""
    chosen = [f'{label}=~"{variable}"' for label, variable in _VARIABLES.items() if label in family.labels]
    return f"{family.name}{{{','.join((*EXPORTER, *chosen, *matchers))}}}"


def buckets(selector: str) -> str:
    """The buckets of a histogram that a selector takes."""
    return selector.replace("{", "_bucket{", 1)


def kwh(family: Family, window: str = RANGE, *, by: str = "") -> str:
    """Kilowatt-hours that a counter rose in a window, of all chosen bridges together or by labels."""
    grouping = f" by ({by})" if by else ""
    return f"sum{grouping} (increase({metric(family)}{window})) / {JOULES_PER_KWH}"


def as_long_before(expression: Callable[[str], str], days: str, *lengths: int) -> str:
    """What the expression of a window gives for the range so many days earlier.

    `days` is one of the lengths. PromQL has no offset that is calculated, so there is one for each of them.
    """
    return " or ".join(
        f"({expression(f'{RANGE} offset {length}d')}) and on () ({days} == {length})" for length in lengths
    )


_IN_PERIOD_BEFORE: Final = "time() - $__range_s - 86400"
"""A moment in the month or year before the one that the range begins with, in any time zone."""


def of_month_before(expression: Callable[[str], str]) -> str:
    """The same for a range that begins with a month: its days and hours in the month before."""
    return as_long_before(expression, f"days_in_month(vector({_IN_PERIOD_BEFORE}))", 28, 29, 30, 31)


def of_year_before(expression: Callable[[str], str]) -> str:
    """The same for a range that begins with a year, in the year before."""
    days = f"(365 + (year(vector({_IN_PERIOD_BEFORE})) % 4 == bool 0))"
    return as_long_before(expression, days, 365, 366)


def cost(window: str = RANGE) -> str:
    """What the import of a window costs."""
    return f"{kwh(metrics.ENERGY_IMPORT, window)} * ($import_price)"


def revenue(window: str = RANGE) -> str:
    """What the export of a window brings; empty without an export register."""
    return f"{kwh(metrics.ENERGY_EXPORT, window)} * ($export_price)"


def net(window: str = RANGE, *, fee: str = "") -> str:
    """Cost and fee less revenue; a meter without an export register earns nothing."""
    total = f"{cost(window)} - ({revenue(window)} or 0 * {cost(window)})"
    return f"{total} + {fee}" if fee else total


FEE_OF_DAY: Final = "($base_fee) / scalar(days_in_month(vector(time() + 43200)))"
"""The share of the day that begins now in its month's base fee."""

# An hour and a bit less: the days of a range may have an hour too many.
_DAYS_BEGUN: Final = "scalar(clamp_min(ceil(vector(($__range_s - 3700) / 86400)), 1))"


def fee_of_days(moment: str) -> str:
    """The base fee of as many days as the range has begun, in the month that such a moment lies in.

    A day counts from one o'clock on, for the clock may have been changed in the range.
    """
    return f"($base_fee) * {_DAYS_BEGUN} / scalar(days_in_month(vector({moment})))"


FEE_OF_MONTH: Final = fee_of_days("time() - $__range_s / 2")
"""The base fee of the days of the range that have begun, of the one month that it lies in."""

FEE_OF_DAY_BEFORE: Final = fee_of_days("time() - $__range_s / 2 - 86400")
FEE_OF_MONTH_BEFORE: Final = fee_of_days(_IN_PERIOD_BEFORE)


def fee_of_year(window: str = RANGE) -> str:
    """The base fee of the days of a window that have a reading, each with its share in its month's."""
    days = window.replace("]", ":1d]")
    read = f"sum({metric(metrics.READING_TIMESTAMP)})"
    return f"sum_over_time((($base_fee) / days_in_month() and on () {read}){days})"


def quarter_hour(family: Family) -> str:
    """Mean watts of the last 15 minutes by the counter, of each bridge whose power is known.

    Without the PIN a meter tells whole kWh and no power; a mean of 15 minutes would be 0 or 4 kW.
    """
    return f"(rate({metric(family)}[15m]) and on ({BRIDGE}) {metric(metrics.POWER)})"


def state(family: Family, names: tuple[str, ...]) -> str:
    """A number from a family with a sample for each status: 1 for the first name, the last for all others."""
    return state_of(metric, family, names)


def state_of(selector: Callable[[Family, str], str], family: Family, names: tuple[str, ...]) -> str:
    """Such a number, of what a function selects by family and a further matcher."""
    known = [
        f"{number} * ({_status(selector, family, '=', name)} == 1)" for number, name in enumerate(names, 1)
    ]
    other = f"{len(names) + 1} * ({_status(selector, family, '!~', '|'.join(names))} == 1)"
    return f"sum without (status) ({' or '.join((*known, other))})"


def _status(selector: Callable[[Family, str], str], family: Family, operator: str, names: str) -> str:
    return selector(family, f'status{operator}"{names}"')
