"""What Grafana's own code, of each version, shows of answers that simulated days do not give."""

from collections.abc import Mapping
from typing import Final, NamedTuple

import pytest

from grafana.board import uid
from grafana.histories.plan import END
from grafana.query import interpolate
from grafana.query.source import Series
from tests.grafana import boards
from tests.grafana.judge import VERSIONS, Asked, Field, Verdict, judge

pytestmark = pytest.mark.end_to_end

RED, ORANGE, BLUE, GREEN, TEXT = "#F2495C", "#FF9830", "#5794F2", "#73BF69", "#ccccdc"
CLEAR = "#00000000"


class Case(NamedTuple):
    """A panel by language, dashboard and index among its panels, and its answers by query."""

    language: str
    board: str
    title: str
    answers: Mapping[str, list[Series]]


def at_end(value: float, **labels: str) -> Series:
    return Series(labels, ((END, value),))


def bridge(value: float, name: str = "house") -> Series:
    return at_end(value, job="iometer", instance="exporter:10180", bridge=name)


def alert(name: str, severity: str, weight: int, **labels: str) -> Series:
    return at_end(weight, alertname=name, severity=severity, instance="exporter:10180", **labels)


ALERTS: Final = [
    alert("FirmwareMismatch", "info", 1, about="house"),
    alert("ExporterDown", "critical", 3),
    alert("BatteryLow", "warning", 2, about="barn"),
]
REGISTERS: Final = [
    at_end(1, bridge="house", obis="1-0:1.8.0*255", unit="Wh", meter="1"),
    at_end(2, bridge="flat", obis="0-0:96.1.0"),
]

CASES: Final = {
    **{
        f"alerts-{language}": Case(language, "home", "Firing alerts", {"A": ALERTS})
        for language in ("en", "de")
    },
    "power": Case(
        "en",
        "home",
        "Power now",
        {"A": [bridge(-0.5, "a"), bridge(-7e4, "b"), bridge(7e4, "c"), bridge(0, "d")]},
    ),
    "lone-power": Case("en", "home", "Power now", {"A": [bridge(450)]}),
    "more": Case("en", "home", "Drawn today", {"A": [at_end(8)], "B": [at_end(10)]}),
    "less": Case("de", "home", "Drawn today", {"A": [at_end(10)], "B": [at_end(8)]}),
    "first-day": Case("en", "home", "Drawn today", {"B": [at_end(8)]}),
    "nothing-fed": Case("en", "home", "Fed in today", {}),
    "registers": Case("en", "health", "Registers as sent", {"A": REGISTERS}),
    "no-alert": Case("en", "home", "Firing alerts", {}),
    "no-power": Case("en", "home", "Power now", {}),
    "devices": Case(
        "de",
        "health",
        "Devices",
        {
            "A": [bridge(256 + 2, "a"), bridge(24, "b"), bridge(0, "c")],
            "G": [bridge(0.04, "b"), bridge(0.9, "c")],
            "I": [bridge(-97, "a"), bridge(-60, "c")],
        },
    ),
    "fleet": Case(
        "en",
        "fleet",
        "All bridges",
        {"A": [bridge(0, "a"), bridge(1, "b")], "G": [bridge(0.03, "b")], "H": [bridge(-96, "b")]},
    ),
    "year": Case(
        "en",
        "energy",
        "Bill of this year in $currency",
        {"A": [at_end(1234.5)], "B": [at_end(144)], "C": [at_end(0.004)], "D": [at_end(-1090.496)]},
    ),
    "month": Case("en", "home", "Drawn this month", {"A": [at_end(1030.456)], "B": [at_end(0.0856)]}),
    "less-fed-in": Case("de", "energy", "Fed in this year", {"A": [at_end(930)], "B": [at_end(-0.1234)]}),
    "first-month": Case("en", "home", "Drawn this month", {"A": [at_end(930)]}),
}


def asked(case: Case) -> Asked:
    languages = (boards.boards(language)[uid(case.board, language)] for language in ("en", case.language))  # type: ignore[arg-type]
    english, own = languages
    titles = [panel["title"] for panel in interpolate.panels(english)]
    panel = list(interpolate.panels(own))[titles.index(case.title)]
    queries = interpolate.queries(panel, boards.context(own, END, 60.0))
    return Asked(panel, [(query, case.answers.get(query.ref, [])) for query in queries])


@pytest.fixture(scope="module")
def shown(packages: None) -> dict[str, dict[str, Verdict]]:
    """Each case by version."""
    found = judge([asked(case) for case in CASES.values()], END)
    return {version: dict(zip(CASES, verdicts, strict=True)) for version, verdicts in found.items()}


@pytest.fixture(params=VERSIONS)
def seen(request: pytest.FixtureRequest, shown: dict[str, dict[str, Verdict]]) -> dict[str, Verdict]:
    """The cases of one version after the other."""
    return shown[request.param]


def texts(verdict: Verdict) -> list[list[str]]:
    """The rows of a table."""
    return [list(row) for row in zip(*(field.texts for field in verdict.columns.values()), strict=True)]


def colors(field: Field) -> list[str | None]:
    return field.colors


def stats(verdict: Verdict) -> list[tuple[str, str, str]]:
    return [(stat.title, stat.text, stat.color) for stat in verdict.stats]


def test_the_worst_alert_comes_first_in_its_colour(seen: dict[str, Verdict]) -> None:
    assert texts(seen["alerts-en"]) == [
        ["Exporter does not answer", "critical", "-", "exporter:10180"],
        ["Battery low", "warning", "barn", "exporter:10180"],
        ["Different firmware", "info", "house", "exporter:10180"],
    ]
    assert texts(seen["alerts-de"]) == [
        ["Exporter antwortet nicht", "kritisch", "-", "exporter:10180"],
        ["Batterie schwach", "Warnung", "barn", "exporter:10180"],
        ["Unterschiedliche Firmware", "Hinweis", "house", "exporter:10180"],
    ]
    for verdict in (seen["alerts-en"], seen["alerts-de"]):
        assert list(verdict.columns.values())[1].colors == [RED, ORANGE, BLUE]


def test_no_alert_is_said_once(seen: dict[str, Verdict]) -> None:
    assert seen["no-alert"].frames in ([], [[]])


def test_an_unknown_cell_is_a_dash(seen: dict[str, Verdict]) -> None:
    columns = seen["registers"].columns
    assert columns["Unit"].texts == ["Wh", "-"]
    assert columns["Meter"].texts == ["1", "-"]
    fleet = seen["fleet"].columns
    assert fleet["Battery"].texts == ["-", "3%"] or fleet["Battery"].texts == ["3%", "-"]


def test_a_power_has_the_colour_of_its_direction(seen: dict[str, Verdict]) -> None:
    assert stats(seen["power"]) == [
        ("a", "-500 mW", BLUE),
        ("b", "-70 kW", BLUE),
        ("c", "70 kW", ORANGE),
        ("d", "0 W", ORANGE),
    ]
    [(_, text, color)] = stats(seen["lone-power"])
    assert (text, color) == ("450 W", ORANGE)


def test_a_day_is_compared_with_the_one_before(seen: dict[str, Verdict]) -> None:
    """By the first and the last row; on the first day there is nothing to compare with."""
    changes = {case: seen[case].stats[0] for case in ("more", "less", "first-day")}
    assert {case: (one.text, one.color) for case, one in changes.items()} == {
        "more": ("10.00 kWh", ORANGE),
        "less": ("8.00 kWh", ORANGE),
        "first-day": ("8.00 kWh", ORANGE),
    }
    assert {case: one.change for case, one in changes.items()} == {
        "more": 0.25,
        "less": -0.2,
        "first-day": 0,
    }


def test_what_is_not_there_is_no_alarm(seen: dict[str, Verdict]) -> None:
    for case in ("nothing-fed", "no-power"):
        [(_, text, color)] = stats(seen[case])
        assert text.startswith("No")
        assert color == TEXT, case
    fleet = seen["fleet"].columns
    assert dict(zip(fleet["Battery"].texts, fleet["Battery"].colors, strict=True)) == {"-": TEXT, "3%": RED}
    assert dict(zip(fleet["Radio"].texts, fleet["Radio"].colors, strict=True)) == {"-": TEXT, "-96 dBm": RED}


def test_what_is_bad_is_red_and_first(seen: dict[str, Verdict]) -> None:
    columns = seen["devices"].columns
    shown = {
        name: list(zip(columns[name].texts, columns[name].colors, strict=True))
        for name in ("Zu tun", "Batterie", "Funk")
    }
    assert shown == {
        "Zu tun": [("Antwortet nicht", RED), ("Batterie fast leer", RED), ("Nichts", GREEN)],
        "Batterie": [("-", CLEAR), ("4%", RED), ("90%", GREEN)],
        "Funk": [("-97 dBm", RED), ("-", CLEAR), ("-60 dBm", GREEN)],
    }


def test_much_money_and_energy_keep_their_unit(seen: dict[str, Verdict]) -> None:
    assert [text for _, text, _ in stats(seen["year"])] == ["1234.50", "144.00", "0.00", "-1090.50"]
    assert [text for _, text, _ in stats(seen["month"])][:1] == ["1030.46 kWh"]


def test_a_month_has_its_change_below_it(seen: dict[str, Verdict]) -> None:
    """Green is less drawn and more fed in; where nothing is known of the month before, there is no change."""
    assert stats(seen["month"]) == [("So far", "1030.46 kWh", ORANGE), ("to last month", "8.6%", RED)]
    assert stats(seen["less-fed-in"]) == [("Bisher", "930.00 kWh", BLUE), ("zum Vorjahr", "-12.3%", RED)]
    assert [(text, color) for _, text, color in stats(seen["first-month"])] == [("930.00 kWh", ORANGE)]
    for case in ("month", "less-fed-in", "first-month"):
        assert [stat.change for stat in seen[case].stats] == [None] * len(seen[case].stats)
