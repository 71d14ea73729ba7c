"""What a panel says, and what the simulated meters really counted."""

import re
from datetime import datetime, timedelta

from grafana.histories.plan import BEGIN, END, ZONE, local
from grafana.query import interpolate
from grafana.query.source import Series
from grafana.query.timerange import seconds_of
from tests.grafana import boards
from tests.grafana.pasts import Past

KWH = 3.6e6
OFF, ON = local("2026-03-31 13:00:00"), local("2026-03-31 16:00:00")
"""The outage."""


def midnight(moment: float, days: int = 0) -> float:
    """Local midnight before a unix time, so many days later."""
    day = datetime.fromtimestamp(moment, ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    return (day + timedelta(days=days)).timestamp()


def month(moment: float) -> float:
    """The begin of the local month of a unix time, or of the history."""
    day = datetime.fromtimestamp(midnight(moment), ZONE)
    return max(day.replace(day=1).timestamp(), BEGIN)


def answer(past: Past, uid: str, title: str, ref: str, moment: float = END) -> list[Series]:
    """What a panel's target answers at a unix time."""
    scenario = past.history.scenario
    context = boards.context(boards.boards()[uid], moment, scenario.interval)
    asked = interpolate.queries(boards.panel(uid, title), context)
    [query] = [query for query in asked if query.ref == ref]
    return past.source.run(query)


def window(past: Past, uid: str, title: str) -> float:
    """Seconds of the first range in a panel's first expression."""
    scenario = past.history.scenario
    context = boards.context(boards.boards()[uid], END, scenario.interval)
    query = next(interpolate.queries(boards.panel(uid, title), context))
    match = re.search(r"\[(\w+)\]", query.expr)
    assert match
    return seconds_of(match[1])


def imported(past: Past, begin: float, end: float) -> float:
    """True kWh that all bridges drew."""
    return sum(truth.imported(begin, end) for truth in past.history.truths.values()) / KWH


def exported(past: Past, begin: float, end: float) -> float:
    """True kWh that all bridges fed in."""
    return sum(truth.exported(begin, end) for truth in past.history.truths.values()) / KWH


def single(found: list[Series]) -> float | None:
    """The value of the one series, if there is one."""
    assert len(found) <= 1
    return found[0].last if found else None


def has_export(past: Past) -> bool:
    return any("import-only" not in home.faults for home in past.history.scenario.households)


def scraped(past: Past, moment: float) -> float:
    """The time of the last scrape at a unix time."""
    scenario = past.history.scenario
    first = scenario.begin + 0.437 * scenario.interval
    return first + (moment - first) // scenario.interval * scenario.interval


def means(past: Past, bridge: str, span: float | None = None) -> list[tuple[float, float, float]]:
    """Time, W drawn and W fed in of every quarter-hour of a week: on the clock, or between the scrapes
    that lie in the `span` seconds before it."""
    truth, interval = past.history.truths[bridge], past.history.scenario.interval
    found = []
    for moment in range(int(-(-(END - 7 * 86_400) // 900) * 900), int(END) + 1, 900):
        begin, last = moment - 900.0, float(moment)
        if span is not None:
            begin, last = scraped(past, moment - span) + interval, scraped(past, moment)
        if last < OFF or begin > ON + 900:
            before, after = truth.at(begin), truth.at(last)
            drawn, fed = ((after[i] - before[i]) / (last - begin) for i in (0, 1))
            found.append((float(moment), drawn, fed))
    return found
