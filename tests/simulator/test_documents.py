import json
import re
from itertools import pairwise

import pytest

from iometer_exporter.simulator import Fault, SimulatedBridge, Timing
from iometer_exporter.simulator import bridge as module
from iometer_exporter.simulator.registers import obis

from .conftest import Clock, stamp, values


def make(clock: Clock, *faults: str, **options: object) -> SimulatedBridge:
    return SimulatedBridge(faults=faults, clock=clock, **options)  # type: ignore[arg-type]


def after(clock: Clock, bridge: SimulatedBridge, seconds: float) -> dict[str, float]:
    clock.now += seconds
    return values(bridge.reading())


def test_reading_is_a_document_as_on_the_wire(clock: Clock) -> None:
    bridge = make(clock)
    clock.now += 60
    assert bridge.reading() == {
        "__typename": "iometer.reading.v1",
        "installationId": bridge.installation_id,
        "meter": {
            "number": bridge.meter,
            "reading": {
                "time": "2026-01-15T21:01:00Z",
                "registers": [
                    {"obis": "01-00:01.08.00*ff", "value": bridge.import_wh, "unit": "Wh"},
                    {"obis": "01-00:02.08.00*ff", "value": bridge.export_wh, "unit": "Wh"},
                    {"obis": "01-00:10.07.00*ff", "value": bridge.power_watts, "unit": "W"},
                ],
            },
        },
    }
    assert isinstance(bridge.power_watts, int)
    assert re.fullmatch(r"[0-9]{7,8}\.[0-9]", json.dumps(bridge.import_wh))


def test_status_is_a_document_as_on_the_wire(clock: Clock) -> None:
    bridge = make(clock)
    status = bridge.status()
    device = status["device"]
    core = device["core"]
    assert list(status) == ["__typename", "installationId", "meter", "device"]
    assert status["meter"] == {"number": bridge.meter}
    assert device["id"] == bridge.device_id
    assert -90 < device["bridge"]["rssi"] < -30
    assert -95 < core["rssi"] < -40
    assert 50 < core["batteryLevel"] <= 100
    assert {
        key: core[key] for key in ("connectionStatus", "powerStatus", "attachmentStatus", "pinStatus")
    } == {
        "connectionStatus": "connected",
        "powerStatus": "battery",
        "attachmentStatus": "attached",
        "pinStatus": "entered",
    }


def test_identity_depends_on_seed_and_number_alone(clock: Clock) -> None:
    def identity(seed: int, number: int) -> tuple[str, ...]:
        bridge = make(clock, seed=seed, number=number)
        return bridge.name, bridge.meter, bridge.device_id, bridge.installation_id

    assert identity(1, 1) == identity(1, 1)
    everyone = [identity(seed, number) for seed in (1, 2) for number in range(1, 200)]
    assert all(len(set(column)) == len(everyone) for column in zip(*everyone, strict=True))
    assert all(re.fullmatch("IOmeter-[0-9A-F]{6}", name) for name, *_ in everyone)
    assert all(re.fullmatch("1ISK00[0-9]{8}", meter) for _, meter, *_ in everyone)


def test_old_firmware_sends_no_installation_id(clock: Clock) -> None:
    bridge = make(clock, firmware="old")
    assert "installationId" not in bridge.reading()
    assert "installationId" not in bridge.status()


def test_readings_are_stamped_with_the_measuring_interval(clock: Clock) -> None:
    clock.now += 7.9
    bridge = make(clock, interval=15)
    shown = []
    for _ in range(40):
        shown.append((stamp(bridge.reading()), bridge.import_wh))
        clock.now += 1
    assert len(set(shown)) == 4
    assert all(time % 15 == 0 for time, _ in shown)


def test_battery_falls_slowly(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BATTERY_STEP", 600)
    bridge = make(clock)
    before = bridge.status()["device"]["core"]["batteryLevel"]
    clock.now += 3 * 600 + 10
    assert bridge.status()["device"]["core"]["batteryLevel"] == before - 3


def test_moment_can_be_given(clock: Clock) -> None:
    bridge = make(clock)
    assert stamp(bridge.reading(clock.now + 10)) == clock.now + 10
    assert bridge.status(clock.now + 10)["meter"]["number"] == bridge.meter


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.5", "http://127.0.0.5:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("fd00::2", "http://[fd00::2]:80"),
    ],
)
def test_url_can_be_opened(clock: Clock, host: str, url: str) -> None:
    bridge = make(clock)
    bridge.host, bridge.port = host, 80
    assert bridge.url == url


def test_no_meter(clock: Clock) -> None:
    assert "meter" not in make(clock, "no-meter").status()


@pytest.mark.parametrize("kind", ["disconnected", "detached"])
def test_reading_freezes_when_the_core_is_gone(clock: Clock, kind: Fault) -> None:
    bridge = make(clock)
    clock.now += 10
    bridge.faults.add(kind)
    frozen = bridge.reading()
    clock.now += 100
    bridge.status()
    assert bridge.reading() == frozen
    bridge.faults.clear()
    assert stamp(bridge.reading()) == clock.now


def test_core_gone_from_the_start_was_last_seen_then(clock: Clock) -> None:
    bridge = make(clock, "disconnected")
    began = clock.now
    clock.now += 100
    assert stamp(bridge.reading()) == began
    assert bridge.status()["device"]["core"] == {"connectionStatus": "disconnected"}


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("detached", "attachmentStatus", "detached"),
        ("pin-missing", "pinStatus", "missing"),
        ("battery-low", "batteryLevel", 7),
        ("wired", "powerStatus", "wired"),
    ],
)
def test_state_of_the_core(clock: Clock, kind: str, field: str, value: object) -> None:
    core = make(clock, kind).status()["device"]["core"]
    assert core[field] == value
    assert ("batteryLevel" in core) == (kind != "wired")


def test_pin_missing_gives_whole_kwh_and_no_power(clock: Clock) -> None:
    bridge = make(clock, "pin-missing")
    shown = values(bridge.reading())
    assert list(shown) == ["01.08.00", "02.08.00"]
    assert all(value % 1000 == 0 for value in shown.values())
    assert 0 <= bridge.import_wh - shown["01.08.00"] < 1000


def test_import_only_has_no_export_and_no_sun(clock: Clock) -> None:
    clock.now += 150 * 86400
    bridge = make(clock, "import-only")
    begun = bridge.export_wh
    for _ in range(24):
        assert set(after(clock, bridge, 3600)) == {"01.08.00", "10.07.00"}
        assert bridge.power_watts > 0
    assert bridge.export_wh == begun
    bridge.faults.clear()
    assert min(after(clock, bridge, 3600)["10.07.00"] for _ in range(24)) < 0


def test_tariffs_grow_in_turns_and_sum_to_the_total(clock: Clock) -> None:
    bridge = make(clock, "tariffs")
    seen = [after(clock, bridge, 3600) for _ in range(24)]
    for shown in seen:
        assert round((shown["01.08.01"] + shown["01.08.02"]) * 10) == round(shown["01.08.00"] * 10)
    grown = [
        tuple(code for code in ("01.08.01", "01.08.02") if later[code] > earlier[code])
        for earlier, later in pairwise(seen)
    ]
    # Hours with sun alone grow neither.
    assert set(grown) <= {(), ("01.08.01",), ("01.08.02",), ("01.08.01", "01.08.02")}
    assert 6 <= grown.count(("01.08.02",)) <= 9
    assert grown.count(("01.08.01", "01.08.02")) <= 2


def test_three_phase_sums_to_the_total(clock: Clock) -> None:
    shown = values(make(clock, "three-phase").reading())
    assert shown["24.07.00"] + shown["38.07.00"] + shown["4c.07.00"] == shown["10.07.00"]
    assert all(220 < shown[code] < 240 for code in ("20.07.00", "34.07.00", "48.07.00"))
    assert all(0 < shown[code] < 60 for code in ("1f.07.00", "33.07.00", "47.07.00"))
    assert 49.9 < shown["0e.07.00"] < 50.1


def test_phase_only_sends_the_total_as_the_first_phase(clock: Clock) -> None:
    bridge = make(clock, "phase-only")
    shown = values(bridge.reading())
    assert list(shown) == ["01.08.00", "02.08.00", "24.07.00"]
    assert shown["24.07.00"] == bridge.power_watts


def test_phase_only_beside_three_phases_leaves_out_the_total(clock: Clock) -> None:
    shown = values(make(clock, "phase-only", "three-phase").reading())
    assert "10.07.00" not in shown
    assert shown["24.07.00"] != 0


def test_replay_shows_true_readings_of_the_past(clock: Clock) -> None:
    bridge, witness = make(clock, "replay", "tariffs"), make(clock, "tariffs")
    began = clock.now
    truth = {}
    history: list[float] = []
    for second in range(1000):
        clock.now = began + second
        true, shown = witness.reading(), bridge.reading()
        truth[stamp(true)] = true
        if shown != true:
            history.append(stamp(shown))
            if stamp(shown) in truth:
                assert shown == truth[stamp(shown)]
    assert len(history) == 30
    for burst in (history[:15], history[15:]):
        assert burst == sorted(set(burst))
        assert burst[-1] - burst[0] == pytest.approx(840)
    assert max(history[15:]) < began + 920
    assert bridge.import_wh == witness.import_wh


def test_replay_spoils_no_later_reading(clock: Clock) -> None:
    bridge, witness = make(clock, "replay"), make(clock)
    for _ in range(20):
        clock.now += 3.0
        bridge.reading()
    assert bridge.reading() == witness.reading()


@pytest.mark.parametrize(("kind", "change"), [("decrease", -5000.0), ("spike", 429496729.5)])
def test_wrong_values_come_and_go(clock: Clock, kind: str, change: float) -> None:
    bridge = make(clock, kind)
    wrong: list[str] = []
    for _ in range(50):
        shown = after(clock, bridge, 5)
        off = {
            "01.08.00": round(shown["01.08.00"] - bridge.import_wh, 1),
            "02.08.00": round(shown["02.08.00"] - bridge.export_wh, 1),
        }
        assert set(off.values()) <= {0.0, change}
        wrong += [code for code, difference in off.items() if difference]
    assert wrong == ["02.08.00"] * 2 + ["01.08.00"] * 2


def test_a_lost_pin_comes_back(clock: Clock) -> None:
    bridge = make(clock, "pin-lost")
    lost = []
    for _ in range(20):
        shown = after(clock, bridge, 10)
        assert ("10.07.00" in shown) == (bridge.status()["device"]["core"]["pinStatus"] == "entered")
        lost.append("10.07.00" not in shown)
    assert lost == [False] * 2 + [True] * 6 + [False] * 12


def test_a_wrong_export_is_20_kwh_too_high_for_a_while(clock: Clock) -> None:
    bridge = make(clock, "wrong-export")
    off = [round(after(clock, bridge, 10)["02.08.00"] - bridge.export_wh, 1) for _ in range(6)]
    assert off == [0, 0, 20_000, 0, 0, 0]
    clock.now += 90
    assert bridge.reading()["meter"]["reading"]["registers"][0]["value"] == bridge.import_wh


def test_the_first_export_is_wrong_for_a_moment(clock: Clock) -> None:
    bridge = make(clock, "wrong-first")
    assert values(bridge.reading())["02.08.00"] == 99_999_000
    assert after(clock, bridge, 10)["02.08.00"] == bridge.export_wh


@pytest.mark.parametrize("kind", ["wrong-export", "wrong-first"])
def test_a_meter_without_export_has_no_wrong_one(clock: Clock, kind: Fault) -> None:
    bridge = make(clock, kind, "import-only")
    bridge.timing = Timing.at_once()
    assert values(bridge.reading()) == values(make(clock, "import-only").reading())


def test_a_clock_that_is_a_day_ahead(clock: Clock) -> None:
    bridge = make(clock, "clock-ahead")
    assert stamp(bridge.reading()) == clock.now + 86_400
    assert bridge.import_wh == make(clock).import_wh


def test_only_the_status_names_the_meter(clock: Clock) -> None:
    bridge = make(clock, "meter-in-status")
    assert "number" not in bridge.reading()["meter"]
    assert bridge.status()["meter"]["number"] == bridge.meter


def test_export_that_is_zero_cannot_decrease(clock: Clock) -> None:
    bridge = make(clock, "decrease", number=4)
    shown = after(clock, bridge, 30)
    assert shown["02.08.00"] == bridge.export_wh == 0
    assert shown["01.08.00"] == pytest.approx(bridge.import_wh - 5000)


def test_reset_meter_starts_again_at_zero_once(clock: Clock) -> None:
    bridge = make(clock, "reset-meter", "tariffs")
    before = after(clock, bridge, 59)
    assert before["01.08.00"] > 1_000_000
    clock.now += 6
    reading = bridge.reading()
    assert reading["meter"]["number"] == bridge.meter
    assert all(values(reading)[code] < 20 for code in ("01.08.00", "01.08.01", "01.08.02", "02.08.00"))
    assert after(clock, bridge, 3600)["01.08.00"] == bridge.import_wh > 20
    bridge.faults.discard("reset-meter")
    assert after(clock, bridge, 60)["01.08.00"] > 20
    bridge.faults.add("reset-meter")
    assert after(clock, bridge, 1)["01.08.00"] < 20


def test_clock_set_back_does_not_turn_the_meter_back(clock: Clock) -> None:
    bridge = make(clock)
    before = after(clock, bridge, 100)
    assert after(clock, bridge, -50) == before


@pytest.mark.parametrize(
    ("code", "wire"), [("1.8.0", "01.08.00"), ("76.7.0", "4c.07.00"), ("1.8.2", "01.08.02")]
)
def test_codes_are_hexadecimal(code: str, wire: str) -> None:
    assert obis(code) == f"01-00:{wire}*ff"
