import re
import string
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iometer_exporter.web.landing.german import GERMAN
from iometer_exporter.web.landing.language import DEUTSCH, ENGLISH, choose_language

NOW = datetime(2026, 6, 18, 13, 0, 32, tzinfo=UTC).timestamp()


def plain(text: str) -> str:
    return text.replace("\u00a0", " ").replace("\u202f", " ")


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", "en"),
        ("de", "de"),
        ("DE-at", "de"),
        ("de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7", "de"),
        ("en-GB,en;q=0.9,de;q=0.8", "en"),
        ("fr-FR,fr;q=0.9,de;q=0.2", "de"),
        ("fr, nl", "en"),
        ("en;q=0.1, de;q=0.2", "de"),
        ("en;q=0.2, de;q=0.1", "en"),
        ("de;q=0", "en"),
        ("de;q=0, en;q=0", "en"),
        ("de;q=0.5, *;q=0.1", "de"),
        ("*", "en"),
        ("en;q=0, *", "de"),
        ("en;q=0.2, *;q=0.8", "de"),
        ("de, en", "de"),
        ("en, de", "en"),
        ("en-US;q=0.3, en;q=0.9, de;q=0.5", "en"),
        (" de ; q = 1.000 ", "de"),
        ("de;q=1.001, en;q=0.1", "en"),
        ("de;q=, en;q=0.1", "en"),
        ("de;q=high, en;q=0.1", "en"),
        ("de;q=0.1234, en;q=0.1", "en"),
        ("de;q=-1, en;q=0.1", "en"),
        ("de;q=\u0660.\u0669, en;q=0.1", "en"),
        ("de;level=1;q=0.9, en;q=0.8", "de"),
        (",;,;q=1,;;", "en"),
        ("deutsch", "en"),
        ("*-DE", "en"),
    ],
)
def test_the_language_is_the_one_that_is_liked_best(header: str, code: str) -> None:
    assert choose_language(header).code == code


@given(st.text(alphabet=st.sampled_from("dEen*q=;,. -01\t\u0660") | st.characters(), max_size=60))
def test_no_header_is_an_error(header: str) -> None:
    assert choose_language(header).code in ("en", "de")


@pytest.mark.parametrize(
    ("watts", "english", "german"),
    [
        (0.0, "0 W", "0 W"),
        (309.0, "309 W", "309 W"),
        (9.5, "9.5 W", "9,5 W"),
        (9.96, "10 W", "10 W"),
        (1635.4, "1635 W", "1635 W"),
        (-4321.5, "\u22124322 W", "\u22124322 W"),
        (9999.4, "9999 W", "9999 W"),
        (9999.6, "10.0 kW", "10,0 kW"),
        (12345.0, "12.3 kW", "12,3 kW"),
        (1_234_567.0, "1.23 MW", "1,23 MW"),
        (-0.01, "0.0 W", "0,0 W"),
        (1e30, "1e+24 MW", "1e+24 MW"),
    ],
)
def test_a_power_has_no_more_digits_than_a_person_needs(watts: float, english: str, german: str) -> None:
    assert (plain(ENGLISH.power(watts)), plain(DEUTSCH.power(watts))) == (english, german)


@pytest.mark.parametrize(
    ("joules", "digits", "english", "german"),
    [
        (25936.6258 * 3.6e6, 1, "25,936.6", "25.936,6"),
        (3.6e6, 0, "1", "1"),
        (0.0, 2, "0.00", "0,00"),
        (1234567.891 * 3.6e6, 2, "1,234,567.89", "1.234.567,89"),
    ],
)
def test_energies_are_grouped(joules: float, digits: int, english: str, german: str) -> None:
    assert (ENGLISH.kilowatt_hours(joules, digits), DEUTSCH.kilowatt_hours(joules, digits)) == (
        english,
        german,
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (0.4, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (140, "2 min 20 s"),
        (200, "3 min"),
        (3600, "1 h"),
        (4800, "1 h 20 min"),
        (6 * 3600 + 900, "6 h"),
        (86400 * 2 + 7200, "2 d 2 h"),
        (86400 * 9, "9 d"),
    ],
)
def test_durations_are_as_exact_as_they_are_short(seconds: float, text: str) -> None:
    assert plain(ENGLISH.duration(seconds)) == text


def test_times_are_those_of_the_zone_with_the_date_if_it_is_another() -> None:
    english, german = replace(ENGLISH, zone=UTC), replace(DEUTSCH, zone=UTC)
    assert plain(english.clock(NOW, with_zone=True)) == "13:00:32 UTC"
    assert german.clock(NOW) == "13:00:32"
    assert english.moment(NOW - 3600, NOW) == "12:00"
    assert plain(english.moment(NOW - 86400, NOW)) == "17 Jun, 13:00"
    assert plain(german.moment(NOW - 86400, NOW)) == "17.6., 13:00"


def test_without_a_zone_times_are_those_of_this_host() -> None:
    assert ENGLISH.clock(NOW) == datetime.fromtimestamp(NOW).strftime("%H:%M:%S")


def test_a_percentage_has_a_space_in_german() -> None:
    assert (ENGLISH.percent(0.07), plain(DEUTSCH.percent(0.07))) == ("7%", "7 %")


@pytest.mark.parametrize("english", GERMAN)
def test_each_german_text_says_the_same_values(english: str) -> None:
    def fields(text: str) -> list[str]:
        return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name)

    german = GERMAN[english]
    assert fields(german) == fields(english)
    assert german.strip() == german or english.strip() != english
    assert english[-1:] == german[-1:] or not re.search(r"[.…]$", english)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_nonsense_is_short_and_no_error(value: float) -> None:
    for language in (ENGLISH, DEUTSCH):
        assert len(language.power(value)) < 25
        assert len(language.quantity(value, "dBm")) < 30
        assert len(language.moment(value, NOW)) < 20
        assert len(language.duration(value)) < 350
        assert len(language.clock(value)) == 8
