"""What the dashboards say of energy, money and power, against what the simulated meters really counted."""

import math
from calendar import monthrange
from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise
from typing import Final

import pytest

from grafana.histories.history import BATTERY_AT_BEGIN, BATTERY_STEP
from grafana.histories.plan import BEGIN, END, FIRMWARE_UPDATE, ZONE, local
from grafana.query import interpolate
from grafana.query.source import Series
from tests.grafana import boards
from tests.grafana.pasts import Past
from tests.grafana.values import (
    OFF,
    ON,
    answer,
    exported,
    has_export,
    imported,
    means,
    midnight,
    month,
    single,
    window,
)

pytestmark = pytest.mark.end_to_end

IMPORT_PRICE, EXPORT_PRICE, BASE_FEE = 0.30, 0.08, 12.0
CLOSE = 0.005
"""The whole tolerance where a window is long: `increase()` guesses what lies beyond its last samples."""

OFF_THE_CLOCK = {15: 0.01, 60: 0.03}
"""Share by which a mean of 15 minutes may differ from that on the clock, by scrape interval: scrapes do not
fall on the quarter-hour, and the first and last of them are up to an interval away from it."""

EVENING = END
AFTER_OUTAGE = local("2026-03-31 19:00:00")
"""Three hours after an outage of three hours."""
AFTER_RESTART = local("2026-04-04 20:10:00")
"""Ten minutes after a restart of the exporter between two scrapes."""
AFTER_RESET = local("2026-03-30 23:00:00")
"""On the day on which the registers of one meter began anew."""
CLOCK_CHANGE = local("2026-03-29 20:00:00")
"""On a day of 23 hours."""
MOMENTS = [EVENING, AFTER_OUTAGE, AFTER_RESTART, AFTER_RESET, CLOCK_CHANGE]
NIGHTS = [local("2026-04-05 00:30:00"), local("2026-04-01 00:20:00"), local("2026-03-30 00:40:00")]


def ids(moments: Iterable[float]) -> list[str]:
    return [f"{datetime.fromtimestamp(moment, ZONE):%m-%d_%H:%M}" for moment in moments]


@pytest.mark.parametrize("moment", MOMENTS, ids=ids(MOMENTS))
def test_energy_of_today_yesterday_and_this_month(past: Past, moment: float) -> None:
    ranges = {
        ("Drawn today", "B"): (imported, midnight(moment), moment),
        ("Drawn yesterday", "B"): (imported, midnight(moment, -1), midnight(moment)),
        ("Drawn this month", "A"): (imported, month(moment), moment),
        ("Fed in today", "B"): (exported, midnight(moment), moment),
        ("Fed in yesterday", "B"): (exported, midnight(moment, -1), midnight(moment)),
        ("Fed in this month", "A"): (exported, month(moment), moment),
    }
    for (title, ref), (truth, begin, end) in ranges.items():
        found = single(answer(past, "iometer-home", title, ref, moment))
        expected = truth(past, begin, end) if truth is imported or has_export(past) else None
        assert found == (expected and pytest.approx(expected, rel=CLOSE)), title


def test_the_same_hours_of_the_day_before(past: Past) -> None:
    """On the days after the clock has changed they are an hour off, as is said of bars."""
    for moment in (EVENING, AFTER_RESTART, AFTER_OUTAGE):
        found = single(answer(past, "iometer-home", "Drawn today", "A", moment))
        truth = imported(past, midnight(moment, -1), moment - 86_400)
        assert found == pytest.approx(truth, rel=CLOSE)


def test_the_bars_of_the_hours(past: Past) -> None:
    for ref, truth in (("A", imported), ("B", exported)):
        for series in answer(past, "iometer-home", "Today by hour", ref):
            begin = midnight(END)
            assert [time for time, _ in series.samples] == [begin + 3600 * hour for hour in range(20)]
            for time, value in series.samples:
                end = min(time + 3600, END)
                interval = past.history.scenario.interval
                # An hour that begins while nobody answers is known from the first answer on.
                silent = [
                    event.end for event in past.history.scenario.events if event.begin <= time < event.end
                ]
                edges = truth(past, time, max([time, *silent]) + interval) + truth(past, end - interval, end)
                assert value == pytest.approx(truth(past, time, end), rel=0.02, abs=edges)


def test_the_power_of_now(past: Past) -> None:
    """What the curve ends with is what the bridges say at that moment, and who is silent has none."""
    for moment, silent in ((END, []), (local("2026-03-30 03:10:00"), ["house", "flat"][:1])):
        power = {
            series.labels["bridge"]: series
            for series in answer(past, "iometer-home", "Power now", "A", moment)
        }
        known = (
            set(past.history.truths) - {past.history.scenario.households[0].name}
            if silent
            else set(past.history.truths)
        )
        assert set(power) == known
        for series in power.values():
            at, value = series.samples[-1]
            assert moment - at < 2 * past.history.scenario.interval
            [truth] = past.source.instant(f'iometer_power_watts{{bridge="{series.labels["bridge"]}"}}', at)
            assert value == truth.last


@pytest.mark.parametrize("moment", NIGHTS, ids=ids(NIGHTS))
def test_energy_shortly_after_midnight(past: Past, moment: float) -> None:
    """Here the guess at the edges counts: at most what is used in one scrape interval at each of them."""
    begin, interval = midnight(moment), past.history.scenario.interval
    truth = imported(past, begin, moment)
    edges = imported(past, begin, begin + interval) + imported(past, moment - interval, moment)
    guessed = truth * 2 * interval / (moment - begin)
    drawn = single(answer(past, "iometer-home", "Drawn today", "B", moment))
    assert drawn == pytest.approx(truth, abs=edges + guessed)
    whole = single(answer(past, "iometer-home", "Drawn yesterday", "B", moment))
    assert whole == pytest.approx(imported(past, midnight(moment, -1), begin), rel=CLOSE)


def test_energy_in_an_outage_is_that_of_the_time_before(past: Past) -> None:
    """What nobody reads cannot be shown; it is there once the exporter is (see the evening of that day)."""
    moment = local("2026-03-31 15:00:00")
    drawn = single(answer(past, "iometer-home", "Drawn today", "B", moment))
    assert drawn == pytest.approx(imported(past, midnight(moment), OFF), rel=CLOSE)


@pytest.mark.parametrize("moment", MOMENTS, ids=ids(MOMENTS))
def test_money(past: Past, moment: float) -> None:
    ranges = {
        "Cost today in $currency": (midnight(moment), moment),
        "Cost this month in $currency": (month(moment), moment),
    }
    for title, (begin, end) in ranges.items():
        day = datetime.fromtimestamp(moment, ZONE)
        days = day.day if "month" in title else 1
        cost = (
            imported(past, begin, end) * IMPORT_PRICE + BASE_FEE * days / monthrange(day.year, day.month)[1]
        )
        revenue = exported(past, begin, end) * EXPORT_PRICE
        found = {ref: single(answer(past, "iometer-home", title, ref, moment)) for ref in "ABC"}
        assert found["A"] == pytest.approx(cost, rel=CLOSE), title
        assert found["B"] == (pytest.approx(revenue, rel=CLOSE) if has_export(past) else None), title
        assert found["C"] == pytest.approx(cost - revenue, abs=CLOSE * (cost + revenue)), title


LATER: Final = local("2026-04-30 10:00:00")
"""When the history is last month's, up to this day."""
NEXT_YEAR: Final = local("2027-04-04 12:00:00")


@pytest.mark.parametrize(
    ("title", "begin", "months"),
    [
        ("Bill of today", midnight(END), 1 / 30),
        ("Bill of this month", month(END), 5 / 30),
        ("Bill of this year", BEGIN, 4 / 31 + 5 / 30),
        ("Last month", BEGIN, 1),
    ],
)
def test_the_bill(past: Past, title: str, begin: float, months: float) -> None:
    """With the base fee of each day that has begun, of a year of those that were read."""
    fee, end = BASE_FEE * months, month(END) if title == "Last month" else END
    cost = imported(past, begin, end) * IMPORT_PRICE
    revenue = exported(past, begin, end) * EXPORT_PRICE
    panel = f"{title} in $currency"
    found = {ref: single(answer(past, "iometer-energy", panel, ref)) for ref in "ABCD"}
    assert found["A"] == pytest.approx(cost, rel=CLOSE)
    assert found["B"] == pytest.approx(fee, rel=1e-9)
    assert found["C"] == (pytest.approx(revenue, rel=CLOSE) if has_export(past) else None)
    assert found["D"] == pytest.approx(cost - revenue + fee, abs=CLOSE * (cost + revenue + fee))


MONTH_LATER: Final = local("2026-04-30 10:00:00")
"""When the history is last month's, up to this day; the clock was changed in between."""
YEAR_LATER: Final = local("2027-04-04 12:00:00")


@pytest.mark.parametrize(
    ("bill", "moment", "begin", "end", "months"),
    [
        ("Bill of today", END, midnight(END, -1), END - 86_400, 1 / 30),
        ("Bill of this month", MONTH_LATER, BEGIN, local("2026-03-30 10:00:00"), 30 / 31),
        ("Bill of this year", YEAR_LATER, BEGIN, local("2026-04-04 12:00:00"), 4 / 31 + 4 / 30),
    ],
)
def test_the_bill_of_the_period_before(
    past: Past, bill: str, moment: float, begin: float, end: float, months: float
) -> None:
    """Up to as many days and hours; one that is not known is left out."""
    cost = imported(past, begin, end) * IMPORT_PRICE + BASE_FEE * months
    revenue = exported(past, begin, end) * EXPORT_PRICE
    panel = f"{bill} in $currency"
    left = single(answer(past, "iometer-energy", panel, "E", moment))
    assert left == pytest.approx(cost - revenue, abs=CLOSE * (cost + revenue))
    if moment != END:
        assert answer(past, "iometer-energy", panel, "E") == []


def test_the_change_to_the_month_before(past: Past) -> None:
    """To as many days and hours of it; without them there is none."""
    for title, truth in (("Drawn this month", imported), ("Fed in this month", exported)):
        assert answer(past, "iometer-home", title, "B") == []
        found = single(answer(past, "iometer-home", title, "B", MONTH_LATER))
        before = truth(past, BEGIN, local("2026-03-30 10:00:00"))
        change = truth(past, month(END), END) / before - 1 if before else None
        assert found == (change and pytest.approx(change, abs=3 * CLOSE))


def test_a_bill_is_the_sum_of_its_bars_and_that_of_home(past: Past) -> None:
    """They differ by what `increase()` guesses at the edges alone, not by the base fee."""
    [bars] = answer(past, "iometer-energy", "Net cost per day in $currency", "A")
    days = [value for begin, value in bars.samples if begin >= month(END)]
    for title, home, expected in (
        ("Bill of today", "Cost today", days[-1]),
        ("Bill of this month", "Cost this month", sum(days)),
        ("Bill of this year", None, sum(value for _, value in bars.samples)),
    ):
        bill = single(answer(past, "iometer-energy", f"{title} in $currency", "D"))
        assert bill == pytest.approx(expected, rel=CLOSE)
        if home:
            assert single(answer(past, "iometer-home", f"{home} in $currency", "C")) == bill


@pytest.mark.parametrize("fee", ["0", "12"])
def test_a_bill_adds_up(past: Past, fee: str) -> None:
    """Without a base fee too."""
    panels = {panel["title"]: panel for panel in interpolate.panels(boards.boards()["iometer-energy"])}
    board = boards.boards()["iometer-energy"]
    context = boards.context(board, END, past.history.scenario.interval, {"base_fee": fee})
    for title in ("Bill of today", "Bill of this month", "Bill of this year", "Last month"):
        queries = interpolate.queries(panels[f"{title} in $currency"], context)
        energy, base, revenue, net, *_ = (single(past.source.run(query)) for query in queries)
        assert energy is not None
        assert base is not None
        assert net == pytest.approx(energy + base - (revenue or 0))


def test_the_bar_of_each_day(past: Past) -> None:
    """Each bar is a whole day; where the clock changed, one that begins an hour off (see the description)."""
    [drawn] = answer(past, "iometer-energy", "Energy per day", "A")
    assert len(drawn.samples) == 9
    for begin, value in drawn.samples:
        first, last = max(begin, BEGIN), min(begin + 86_400, END)
        assert value == pytest.approx(imported(past, first, last), rel=CLOSE)
    after_change = [begin for begin, _ in drawn.samples if begin > local("2026-03-30 00:00:00") - 1]
    assert after_change == [midnight(begin) for begin in after_change]
    for series in answer(past, "iometer-energy", "Energy per day", "B"):
        for begin, value in series.samples:
            first, last = max(begin, BEGIN), min(begin + 86_400, END)
            assert value == pytest.approx(exported(past, first, last), rel=CLOSE)


def test_the_bars_of_days_that_were_picked(past: Past) -> None:
    """With an absolute range too, they are days of the default time zone."""
    days = [local(f"2026-04-0{day} 00:00:00") for day in range(1, 6)]
    picked = {"from": f"{days[0] * 1000:.0f}", "to": f"{days[-1] * 1000 - 1:.0f}"}
    board = boards.boards()["iometer-energy"] | {"time": picked}
    context = boards.context(board, END, past.history.scenario.interval)
    query = next(interpolate.queries(boards.panel("iometer-energy", "Energy per day"), context))
    [drawn] = past.source.run(query)
    truths = [imported(past, begin, end) for begin, end in pairwise(days)]
    assert dict(drawn.samples) == pytest.approx(dict(zip(days[:-1], truths, strict=True)), rel=CLOSE)


def test_the_days_with_most(past: Past) -> None:
    """Named by their own date; those before the clock changed begin an hour off, as their bars do."""
    change = local("2026-03-30 00:00:00")
    days = {
        f"{datetime.fromtimestamp(begin, ZONE):%Y-%m-%d}": (begin - (0 if begin >= change else 3600))
        for begin in (midnight(END, -number) for number in range(9))
    }
    for title, truth in (("Days with most drawn", imported), ("Days with most fed in", exported)):
        found = {series.labels["day"]: series.last for series in answer(past, "iometer-energy", title, "A")}
        if truth is exported and not has_export(past):
            assert found == {}
            continue
        expected = {
            day: truth(past, max(begin, BEGIN), min(begin + 86_400, END)) for day, begin in days.items()
        }
        assert found == pytest.approx(expected, rel=CLOSE)


def test_the_bars_of_the_months_are_the_sums_of_their_days(past: Past) -> None:
    april = local("2026-04-01 00:00:00")
    expected = {"2026-03": imported(past, BEGIN, april), "2026-04": imported(past, april, END)}
    found = {
        series.labels["month"]: sum(value for _, value in series.samples)
        for series in answer(past, "iometer-energy", "Drawn per month", "A")
    }
    assert found == pytest.approx(expected, rel=CLOSE)


@pytest.mark.parametrize("moment", [EVENING, AFTER_RESTART], ids=ids([EVENING, AFTER_RESTART]))
def test_the_curves_of_today_and_yesterday(past: Past, moment: float) -> None:
    """They show differences of the counter itself: exact but for the age of its newest sample."""
    begin, yesterday = midnight(moment), midnight(moment, -1)
    for ref, start in (("A", begin), ("B", yesterday)):
        [series] = answer(past, "iometer-energy", "Drawn today against yesterday", ref, moment)
        at, last = series.samples[-1]
        end = at - begin + start
        interval = past.history.scenario.interval
        edges = imported(past, start, start + interval) + imported(past, end - interval, end)
        assert moment - at < 300 + interval
        assert last == pytest.approx(imported(past, start, end), abs=edges)


def low_at_night(quarters: list[tuple[float, float, float]]) -> float:
    """W that nine of ten quarter-hours between midnight and four exceed."""
    night = sorted(
        drawn for moment, drawn, _ in quarters if datetime.fromtimestamp(moment - 60, ZONE).hour < 4
    )
    place = 0.1 * (len(night) - 1)
    low, part = int(place), place % 1
    return night[low] * (1 - part) + night[low + 1] * part


def test_the_highest_quarter_hour(past: Past) -> None:
    span = window(past, "iometer-load", "Highest quarter-hour drawn")
    for title, column in (("Highest quarter-hour drawn", 1), ("Highest quarter-hour fed in", 2)):
        found = answer(past, "iometer-load", title, "A")
        assert bool(found) == (column == 1 or has_export(past))
        for series in found:
            bridge = series.labels["bridge"]
            seen = max(mean[column] for mean in means(past, bridge, span))
            assert series.last == pytest.approx(seen, rel=CLOSE), title
            on_the_clock = max(mean[column] for mean in means(past, bridge))
            assert series.last == pytest.approx(
                on_the_clock, rel=OFF_THE_CLOCK[past.history.scenario.interval]
            )


def test_the_base_load(past: Past) -> None:
    span = window(past, "iometer-load", "Base load")
    found = answer(past, "iometer-load", "Base load", "A")
    assert {series.labels["bridge"] for series in found} == past.history.truths.keys()
    for series in found:
        bridge = series.labels["bridge"]
        assert series.last == pytest.approx(low_at_night(means(past, bridge, span)), rel=CLOSE)
        on_the_clock = low_at_night(means(past, bridge))
        assert series.last == pytest.approx(
            on_the_clock, rel=2 * OFF_THE_CLOCK[past.history.scenario.interval]
        )


def test_the_power_between_scrapes(pasts: dict[str, Past]) -> None:
    """The mean of an hour is what the meter counted: it lies between those of the limits of the rows."""
    past = pasts["three-60s"]
    truth = past.history.truths["house"]
    answers = answer(past, "iometer-load", "Distribution of power by hour", "A")
    shares = {float(series.labels["le"]): dict(series.samples) for series in answers}
    hours = sorted(shares[math.inf])
    assert len(hours) > 7 * 24 - 5
    for hour in hours:
        begin, end = (min(max(time, BEGIN), END) for time in (hour - 3600, hour))
        if begin < ON and end > OFF:
            continue
        assert shares[math.inf][hour] == 1
        limits, below = sorted(shares), 0.0
        least = most = 0.0
        for low, high in pairwise(limits):
            share = shares[high][hour] - shares[low][hour]
            below += share
            if share > 0:
                least, most = least + low * share, most + high * share
        assert below == pytest.approx(1)
        mean = (truth.imported(begin, end) - truth.exported(begin, end)) / (end - begin)
        assert least - 100 < mean < most + 100, datetime.fromtimestamp(hour, ZONE)


def test_the_power_within_a_quarter_hour(pasts: dict[str, Past]) -> None:
    past = pasts["three-60s"]
    most, half, least = (
        single_series(answer(past, "iometer-load", "Power within a quarter-hour", ref)) for ref in "ABC"
    )
    assert most.keys() == half.keys() == least.keys()
    assert all(least[time] <= half[time] <= most[time] for time in half)
    peaks = [time for time in half if most[time] - half[time] > 500]
    assert peaks


def single_series(found: list[Series]) -> dict[float, float]:
    [series] = found
    return dict(series.samples)


def test_the_days_that_the_battery_lasts(past: Past) -> None:
    """A core stops at 5 % of charge."""
    level = BATTERY_AT_BEGIN - (END - BEGIN) // BATTERY_STEP
    found = answer(past, "iometer-health", "Devices", "H")
    on_battery = [home.name for home in past.history.scenario.households if "wired" not in home.faults]
    assert [series.labels["bridge"] for series in found] == sorted(on_battery)
    for series in found:
        assert series.last == pytest.approx((level - 5) * BATTERY_STEP / 86_400, rel=CLOSE)


def test_new_firmware_is_marked_when_it_comes(past: Past) -> None:
    """Once for each bridge; a core that was away for a while comes back with the firmware that it had."""
    scenario = past.history.scenario
    board = boards.boards()["iometer-health"] | {"time": {"from": "now-5d", "to": "now"}}
    [item] = [item for item in board["annotations"]["list"] if item["name"] == "Firmware changes"]
    query = interpolate.annotation(item, boards.context(board, END, scenario.interval))
    marks = past.source.run(query)
    assert sorted(series.labels["bridge"] for series in marks) == sorted(past.history.truths)
    for series in marks:
        assert [time - FIRMWARE_UPDATE < 2 * query.step for time, _ in series.samples] == [True]
        assert series.labels["core_version"]
