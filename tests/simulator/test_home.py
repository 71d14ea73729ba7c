from datetime import UTC, datetime
from itertools import pairwise
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iometer_exporter.simulator import Home, power
from iometer_exporter.simulator import home as module
from iometer_exporter.simulator.electrical import split
from iometer_exporter.simulator.profile import Profile
from iometer_exporter.simulator.weather import outside_celsius, sunlight, utc_offset
from tests.properties import examples

JANUARY = int(datetime(2026, 1, 14, 23, 0, tzinfo=UTC).timestamp())
JUNE = int(datetime(2026, 6, 14, 22, 0, tzinfo=UTC).timestamp())
"""Midnights on the wall of a winter and a summer day."""

HOUR = 3600


def hour(seed: int, day: int, hour: int, *, pv: bool, heat_pump: bool) -> float:
    """Mean power of an hour of a day."""
    begin = day + hour * HOUR
    return mean(power(seed, begin + s, pv=pv, heat_pump=heat_pump) for s in range(0, HOUR, 120))


@pytest.mark.no_cover
@given(
    seed=st.integers(0, 50),
    start=st.integers(JANUARY, JUNE).map(float),
    steps=st.lists(st.floats(0, 400), max_size=12),
    speedup=st.sampled_from([1.0, 2.5, 60.0]),
)
@examples(5)
def test_energy_is_exactly_the_integral_of_power(
    seed: int, start: float, steps: list[float], speedup: float
) -> None:
    home = Home(seed, start=start, speedup=speedup)
    witness = Home(seed, start=start, speedup=speedup)
    now = start
    for step in steps:
        now += step
        home.advance(now)
    imported = exported = 0
    for second in range(int(start), int(now)):
        witness.advance(second)
        imported += max(0, witness.power_watts)
        exported += max(0, -witness.power_watts)
    assert (home.import_ws, home.export_ws) == (imported, exported)


@given(seed=st.integers(0, 50), steps=st.lists(st.integers(0, 5000), min_size=1, max_size=10))
@examples(8)
def test_registers_only_grow_and_tariffs_sum_to_the_total(seed: int, steps: list[int]) -> None:
    home = Home(seed, start=JUNE + 5 * HOUR, initial_import_wh=12345)
    seen = []
    for step in [0, *steps]:
        home.advance(home.time + step)
        seen.append((home.import_tenths, home.export_tenths, home.night_tenths, home.day_tenths))
        assert home.night_tenths + home.day_tenths == home.import_tenths
    for before, after in pairwise(seen):
        assert all(b <= a for b, a in zip(before, after, strict=True))


@pytest.mark.parametrize("step", [7, 60, 3333])
def test_registers_do_not_depend_on_how_often_the_home_is_asked(step: int) -> None:
    # From before sunrise until after noon: the tariff changes, and what is imported is exported later.
    begin, end = JUNE + 4 * HOUR, JUNE + 14 * HOUR
    once, often = Home(3, start=begin), Home(3, start=begin)
    once.advance(end)
    for now in range(begin, end, step):
        often.advance(now)
    often.advance(end)
    assert min(once.import_ws, once.export_ws, once.night_tenths, once.day_tenths) > 0
    assert (once.import_ws, once.export_ws, once.night_tenths) == (
        often.import_ws,
        often.export_ws,
        often.night_tenths,
    )


def test_rewound_home_is_the_home_that_was() -> None:
    home = Home(1, start=JUNE, initial_import_wh=1000, initial_export_wh=10)
    home.advance(JUNE + 9 * HOUR + 17)
    then = (home.time, home.import_ws, home.export_ws, home.night_tenths, home.power_watts)
    home.advance(JUNE + 9 * HOUR + 1000)
    past = home.rewound(then[0])
    assert (past.time, past.import_ws, past.export_ws, past.night_tenths, past.power_watts) == then
    assert home.time == JUNE + 9 * HOUR + 1000


def test_rewinding_beyond_a_reset_ends_at_zero() -> None:
    home = Home(1, start=JUNE, initial_import_wh=1000)
    home.advance(JUNE + HOUR)
    home.reset()
    home.advance(JUNE + HOUR + 60)
    past = home.rewound(JUNE)
    assert (past.import_ws, past.export_ws, past.night_tenths) == (0, 0, 0)


def test_time_that_has_passed_changes_nothing() -> None:
    home = Home(1, start=JUNE)
    home.advance(JUNE + 100)
    before = home.import_ws
    home.advance(JUNE + 50)
    assert (home.time, home.import_ws) == (JUNE + 100, before)


def test_clock_that_jumps_by_decades_is_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    assert module._LONGEST_GAP > 9 * 86400
    monkeypatch.setattr(module, "_LONGEST_GAP", 3600)
    home = Home(1, start=0)
    home.advance(JUNE)
    assert home.time == JUNE
    assert home.import_ws > 0


def test_power_is_a_function_of_seed_and_time() -> None:
    home = Home(5, start=JUNE)
    home.advance(JUNE + 40_000)
    assert home.power_watts == power(5, JUNE + 40_000)
    assert [power(5, JUNE + t) for t in range(0, 90_000, 999)] == [
        power(5, JUNE + t) for t in range(0, 90_000, 999)
    ]
    assert [power(5, JUNE + t) for t in range(600)] != [power(6, JUNE + t) for t in range(600)]


def test_live_power_changes_every_few_seconds() -> None:
    shown = [power(1, JANUARY + t) for t in range(120)]
    assert max(len(list(run)) for run in _runs(shown)) <= 5


def _runs(shown: list[int]) -> list[list[int]]:
    runs = [[shown[0]]]
    for before, after in pairwise(shown):
        if after == before:
            runs[-1].append(after)
        else:
            runs.append([after])
    return runs


@pytest.mark.parametrize("seed", range(1, 7))
@pytest.mark.parametrize("day", [JANUARY, JUNE])
def test_people_sleep_at_night_and_cook_in_the_evening(seed: int, day: int) -> None:
    days = range(day, day + 5 * 86400, 86400)
    night = mean(hour(seed, d, h, pv=False, heat_pump=False) for d in days for h in (1, 2, 3, 4))
    evening = mean(hour(seed, d, h, pv=False, heat_pump=False) for d in days for h in (18, 19, 20))
    assert 120 < night < 320
    assert 600 < evening < 3000


@pytest.mark.parametrize("seed", range(1, 7))
def test_sun_gives_export_at_noon_in_june_and_nothing_at_night(seed: int) -> None:
    days = range(JUNE, JUNE + 10 * 86400, 86400)
    assert min(hour(seed, d, 13, pv=True, heat_pump=False) for d in days) < -3500
    for day in days:
        for second in range(0, 4 * HOUR, 600):
            with_pv, without = (power(seed, day + second, pv=pv, heat_pump=False) for pv in (True, False))
            assert with_pv == without


@pytest.mark.parametrize("seed", range(1, 7))
def test_heat_pump_runs_in_winter(seed: int) -> None:
    def heating(day: int) -> float:
        with_pump, without = (hour(seed, day, 5, pv=False, heat_pump=has) for has in (True, False))
        return with_pump - without

    assert 300 < mean(heating(JANUARY + d * 86400) for d in range(14)) < 2600
    assert mean(heating(JUNE + d * 86400) for d in range(14)) < 300


def test_speedup_passes_a_day_in_24_minutes() -> None:
    home = Home(1, start=JANUARY, speedup=60.0)
    home.advance(JANUARY + 600)
    assert home.power_watts == power(1, JANUARY + 600 * 60)


@pytest.mark.parametrize("step", [1, 7, 60])
def test_a_minute_that_passes_is_computed_once(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is what lets days pass in seconds."""
    computed: list[int] = []
    load = Profile._load

    def counted(profile: Profile, minute: int, begin: int) -> list[int]:
        computed.append(minute)
        return load(profile, minute, begin)

    monkeypatch.setattr(Profile, "_load", counted)
    home = Home(1, start=JUNE)
    for now in range(JUNE, JUNE + HOUR, step):
        home.advance(now)
    assert computed == sorted(set(computed))
    assert len(computed) in (60, 61)


def test_climate_is_that_of_central_europe() -> None:
    january = [outside_celsius(1, JANUARY + d * 86400 + h * HOUR) for d in range(20) for h in range(24)]
    june = [outside_celsius(1, JUNE + d * 86400 + h * HOUR) for d in range(20) for h in range(24)]
    assert -20 < min(january) < mean(january) < 8
    assert 10 < mean(june) < max(june) < 38


def test_sun_rises_later_in_winter() -> None:
    rise = [next(t for t in range(0, 86400, 60) if sunlight(1, day + t) > 0) for day in (JANUARY, JUNE)]
    assert 7.5 * HOUR < rise[0] < 9 * HOUR
    assert 4.5 * HOUR < rise[1] < 6 * HOUR


@pytest.mark.parametrize(
    ("moment", "hours"),
    [
        ("2026-03-29T00:59:59+00:00", 1),
        ("2026-03-29T01:00:00+00:00", 2),
        ("2026-10-25T00:59:59+00:00", 2),
        ("2026-10-25T01:00:00+00:00", 1),
        ("2024-03-31T01:00:00+00:00", 2),
        ("1969-07-01T00:00:00+00:00", 2),
    ],
)
def test_clock_on_the_wall_follows_summer_time(moment: str, hours: int) -> None:
    assert utc_offset(datetime.fromisoformat(moment).timestamp()) == hours * HOUR


@given(total=st.integers(-20_000, 20_000), time=st.integers(0, 2**32))
def test_phases_sum_to_the_total(total: int, time: int) -> None:
    phases = split(1, time, total)
    assert sum(phases.watts) == total
    assert all(205 < volts < 250 for volts in phases.volts)
    assert 49.9 < phases.hertz < 50.1
    assert all(0 <= amperes < 100 for amperes in phases.amperes)
