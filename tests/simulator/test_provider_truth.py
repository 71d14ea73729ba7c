"""The simulated fleet as functions: energy is the integral of power, every reading arrives once."""

from collections import Counter
from datetime import UTC, datetime
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iometer_exporter.errors import ConfigError
from iometer_exporter.simulator.cloud import PROVIDER_FAULTS, Faults, ProviderFault, parse_provider_fault
from iometer_exporter.simulator.cloud.arrivals import Arrivals
from iometer_exporter.simulator.cloud.fleet import CYCLE, TWO_METERS, Fleet, Ids
from iometer_exporter.simulator.cloud.load import Load
from iometer_exporter.simulator.cloud.registers import plain, registers, spelled
from iometer_exporter.simulator.cloud.stamps import add_months, parse_date, parse_stamp, stamp
from tests.conftest import IN_CI
from tests.properties import examples

NOW = int(datetime(2026, 1, 15, 21, 0, tzinfo=UTC).timestamp())

PROPERTY = examples(derandomize=IN_CI)

moments = st.integers(1_500_000_000, 2_500_000_000)
loads = st.builds(
    Load,
    watts=st.integers(1, 100),
    shift=st.integers(0, 7_200),
    initial_import_wh=st.integers(0, 10**8),
    initial_export_wh=st.integers(0, 10**8),
    pv=st.booleans(),
)


@PROPERTY
@given(load=loads, begin=moments, seconds=st.integers(0, 4_000))
def test_energy_is_the_integral_of_power(load: Load, begin: int, seconds: int) -> None:
    watts = [load.power_watts(second) for second in range(begin, begin + seconds)]
    imported = sum(watt for watt in watts if watt > 0) / 360
    exported = -sum(watt for watt in watts if watt < 0) / 360
    assert load.import_tenths(begin + seconds) - load.import_tenths(begin) == pytest.approx(imported, abs=1)
    assert load.export_tenths(begin + seconds) - load.export_tenths(begin) == pytest.approx(exported, abs=1)


@PROPERTY
@given(load=loads, begin=moments, seconds=st.integers(0, 10**9))
def test_counters_never_fall(load: Load, begin: int, seconds: int) -> None:
    for count in (load.import_tenths, load.export_tenths, load.day_tenths, load.night_tenths):
        assert count(begin) <= count(begin + seconds)


@PROPERTY
@given(load=loads.filter(lambda load: not load.pv), moment=moments)
def test_tariffs_add_up_to_the_total_but_for_their_last_digit(load: Load, moment: int) -> None:
    both = load.day_tenths(moment) + load.night_tenths(moment)
    assert load.import_tenths(moment) - both in (0, 1)


def test_a_week_passes_through_import_and_export() -> None:
    fleet = Fleet(3)
    week = range(NOW, NOW + 7 * 86_400, 900)
    roof = [fleet.meter(1).load.power_watts(second) for second in week]
    house = [fleet.meter(0).load.power_watts(second) for second in week]
    assert min(roof) < 0 < max(roof)
    assert 0 < min(house) < max(house)


@PROPERTY
@given(seed=st.integers(0, 2**32), kind=st.integers(1, 30), index=st.integers(0, 10**7))
def test_an_id_tells_its_index(seed: int, kind: int, index: int) -> None:
    ids = Ids(seed, kind)
    assert ids.index(ids(index)) == index
    assert ids.index(ids(index).upper()) == index
    assert Ids(seed, kind + 1).index(ids(index)) is None


@pytest.mark.parametrize("text", ["", "578936dc-8020-4022-a560-2f59d2dca9ee", "578936dc80204022a560"])
def test_another_id_has_no_index(text: str) -> None:
    assert Ids(1, 1).index(text) is None


def test_nothing_in_a_large_fleet_is_there_twice() -> None:
    fleet = Fleet(2_000, seed=5)
    meters = [meter for index in fleet.indexes() for meter in fleet.meters(index)]
    assert len({fleet.id(index) for index in fleet.indexes()}) == 2_000
    assert len({meter.id for meter in meters}) == len({meter.number for meter in meters}) == len(meters)


def test_another_seed_is_another_fleet_and_the_same_seed_the_same() -> None:
    assert Fleet(9, seed=1).meters(3) == Fleet(100_000, seed=1).meters(3) != Fleet(9, seed=2).meters(3)


def test_a_cycle_of_the_fleet_has_every_kind_of_installation() -> None:
    fleet = Fleet(CYCLE)
    devices = [fleet.devices(index) for index in fleet.indexes()]
    current = [found[-1] for found in devices if found]
    states = {
        name: {device["core"][name] for device in current}
        for name in ("connectionStatus", "attachmentStatus", "powerStatus", "pinStatus")
    }
    assert states == {
        "connectionStatus": {"connected", "disconnected"},
        "attachmentStatus": {"attached", "detached"},
        "powerStatus": {"battery", "wired"},
        "pinStatus": {"entered", "missing", "pending"},
    }
    assert {device["localHttpPushStatus"] for device in current} == {"enabled", "disabled", "error"}
    assert {len(found) for found in devices} == {0, 1, 2}
    assert {fleet.meter_count(index) for index in fleet.indexes()} == {0, 1, 2}
    assert None in {fleet.external_id(index) for index in fleet.indexes()}
    codes = Counter(
        value["code"]
        for index in fleet.indexes()
        for meter in fleet.meters(index)
        for value in registers(meter, NOW)
    )
    assert {"1-0:1.8.0", "1-0:1.8.1", "1-0:1.8.2", "1-0:2.8.0", "1-0:16.7.0", "1-0:56.7.0"} <= set(codes)


def test_the_phases_add_up_to_the_power() -> None:
    values = {value["code"]: value["value"] for value in registers(Fleet(5).meter(4), NOW)}
    assert sum(values[f"1-0:{c}.7.0"] for c in (36, 56, 76)) == values["1-0:16.7.0"]


def test_without_a_pin_a_meter_shows_whole_kwh_and_no_power() -> None:
    (shown, *more) = registers(Fleet(CYCLE).meter(23)._replace(tariffs=False), NOW)
    assert shown["value"] % 1000 == 0
    assert not more


def test_an_installation_is_found_by_either_name_while_it_is_there() -> None:
    fleet = Fleet(20)
    assert fleet.find(fleet.id(4)) == fleet.find(external_id="home-000005") == 4
    assert fleet.find(external_id="home-000010") is None  # it has no such name
    assert fleet.find(external_id="home-00005") is fleet.find() is None
    fleet.hidden.add(4)
    assert fleet.find(fleet.id(4)) is None
    assert list(fleet.indexes(3, 2)) == [3, 5]
    fleet.size = 4
    assert list(fleet.indexes(3)) == [3]


@pytest.mark.parametrize("size", [1, 7, 60, 61, 250])
@pytest.mark.parametrize("interval", [1, 60, 97])
def test_each_meter_is_read_once_an_interval(size: int, interval: int) -> None:
    fleet = Fleet(size)
    arrivals = Arrivals(fleet, Faults(), interval=interval, started=NOW)
    begin, end = NOW + 1, NOW + 3 * interval
    seconds = list(arrivals.seconds(begin, end))
    assert seconds == sorted(set(seconds))
    found = [each for second in seconds for each in arrivals.at(second)]
    assert found == [each for second in range(begin, end + 1) for each in arrivals.at(second)]
    living = {
        (index, place)
        for index in range(size)
        for place in range(fleet.meter_count(index))
        if fleet.silent_for(index) is None
    }
    assert Counter((each.home, each.place) for each in found) == dict.fromkeys(living, 3)
    assert all(each.received - each.time == arrivals.delay(each.home) for each in found)


@pytest.mark.parametrize("interval", [60, 900])
def test_late_readings_come_once_and_all_the_same(interval: int) -> None:
    fleet = Fleet(80)
    faults = Faults({"late"}, late_share=0.3)
    arrivals = Arrivals(fleet, faults, interval=interval, started=NOW)
    begin, end = NOW, NOW + 30_000
    found = [each for second in arrivals.seconds(begin, end) for each in arrivals.at(second)]
    names = Counter((each.home, each.place, each.time) for each in found)
    assert set(names.values()) == {1}
    faults.kinds.clear()
    for second in arrivals.seconds(begin, end - 25_000):
        for each in arrivals.at(second):
            assert (each.home, each.place, each.time) in names
    delays = {each.received - each.time for each in found}
    assert len([delay for delay in delays if delay > 120]) >= 3


def test_the_latest_reading_is_the_last_that_arrived() -> None:
    fleet, faults = Fleet(CYCLE), Faults()
    late: set[ProviderFault] = {"late"}
    for kinds in (set[ProviderFault](), late):
        faults.kinds = kinds
        arrivals = Arrivals(fleet, faults, interval=300, started=NOW)
        newest: dict[tuple[int, int], int] = {}
        for second in arrivals.seconds(NOW - 86_400, NOW):
            for each in arrivals.at(second):
                newest[each.home, each.place] = max(each.time, newest.get((each.home, each.place), 0))
        assert newest
        assert (TWO_METERS, 1) in newest
        for (index, place), time in newest.items():
            assert arrivals.latest(index, place, NOW) == time


@pytest.mark.parametrize("code", ["1-0:1.8.0", "1-0:16.7.0", "1-0:72.7.0"])
def test_codes_have_two_forms(code: str) -> None:
    assert plain(spelled(code, "hex")) == plain(code) == code
    assert spelled(code, None) == spelled(code, "dec") == code


@pytest.mark.parametrize("text", ["", "1.8.0", "1-0:1.8", "1-0:1.8.0 ", 5, None])
def test_other_texts_are_no_codes(text: object) -> None:
    with pytest.raises(ValueError, match="is not an OBIS code"):
        plain(text)


def test_times_are_read_strictly() -> None:
    assert parse_stamp(stamp(NOW)) == parse_stamp("2026-01-15T22:00:00.0+01:00") == NOW
    assert parse_date("2026-01-15") == NOW - 21 * 3600
    for text in ("2024-12-31T24:30:15Z", "2026-01-15", "2026-01-15T21:00:00", "", None):
        with pytest.raises(ValueError):
            parse_stamp(text)
    for text in ("2026-02-30", "20260115", None):
        with pytest.raises(ValueError):
            parse_date(text)


def test_months_end_where_the_month_does() -> None:
    assert stamp(add_months(int(parse_date("2027-11-30")), 3)) == "2028-02-29T00:00:00Z"
    assert stamp(add_months(int(parse_date("2026-01-15")), 12)) == "2027-01-15T00:00:00Z"


def test_every_fault_has_a_sentence_and_an_unknown_one_a_neighbour() -> None:
    assert tuple(PROVIDER_FAULTS) == get_args(ProviderFault), "both name the same faults in the same order"
    assert all(text.endswith(".") for text in PROVIDER_FAULTS.values())
    with pytest.raises(ConfigError, match="there is no fault 'dupes', the nearest is 'duplicates'"):
        parse_provider_fault("dupes")
