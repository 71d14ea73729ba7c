import re
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from iometer_exporter.web.landing.sparkline import bars, sparkline
from tests.web.landing.pages import Seen


def paths(means: Sequence[float | None]) -> dict[str, str]:
    """The paths of the picture by their class."""
    picture = sparkline(means, name="c", label="l")
    assert picture is not None
    seen = Seen(picture)
    return {
        attributes["class"] or "": attributes["d"] or ""
        for name, attributes in zip(seen.tags, seen.attributes, strict=True)
        if name == "path"
    }


def heights(path: str) -> list[float]:
    return [float(pair.split()[1]) for pair in re.findall(r"[\d.]+ [\d.]+", path)]


def test_nothing_known_is_no_picture() -> None:
    assert sparkline([None, None], name="c", label="l") is None


def test_more_power_is_higher_and_zero_is_the_ground() -> None:
    found = paths([0.0, 1000.0, 500.0])
    assert heights(found["line"]) == [96.0, 4.0, 50.0]
    assert found["zero"].startswith("M0 96")


def test_what_is_fed_in_hangs_below_the_line() -> None:
    found = paths([1000.0, -1000.0])
    assert heights(found["line"]) == [4.0, 96.0]
    assert found["zero"].startswith("M0 50")


def test_a_base_load_is_no_mountain() -> None:
    assert heights(paths([3.0, 5.0])["line"]) == [93.2, 91.4]
    assert heights(paths([-3.0, -5.0])["line"]) == [6.76, 8.6]


def test_a_gap_parts_the_line_and_a_pause_between_two_readings_does_not() -> None:
    short = paths([100.0, *[None] * 9, 100.0])
    long = paths([100.0, *[None] * 10, 100.0, 100.0])
    assert (short["line"].count("M"), long["line"].count("M")) == (1, 2)
    # What stands alone is a dot.
    assert "h0" in long["line"]
    assert long["area"].count("M") == 1


def test_it_says_in_words_what_it_shows() -> None:
    picture = sparkline([1.0, 2.0], name="c", label="Power <b>")
    assert picture is not None
    assert Seen(picture).attributes[0]["aria-label"] == "Power <b>"


@given(st.lists(st.none() | st.floats(-1e9, 1e9), max_size=200))
def test_every_picture_stays_in_its_frame(means: list[float | None]) -> None:
    picture = sparkline(means, name="c", label="l")
    assert (picture is None) == all(mean is None for mean in means)
    if picture is not None:
        found = paths(means)
        assert all(3.9 <= height <= 96.1 for height in heights(found["line"] + found.get("area", "")))
        assert not re.search("nan|inf|e[+-]", found["line"])


def test_bars_show_how_strong_a_signal_is() -> None:
    assert [bars(level, label="x").count('"on"') for level in range(5)] == [0, 1, 2, 3, 4]
    assert ["weak" in bars(level, label="x") for level in range(5)] == [True, True, False, False, False]
