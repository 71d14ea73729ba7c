from datetime import timedelta
from typing import Any

import pytest

from iometer_exporter.meter.json_object import JsonObject
from iometer_exporter.meter.models import Reading
from iometer_exporter.provider.api import answers
from iometer_exporter.provider.api.models import Meter
from iometer_exporter.provider.served.installations import Installations, Refusal, Result
from iometer_exporter.provider.served.lines import BLOCK
from iometer_exporter.provider.served.shard import in_shard
from tests.provider.fleet import (
    EXPORT,
    LIMITS,
    NOW,
    STALE_AFTER,
    device,
    fleet,
    installation,
    license_,
    lines,
    reading,
    received,
    refresh,
    values,
)

M1 = '{installation="i1",meter="M1"}'
ENERGY = f"iometer_energy_import_joules_total{M1}"
POWER = f"iometer_power_watts{M1}"
TIMESTAMP = f"iometer_reading_timestamp_seconds{M1}"


def take(
    known: Installations, taken: Reading, *, now: float | None = None, meter_id: str = "", **where: str
) -> Result | None:
    """What becomes of a reading that the cloud has two seconds after its time."""
    seconds = taken.time.timestamp() - NOW if now is None else now
    result = known.receive(received(taken, meter_id=meter_id, **where), NOW + seconds, seconds)  # type: ignore[arg-type]
    return None if result is None else result[0]


def test_an_installation_gives_what_the_inventory_says() -> None:
    known = fleet(installation("i1", "customer-7"))
    assert lines(known) == [
        'iometer_core_connected{installation="customer-7",meter="M1"} 1.0',
        'iometer_core_attached{installation="customer-7",meter="M1"} 1.0',
        'iometer_core_battery_ratio{installation="customer-7",meter="M1"} 0.8',
        'iometer_core_power_status{installation="customer-7",meter="M1",status="battery"} 1.0',
        'iometer_core_power_status{installation="customer-7",meter="M1",status="wired"} 0.0',
        'iometer_core_pin_status{installation="customer-7",meter="M1",status="entered"} 1.0',
        'iometer_core_pin_status{installation="customer-7",meter="M1",status="pending"} 0.0',
        'iometer_core_pin_status{installation="customer-7",meter="M1",status="missing"} 0.0',
        'iometer_installation_info{external_id="customer-7",id="i1",installation="customer-7"} 1.0',
        'iometer_device_info{device_id="device-1",installation="customer-7"} 1.0',
        'iometer_bridge_cloud_connected{installation="customer-7"} 1.0',
        'iometer_local_http_push_status{installation="customer-7",status="disabled"} 1.0',
        'iometer_local_http_push_status{installation="customer-7",status="enabled"} 0.0',
        'iometer_local_http_push_status{installation="customer-7",status="error"} 0.0',
        'iometer_license_status{installation="customer-7",status="inactive"} 0.0',
        'iometer_license_status{installation="customer-7",status="active"} 1.0',
        'iometer_license_status{installation="customer-7",status="expired"} 0.0',
        f'iometer_license_start_timestamp_seconds{{installation="customer-7"}} {_go(NOW - 86400)}',
        f'iometer_license_end_timestamp_seconds{{installation="customer-7"}} {_go(NOW + 86400)}',
        'iometer_license_auto_renewal{installation="customer-7"} 1.0',
    ]


def _go(seconds: float) -> str:
    return f"{str(seconds)[0]}.{str(seconds)[1:].rstrip('0.')}e+09"


def test_a_reading_gives_its_values() -> None:
    known = fleet(installation(current_device=None, license=None))
    take(known, reading(0, "1000.5", power="-12.5", more={EXPORT: ("2", "kWh"), "1-0:1.8.2": ("3", "Wh")}))
    assert values(known) == {
        ENERGY: 3_601_800,
        f"iometer_energy_export_joules_total{M1}": 7_200_000,
        'iometer_tariff_energy_import_joules_total{installation="i1",meter="M1",tariff="2"}': 10_800,
        POWER: -12.5,
        'iometer_register{installation="i1",meter="M1",obis="1-0:1.8.0",unit="Wh"}': 1000.5,
        'iometer_register{installation="i1",meter="M1",obis="1-0:2.8.0",unit="kWh"}': 2,
        'iometer_register{installation="i1",meter="M1",obis="1-0:1.8.2",unit="Wh"}': 3,
        'iometer_register{installation="i1",meter="M1",obis="1-0:16.7.0",unit="W"}': -12.5,
        TIMESTAMP: NOW,
        'iometer_installation_info{external_id="",id="i1",installation="i1"}': 1,
    }


def test_a_battery_level_counts_only_on_battery() -> None:
    known = fleet(installation(current_device=device(power="wired")))
    assert not any("battery_ratio" in line for line in lines(known))
    refresh(known, installation(current_device=device(power="battery")))
    assert values(known)['iometer_core_battery_ratio{installation="i1",meter="M1"}'] == 0.8


def test_a_state_unknown_today_gets_its_own_sample() -> None:
    known = fleet(installation(current_device=device(pin="forgotten"), license=license_(status="paused")))
    found = values(known)
    assert found['iometer_core_pin_status{installation="i1",meter="M1",status="forgotten"}'] == 1
    assert found['iometer_core_pin_status{installation="i1",meter="M1",status="entered"}'] == 0
    assert found['iometer_license_status{installation="i1",status="paused"}'] == 1
    assert found['iometer_license_status{installation="i1",status="active"}'] == 0


def test_what_is_unknown_is_absent() -> None:
    unknown = device(connection=None, core_connection="odd", pin=None, battery_ratio=None, http_push=None)
    known = fleet(
        installation(current_device=unknown, license=license_(start=None, end=None, term=None, status=None))
    )
    names = {line.partition("{")[0] for line in lines(known)}
    assert names == {
        "iometer_core_attached",
        "iometer_core_power_status",
        "iometer_installation_info",
        "iometer_device_info",
    }


def test_an_installation_without_meter_and_device_is_there() -> None:
    known = fleet(installation(meters=(), current_device=None, devices=(), license=None))
    assert lines(known) == ['iometer_installation_info{external_id="",id="i1",installation="i1"} 1.0']


def test_the_meter_of_a_device_is_empty_while_unknown() -> None:
    known = fleet(installation(meters=()))
    assert values(known)['iometer_core_connected{installation="i1",meter=""}'] == 1


def test_two_meters_in_one_installation() -> None:
    meters = (Meter("a", "A", reading(0, 10, number="A")), Meter("b", "B", reading(0, 20, number="B")))
    known = fleet(installation(meters=meters, current_meter=meters[1]))
    found = values(known)
    assert found['iometer_energy_import_joules_total{installation="i1",meter="A"}'] == 36_000
    assert found['iometer_energy_import_joules_total{installation="i1",meter="B"}'] == 72_000
    assert found['iometer_core_connected{installation="i1",meter="B"}'] == 1
    assert 'iometer_core_connected{installation="i1",meter="A"}' not in found


def test_of_two_meters_with_one_number_the_newest_is_served() -> None:
    old, new = reading(0, 10, number="A"), reading(60, 20, number="A")
    for meters in (
        (Meter("a", "A", old), Meter("b", "A", new)),
        (Meter("a", "A", new), Meter("b", "A", old)),
    ):
        known = fleet(installation(meters=meters))
        found = lines(known)
        assert len(found) == len({line.rpartition(" ")[0] for line in found})
        assert values(known)['iometer_energy_import_joules_total{installation="i1",meter="A"}'] == 72_000


def test_two_with_one_external_id_are_told_apart() -> None:
    known = fleet(installation("i1", "same"), installation("i2", "same"), installation("i3", "i2"))
    assert sorted(one.label for one in known) == ["i2", "i3", "same"]
    names = [line.rpartition(" ")[0] for line in lines(known)]
    assert len(names) == len(set(names))


def test_an_external_id_that_is_the_id_of_another() -> None:
    known = fleet(installation("i1", "i3"), installation("i2", "i3"), installation("i3", "i2"))
    assert sorted(one.label for one in known) == ["i2", "i3", "i3~2"]


def test_a_new_external_id_is_a_new_name() -> None:
    known = fleet(installation("i1", "before"), installation("i2"))
    refresh(known, installation("i1", "after"), installation("i2", "before"))
    assert sorted(one.label for one in known) == ["after", "before"]
    assert not any('installation="i2"' in line for line in lines(known))


def test_an_unchanged_refresh_writes_nothing() -> None:
    seen = [installation(f"i{number}", meters=(Meter("m", "M", reading(0)),)) for number in range(3)]
    known = fleet(*seen)
    lines(known)
    refresh(known, *(installation(one.id, meters=(Meter("m", "M", reading(0)),)) for one in seen))
    assert not known.store.pending


def test_what_vanished_is_dropped_at_the_end_of_a_refresh_only() -> None:
    known = fleet(installation("i1"), installation("i2"))
    known.begin_refresh()
    known.see(installation("i1"), NOW, 0.0)
    assert len(known) == 2
    assert any('installation="i2"' in line for line in lines(known))
    known.end_refresh()
    assert [one.id for one in known] == ["i1"]
    assert not any('installation="i2"' in line for line in lines(known))


def test_a_refresh_that_did_not_end_drops_nothing() -> None:
    known = fleet(installation("i1"), installation("i2"))
    known.begin_refresh()
    known.see(installation("i1"), NOW, 0.0)
    refresh(known, installation("i1"), installation("i2"))
    assert len(known) == 2


def test_what_a_reading_told_first_outlives_the_refresh_under_way() -> None:
    known = fleet()
    known.begin_refresh()
    assert take(known, reading(), external_id="c") == "accepted"
    known.end_refresh()
    assert [one.label for one in known] == ["c"]
    refresh(known)
    assert not len(known)


def test_a_meter_that_a_reading_told_first_outlives_the_refresh_under_way() -> None:
    known = fleet(installation(meters=()))
    known.begin_refresh()
    take(known, reading(), meter_id="new")
    known.see(installation(meters=()), NOW, 0.0)
    known.end_refresh()
    assert ENERGY in values(known)
    refresh(known, installation(meters=()))
    assert ENERGY not in values(known)


def test_a_place_that_became_free_serves_the_next() -> None:
    known = fleet(*(installation(f"i{number}") for number in range(BLOCK)))
    refresh(known, *(installation(f"j{number}") for number in range(BLOCK)))
    assert known.store.positions == 2 * BLOCK
    refresh(known, *(installation(f"k{number}") for number in range(BLOCK)))
    assert known.store.positions == 2 * BLOCK
    labels = {line.partition('installation="')[2].partition('"')[0] for line in lines(known)}
    assert labels == {f"k{number}" for number in range(BLOCK)}


def test_each_reading_counts_once() -> None:
    known = fleet(installation())
    assert take(known, reading(0, 1000)) == "accepted"
    assert take(known, reading(0, 1000)) == "duplicate"
    assert take(known, reading(900, 1001)) == "accepted"
    assert take(known, reading(0, 1000)) == "duplicate"


def test_a_repeated_reading_is_known_for_a_day_of_quarters() -> None:
    known = fleet(installation())
    for quarter in range(96):
        assert take(known, reading(900 * quarter, 1000 + quarter)) == "accepted"
    assert [take(known, reading(900 * quarter, 1000 + quarter)) for quarter in range(96)] == [
        "duplicate"
    ] * 96


def test_readings_of_two_meters_at_one_time_are_two() -> None:
    known = fleet(installation())
    assert take(known, reading(0, number="A"), meter_id="a") == "accepted"
    assert take(known, reading(0, number="B"), meter_id="b") == "accepted"


def test_times_within_one_second_differ() -> None:
    known = fleet(installation())
    for fraction in (0.0, 0.25, 0.5):
        assert take(known, reading(fraction)) == "accepted"


def test_a_late_reading_is_accepted_and_not_served() -> None:
    known = fleet(installation())
    take(known, reading(900, 1001))
    assert take(known, reading(0, 1000), now=900) == "accepted"
    assert values(known)[ENERGY] == 3_603_600
    assert take(known, reading(0, 1000), now=900) == "duplicate"


def test_the_inventory_seeds_the_guard_and_counts_nothing() -> None:
    known = fleet(installation(meters=(Meter("m", "M1", reading(0, 1000)),)))
    assert values(known)[ENERGY] == 3_600_000
    assert take(known, reading(900, 999), meter_id="m") == "rejected"
    assert take(known, reading(0, 1000), meter_id="m", now=900) == "accepted"
    assert values(known)[ENERGY] == 3_600_000


def test_the_inventory_catches_up_where_readings_do_not_come() -> None:
    known = fleet(installation(meters=(Meter("m", "M1", reading(0, 1000)),)))
    assert refresh(known, installation(meters=(Meter("m", "M1", reading(900, 1001)),))) == []
    assert values(known, 900)[ENERGY] == 3_603_600
    refresh(known, installation(meters=(Meter("m", "M1", reading(0, 1000)),)))
    assert values(known, 900)[ENERGY] == 3_603_600


def test_the_guard_judges_the_inventory_too() -> None:
    known = fleet(installation(meters=(Meter("m", "M1", reading(0, 1000)),)))
    refused = refresh(known, installation(meters=(Meter("m", "M1", reading(900, 10)),)))
    assert refused == [Refusal("it is decreased", "M1", is_first=True)]
    assert values(known)[ENERGY] == 3_600_000


@pytest.mark.parametrize(("energy", "why"), [(10, "decreased"), (10**9, "implausible")])
def test_what_the_guard_refuses_is_rejected(energy: float, why: str) -> None:
    known = fleet(installation())
    take(known, reading(0, 1000))
    bad = received(reading(900, energy))
    assert known.receive(bad, NOW + 900, 900.0) == ("rejected", f"it is {why}")
    found = values(known, 900)
    assert found[ENERGY] == 3_600_000
    assert found['iometer_register{installation="i1",meter="M1",obis="1-0:1.8.0",unit="Wh"}'] == energy


def test_a_reset_register_is_believed_after_a_while() -> None:
    known = fleet(installation())
    take(known, reading(0, 1000))
    results = [take(known, reading(900 * number, number)) for number in range(1, 4)]
    assert results == ["rejected", "rejected", "accepted"]
    assert values(known, 2700)[ENERGY] == 10_800


def test_a_time_far_in_the_future_is_rejected_and_blocks_nothing() -> None:
    known = fleet(installation())
    take(known, reading(0, 1000))
    assert take(known, reading(86400 + 60, 1001), now=0) == "rejected"
    assert take(known, reading(900, 1001)) == "accepted"
    assert values(known, 900)[ENERGY] == 3_603_600


def test_a_receipt_far_in_the_future_is_rejected() -> None:
    known = fleet(installation())
    bad = received(reading(0), delay=86400 + 60)
    assert known.receive(bad, NOW, 0.0) == ("rejected", "its time is in the future")


def test_an_inventory_from_the_future_is_not_believed() -> None:
    meters = (Meter("m", "M1", reading(2 * 86400, 1000)),)
    known = fleet()
    assert refresh(known, installation(meters=meters)) == [
        Refusal("its time is in the future", "M1", is_first=True)
    ]
    assert ENERGY not in values(known)


def test_a_meter_whose_clock_was_ahead_recovers_by_the_inventory_alone() -> None:
    """Twenty hours ahead for one reading: not twenty hours without any other."""

    def see(taken: Reading, seconds: float) -> list[Refusal]:
        return refresh(known, installation(meters=(Meter("m", "M1", taken),)), seconds=seconds)

    known = fleet()
    assert see(reading(0, 1000), 0) == []
    assert see(reading(20 * 3600, 1000), 300) == []
    refused = [see(reading(300 * number, 1001 + number), 300 * number) for number in range(2, 5)]
    assert [[each.why for each in found] for found in refused] == [["it is replayed"], ["it is replayed"], []]
    assert values(known, 1200)[TIMESTAMP] == NOW + 1200


def test_a_reading_that_both_ways_bring_is_rejected_once() -> None:
    bad = reading(900, 10)
    meters = (Meter("m", "M1", bad),)
    known = fleet(installation(meters=(Meter("m", "M1", reading(0, 1000)),)))
    refused = [refresh(known, installation(meters=meters), seconds=900) for _ in range(2)]
    assert [[each.is_first for each in found] for found in refused] == [[True], [False]]
    assert take(known, bad, meter_id="m") == "duplicate"
    other = reading(960, 11)
    assert take(known, other, meter_id="m") == "rejected"
    [refusal] = refresh(known, installation(meters=(Meter("m", "M1", other),)), seconds=960)
    assert not refusal.is_first


def test_power_from_a_time_to_come_grows_old_from_its_arrival_on() -> None:
    known = fleet()
    refresh(known, installation(meters=(Meter("m", "M1", reading(20 * 3600, 1000)),)))
    assert POWER in values(known, STALE_AFTER)
    assert POWER not in values(known, STALE_AFTER + 1)


def test_energies_and_power_of_different_times_are_all_served() -> None:
    taken = meter_of(
        {"time": "2024-12-31T12:00:00Z", "obisCode": "1-0:1.8.0", "value": 1000, "unit": "Wh"},
        {"time": "2024-12-31T12:00:00Z", "obisCode": "1-0:2.8.0", "value": 7, "unit": "Wh"},
        {"time": "2024-12-31T12:00:10Z", "obisCode": "1-0:16.7.0", "value": 500, "unit": "W"},
    )
    assert taken.latest is not None
    seconds = taken.latest.time.timestamp() - NOW
    known = fleet()
    refresh(known, installation(meters=(taken,)), seconds=seconds)
    found = values(known, seconds)
    assert (found[ENERGY], found[POWER]) == (3_600_000, 500)
    assert found[f"iometer_energy_export_joules_total{M1}"] == 25_200


def meter_of(*registers: dict[str, Any]) -> Meter:
    """The meter M1 as the API sends it."""
    found = answers.meter(JsonObject({"id": "m", "number": "M1", "latestReadings": list(registers)}))
    assert found is not None
    return found


def test_a_meter_whose_clock_was_ahead_recovers() -> None:
    """Three hours ahead for one reading: not three hours without any other."""
    known = fleet(installation())
    take(known, reading(0, 1000))
    bad = received(reading(3 * 3600, 1001), delay=-3 * 3600 + 300)
    assert known.receive(bad, NOW + 300, 300.0) == ("accepted", "")
    results = [take(known, reading(900 * number, 1001 + number)) for number in range(1, 4)]
    assert results == ["rejected", "rejected", "accepted"]
    assert values(known, 2700)[TIMESTAMP] == NOW + 2700


def test_the_last_day_again_is_no_evidence_against_a_clock() -> None:
    known = fleet(installation(meters=(Meter("m", "M1", reading(0, 2000)),)))
    for number in range(10, 0, -1):
        seconds = -900 * number
        old = received(reading(seconds, 2000 - number), meter_id="m")
        assert known.receive(old, NOW, 1000.0 - 60 * number) == ("accepted", "")
    assert values(known)[TIMESTAMP] == NOW


def test_instantaneous_values_go_when_the_reading_is_old() -> None:
    known = fleet(installation())
    take(known, reading(0, 1000))
    assert POWER in values(known, STALE_AFTER)
    found = values(known, STALE_AFTER + 1)
    assert POWER not in found
    assert found[ENERGY] == 3_600_000
    take(known, reading(STALE_AFTER, 1001))
    assert POWER in values(known, STALE_AFTER + 1)


def test_stale_after_may_change() -> None:
    known = fleet(installation())
    take(known, reading(0, 1000))
    known.stale_after = 60.0
    assert POWER not in values(known, 61)
    known.stale_after = 0.0
    assert POWER in values(known, 10**6)


def test_a_meter_that_a_bridge_serves_is_left_out() -> None:
    known = fleet(installation("i1"), installation("i2", meters=(Meter("x", "M2", None),)))
    take(known, reading(0, 1000))
    before = lines(known)
    known.serve_locally(frozenset({"M1", "elsewhere"}))
    after = lines(known)
    assert {line for line in before if 'meter="M1"' not in line} == set(after)
    assert any('installation="i1"' in line for line in after)
    known.serve_locally(frozenset())
    assert lines(known) == before


def test_an_unchanged_set_of_local_meters_writes_nothing() -> None:
    known = fleet(installation())
    known.serve_locally(frozenset({"M1"}))
    lines(known)
    known.serve_locally(frozenset({"M1"}))
    known.serve_locally(frozenset({"M1", "of no installation"}))
    assert not known.store.pending


def test_only_the_own_shard_is_kept() -> None:
    ids = [f"i{number}" for number in range(40)]
    for number in (1, 2):
        known = Installations(limits=LIMITS, stale_after=STALE_AFTER, shard=(number, 2))
        refresh(known, *map(installation, ids))
        mine = [installation_id for installation_id in ids if in_shard(installation_id, (number, 2))]
        assert [one.id for one in known] == mine
        assert 10 < len(mine) < 30
        results = [take(known, reading(), id=installation_id) for installation_id in ids]
        assert results == ["accepted" if one in mine else None for one in ids]


def test_a_new_number_of_a_meter_is_shown() -> None:
    known = fleet(installation(meters=(Meter("m", "", reading(0, 1000, number="")),)))
    assert 'iometer_energy_import_joules_total{installation="i1",meter=""}' in values(known)
    refresh(known, installation(meters=(Meter("m", "M1", None),)))
    assert ENERGY in values(known)


def test_a_reading_with_a_time_zone_of_its_own() -> None:
    known = fleet(installation())
    taken = reading(0, 1000)
    moved = Reading(taken.meter, taken.time + timedelta(0), taken.registers)
    assert take(known, taken) == "accepted"
    assert take(known, moved) == "duplicate"
