"""What Grafana's own code, of each version, shows in every panel on days of simulated values."""

import re
from collections.abc import Iterator

import pytest

from grafana.german import GERMAN
from grafana.histories.plan import BEGIN, END, PROVIDER, SCENARIOS, local
from grafana.texts import LANGUAGES
from tests.grafana import boards
from tests.grafana.judge import VERSIONS, Field, Stat, judge
from tests.grafana.judged import Judged, Place, asked_at
from tests.grafana.pasts import Past
from tests.grafana.test_values import BASE_FEE as FEE
from tests.grafana.test_values import CLOSE, EXPORT_PRICE, IMPORT_PRICE
from tests.grafana.values import exported, has_export, imported, midnight, month

pytestmark = pytest.mark.end_to_end

Everything = dict[Place, Judged]

FULL = ("three-60s", PROVIDER.name)
"""Scenarios in which there is all that may be."""

NEWEST = VERSIONS[-1]

TEXT, BLUE, GREEN, ORANGE = "#ccccdc", "#5794F2", "#73BF69", "#FF9830"
RED, YELLOW = "#F2495C", "#FADE2A"
CLEAR = "#00000000"
"""Colours of the dark theme."""

_UNITS = {
    "W": 1.0,
    "kW": 1000.0,
    "kWh": 1.0,
    "%": 0.01,
    "dBm": 1.0,
    "s": 1.0,
    "min": 60.0,
    "mins": 60.0,
    "": 1.0,
}


def number(text: str) -> tuple[float, float]:
    """The number of a text such as `1.12 kW` in the unit of its query, and what its last digit is worth."""
    match = re.fullmatch(r"(-?\d+(?:\.(\d+))?) ?(\S*)", text)
    assert match, text
    unit = _UNITS[match[3]]
    return float(match[1]) * unit, 10 ** -len(match[2] or "") * unit


def in_language(text: str, language: str) -> str:
    return text if language == "en" else GERMAN[text]


def stats(judged: Everything, board: str, title: str, scenario: str = "three-60s") -> Iterator[list[Stat]]:
    """The big numbers of a panel in each language."""
    for language in LANGUAGES:
        yield judged[Place(scenario, language, board, title)].verdicts[NEWEST].stats


def test_every_version_shows_the_same(judged: Everything) -> None:
    """So what other tests find in the newest holds for all."""
    for place, panel in judged.items():
        for version in VERSIONS:
            assert panel.verdicts[version] == panel.verdicts[NEWEST], (place, version)


def test_no_override_is_for_nothing(judged: Everything) -> None:
    """Where there is an answer; a table may have no text, or no number."""
    for place, panel in judged.items():
        if place.scenario in FULL and any(answer for _, answer in panel.asked.answers):
            without = [query.ref for query, answer in panel.asked.answers if not answer]
            excused = [{"id": "byFrameRefID", "options": ref} for ref in without]
            excused += [{"id": "byType", "options": kind} for kind in ("string", "number")]
            unmatched = panel.verdicts[NEWEST].unmatched
            assert [matcher for matcher in unmatched if matcher not in excused] == [], place


def test_every_language_shows_the_same_numbers(judged: Everything) -> None:
    for place, panel in judged.items():
        other = judged[place._replace(language="en")].verdicts[NEWEST]
        for mine, theirs in zip(panel.verdicts[NEWEST].frames, other.frames, strict=True):
            found, expected = (
                [field.values for field in one if field.type == "number"] for one in (mine, theirs)
            )
            assert found == expected, place


def test_a_column_has_the_name_that_it_is_given(judged: Everything) -> None:
    for place, panel in judged.items():
        names = [
            step["options"]["renameByName"]
            for step in panel.asked.panel["transformations"]
            if step["id"] == "organize"
        ]
        if names and place.scenario in FULL and any(answer for _, answer in panel.asked.answers):
            assert set(names[0].values()) <= panel.verdicts[NEWEST].columns.keys(), place


def test_a_big_number_is_the_answer_in_its_unit(judged: Everything) -> None:
    seen = 0
    for place, panel in judged.items():
        shown = panel.asked.panel
        answers = [series.last for _, answer in panel.asked.answers for series in answer]
        if shown["type"] != "stat" or not answers or shown["fieldConfig"]["defaults"]["mappings"]:
            continue
        if shown["fieldConfig"]["defaults"]["unit"] == "dateTimeFromNow":
            continue
        if shown["type"] == "stat" and shown["options"]["showPercentChange"]:
            # The first is what it is compared with.
            answers = answers[-1:]
        for stat, answer in zip(panel.verdicts[NEWEST].stats, answers, strict=True):
            value, last_digit = number(stat.text)
            assert value == pytest.approx(answer, abs=0.51 * last_digit), place
            seen += 1
    assert seen > 250


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_energy_and_money_are_those_of_the_meters(
    judged: Everything, pasts: dict[str, Past], scenario: str
) -> None:
    past = pasts[scenario]
    for title, begin, fee in (
        ("Cost today in $currency", midnight(END), FEE / 30),
        ("Cost this month in $currency", month(END), FEE * 5 / 30),
    ):
        cost, revenue = (
            imported(past, begin, END) * IMPORT_PRICE + fee,
            exported(past, begin, END) * EXPORT_PRICE,
        )
        money = [("Cost", cost, ORANGE), ("Revenue", revenue, BLUE), ("Net", cost - revenue, TEXT)]
        if not has_export(past):
            money = [money[0], money[2]]
        for language, found in zip(LANGUAGES, stats(judged, "home", title, scenario), strict=True):
            assert [stat.title for stat in found] == [in_language(name, language) for name, _, _ in money]
            assert [stat.color for stat in found] == [color for _, _, color in money]
            for stat, (_, amount, _) in zip(found, money, strict=True):
                assert re.fullmatch(r"-?\d+\.\d\d", stat.text), stat
                assert number(stat.text)[0] == pytest.approx(amount, abs=CLOSE * (cost + revenue) + 0.006)
    for board, period, begin in (
        ("home", "this month", month(END)),
        ("energy", "this month", month(END)),
        ("energy", "this year", BEGIN),
    ):
        for title, truth, color in (("Drawn", imported, ORANGE), ("Fed in", exported, BLUE)):
            if truth is exported and not has_export(past):
                continue
            # Nothing is known of the period before, so there is no change, and no 0 % in red.
            for [stat] in stats(judged, board, f"{title} {period}", scenario):
                assert (stat.color, stat.change) == (color, None)
                assert re.fullmatch(r"\d+\.\d\d kWh", stat.text), stat
                assert number(stat.text)[0] == pytest.approx(truth(past, begin, END), rel=CLOSE)


def test_a_month_is_compared_with_the_month_before(packages: None, pasts: dict[str, Past]) -> None:
    """With as many days and hours of it, in both directions."""
    past, moment = pasts["three-60s"], local("2026-04-30 10:00:00")
    board = boards.boards()["iometer-home"]
    directions = (("Drawn", imported, ORANGE), ("Fed in", exported, BLUE))
    panels = [boards.panel("iometer-home", f"{title} this month") for title, *_ in directions]
    verdicts = judge([asked_at(past, board, panel, moment) for panel in panels], moment)
    for index, (_, truth, color) in enumerate(directions):
        month_before = truth(past, BEGIN, local("2026-03-30 10:00:00"))
        this_month = truth(past, local("2026-04-01 00:00:00"), END)
        for version, found in verdicts.items():
            energy, change = found[index].stats
            assert (energy.title, energy.color) == ("So far", color), version
            assert number(energy.text)[0] == pytest.approx(this_month, rel=CLOSE), version
            truth_of_change = this_month / month_before - 1
            is_bad = (truth_of_change > 0) == (truth is imported)
            assert (change.title, change.color) == ("to last month", RED if is_bad else GREEN), version
            assert number(change.text)[0] == pytest.approx(truth_of_change, abs=3 * CLOSE), version


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_day_is_compared_with_the_same_hours_of_the_day_before(
    judged: Everything, pasts: dict[str, Past], scenario: str
) -> None:
    past, begin = pasts[scenario], midnight(END)
    days = {"today": (begin, END, midnight(END, -1), END - 86_400)}
    days["yesterday"] = (midnight(END, -1), begin, midnight(END, -2), midnight(END, -1))
    for when, (first, last, first_before, last_before) in days.items():
        for title, truth, color in (("Drawn", imported, ORANGE), ("Fed in", exported, BLUE)):
            if truth is exported and not has_export(past):
                continue
            energy, before = truth(past, first, last), truth(past, first_before, last_before)
            for board in ("home", "energy") if when == "today" else ("home",):
                for [stat] in stats(judged, board, f"{title} {when}", scenario):
                    assert stat.color == color
                    assert number(stat.text)[0] == pytest.approx(energy, rel=CLOSE)
                    assert stat.change == pytest.approx(energy / before - 1, abs=3 * CLOSE)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_bar_of_a_month_is_all_of_it(judged: Everything, pasts: dict[str, Past], scenario: str) -> None:
    past, april = pasts[scenario], local("2026-04-01 00:00:00")
    for title, truth in (("Drawn per month", imported), ("Fed in per month", exported)):
        for language in LANGUAGES if truth is imported or has_export(past) else ():
            columns = judged[Place(scenario, language, "energy", title)].verdicts[NEWEST].columns
            months, energy = (columns[in_language(name, language)] for name in ("Month", "Energy"))
            assert months.texts == ["2026-03", "2026-04"]
            truths = [truth(past, BEGIN, april), truth(past, april, END)]
            assert numbers(energy) == pytest.approx(truths, rel=CLOSE)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_highest_come_first(judged: Everything, scenario: str) -> None:
    for board, title, column, rows in (
        ("energy", "Days with most drawn", "Energy", 9),
        ("load", "Highest quarter-hours", "Mean power", 10),
    ):
        columns = judged[Place(scenario, "en", board, title)].verdicts[NEWEST].columns
        found = numbers(columns[column])
        assert len(found) == rows
        assert found == sorted(found, reverse=True)
        assert len(set(found)) > 1


def test_the_worst_bridge_comes_first(packages: None, pasts: dict[str, Past]) -> None:
    """While the first of three does not answer; then while its core is away."""
    past = pasts["three-60s"]
    board, panel = boards.boards()["iometer-fleet"], boards.panel("iometer-fleet", "All bridges")
    moments = [local("2026-03-30 03:10:00"), local("2026-04-02 09:40:00")]
    asked = [asked_at(past, board, panel, moment) for moment in moments]
    for verdicts in judge(asked, moments[-1]).values():
        for verdict in verdicts:
            needs = verdict.columns["Needs a hand"]
            assert verdict.columns["Bridge"].texts[0] == past.history.scenario.households[0].name
            assert needs.texts[0] in ("Does not answer", "Core out of reach")
            assert needs.texts[1:] == ["Nothing", "Nothing"]
            assert needs.colors == [RED, GREEN, GREEN]


def numbers(column: Field) -> list[float]:
    assert all(isinstance(value, int | float) for value in column.values)
    return [value for value in column.values if isinstance(value, int | float)]


@pytest.mark.parametrize(
    ("board", "title", "bridge", "words"),
    [
        ("health", "Bridge answers", "house", [("Up", GREEN), ("Down", RED), ("Up", GREEN)]),
        ("health", "Core reaches bridge", "barn", [("Connected", GREEN)]),
        ("health", "Core sits on meter", "flat", [("Attached", GREEN)]),
        ("health", "PIN of the meter", "house", [("Entered", GREEN)]),
        ("health", "Power source", "house", [("Battery", BLUE)]),
        ("health", "Power source", "barn", [("Wired", GREEN)]),
    ],
)
def test_a_state_has_its_word_and_colour(
    judged: Everything, board: str, title: str, bridge: str, words: list[tuple[str, str]]
) -> None:
    for language in LANGUAGES:
        frames = judged[Place("three-60s", language, board, title)].verdicts[NEWEST].frames
        [state] = [field for fields in frames for field in fields if field.title == bridge]
        assert list(zip(state.texts, state.colors, strict=True)) == [
            (in_language(word, language), color) for word, color in words
        ]


def test_the_states_of_today_are_words(judged: Everything) -> None:
    for language, found in zip(LANGUAGES, stats(judged, "health", "Configuration"), strict=True):
        assert {(stat.text, stat.color) for stat in found} == {(in_language("Valid", language), GREEN)}


def test_a_bridge_of_the_fleet(judged: Everything) -> None:
    for language in LANGUAGES:
        fleet = judged[Place("three-60s", language, "fleet", "All bridges")].verdicts[NEWEST].columns
        row = fleet["Bridge"].texts.index("barn")
        for column, text in (
            ("Needs a hand", "Nothing"),
            ("Core", "In place"),
            ("Battery", "-"),
            ("Power", r"\d+ W"),
            ("Drawn 24 h", r"\d+\.\d\d kWh"),
            ("Radio", r"-\d+ dBm"),
        ):
            shown = fleet[in_language(column, language)].texts[row]
            assert re.fullmatch(GERMAN.get(text, text) if language == "de" else text, shown), column


def test_an_empty_panel_says_why_and_is_no_alarm(judged: Everything) -> None:
    seen = set()
    for place, panel in judged.items():
        if panel.asked.panel["type"] == "stat" and not any(answer for _, answer in panel.asked.answers):
            [stat] = panel.verdicts[NEWEST].stats
            assert stat.text == panel.asked.panel["fieldConfig"]["defaults"]["noValue"], place
            assert stat.color not in (RED, ORANGE, YELLOW), place
            seen.add(place.title)
    assert seen >= {"Fed in today", "Fed in this year", "Highest quarter-hour fed in"}


def test_the_distribution_counts_each_quarter_hour(judged: Everything) -> None:
    for scenario in SCENARIOS:
        panel = judged[Place(scenario, "en", "load", "Distribution of power")]
        values = [
            value for _, answer in panel.asked.answers for series in answer for _, value in series.samples
        ]
        buckets = panel.verdicts[NEWEST].histogram
        low, high = buckets.pop("xMin"), buckets.pop("xMax")
        assert {end - begin for begin, end in zip(low, high, strict=True)} == {250}
        assert sum(map(sum, buckets.values())) == len(values)
        assert low[0] <= min(values) < high[0]


def test_what_is_not_known_is_no_block(judged: Everything) -> None:
    """Cells in the colour of the text were black in light and white in dark."""
    columns = judged[Place("three-60s", "en", "health", "Devices")].verdicts[NEWEST].columns
    wired = columns["Bridge"].texts.index("barn")
    for title in ("Battery", "Days left"):
        assert (columns[title].texts[wired], columns[title].colors[wired]) == ("-", CLEAR)


def test_the_resets_of_all_counters_are_one_number(judged: Everything) -> None:
    """Six of them in one tile could not be read."""
    for scenario in SCENARIOS:
        for [stat] in stats(judged, "health", "Counter resets", scenario):
            assert (stat.text, stat.color) == ("0", GREEN)


def test_the_states_of_bridges_and_licenses_are_words(judged: Everything) -> None:
    for language, found in zip(LANGUAGES, stats(judged, "health", "Bridges known"), strict=True):
        assert {stat.title for stat in found} == {
            in_language(word, language) for word in ("configured", "discovered")
        }
    for language, found in zip(LANGUAGES, stats(judged, "provider", "Licenses", PROVIDER.name), strict=True):
        assert {stat.title for stat in found} == {
            in_language(word, language) for word in ("active", "expired", "inactive")
        }


def test_the_rows_of_a_heatmap_are_the_shares_of_each_hour(judged: Everything) -> None:
    """They add up to the whole hour; that of each row is its own, without those below it."""
    panel = judged[Place("three-60s", "en", "load", "Distribution of power by hour")]
    [[times, *rows]] = panel.verdicts[NEWEST].frames
    limits = [float(row.title) for row in rows]
    assert times.type == "time"
    assert limits == sorted(limits)
    assert limits[-1] == float("inf")
    last = [value for row in rows for value in numbers(row)]
    assert len(last) == len(rows) == 20
    assert sum(last) == pytest.approx(1)
    assert max(last) < 1


def test_what_is_fed_in_is_below_zero_without_a_sign(judged: Everything) -> None:
    """A legend that says "Total: -319 kWh" of what is fed in says it twice."""
    for board, title in (("home", "Today by hour"), ("energy", "Energy per day")):
        panel = judged[Place("three-60s", "en", board, title)]
        for fields in panel.verdicts[NEWEST].frames:
            assert all(value >= 0 for field in fields if field.type == "number" for value in numbers(field))
        overrides = panel.asked.panel["fieldConfig"]["overrides"]
        [below] = [one for one in overrides if one["matcher"]["options"] == "B"]
        assert {"id": "custom.transform", "value": "negative-Y"} in below["properties"]
