import math
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iometer_exporter.meter import quantities
from iometer_exporter.meter.models import Reading, Register
from iometer_exporter.meter.obis import ObisCode

ALL_POWERS = {
    "1-0:16.7.0": "-250 W",
    "1-0:1.7.0": "500 W",
    "1-0:2.7.0": "200 W",
    "1-0:36.7.0": "100 W",
    "1-0:56.7.0": "-20 W",
    "1-0:76.7.0": "3.5 W",
}


def reading(registers: dict[str, str]) -> Reading:
    parsed = {}
    for text, sent in registers.items():
        code = ObisCode.parse(text)
        value, _, unit = sent.partition(" ")
        parsed[code] = Register(code, Decimal(value), unit)
    return Reading("1ISK", datetime(2024, 11, 11, tzinfo=UTC), parsed)


def energies(registers: dict[str, str]) -> dict[str, Decimal]:
    return {str(code): value for code, value in quantities.energies(reading(registers)).items()}


@pytest.mark.parametrize(
    ("codes", "watts"),
    [
        (("16.7.0", "1.7.0", "2.7.0", "36.7.0", "56.7.0", "76.7.0"), -250.0),
        (("16.7.0",), -250.0),
        (("1.7.0", "2.7.0", "36.7.0", "56.7.0", "76.7.0"), 300.0),
        (("1.7.0", "2.7.0"), 300.0),
        (("1.7.0", "36.7.0", "56.7.0", "76.7.0"), 83.5),
        (("2.7.0", "36.7.0", "56.7.0", "76.7.0"), 83.5),
        (("36.7.0", "56.7.0", "76.7.0"), 83.5),
        (("36.7.0",), 100.0),
        (("36.7.0", "56.7.0"), None),
        (("36.7.0", "76.7.0"), None),
        (("56.7.0", "76.7.0"), None),
        (("56.7.0",), None),
        (("1.7.0",), None),
        (("2.7.0",), None),
        (("1.7.0", "36.7.0"), None),
        ((), None),
    ],
)
def test_power_comes_from_the_best_registers_that_the_meter_has(
    codes: tuple[str, ...], watts: float | None
) -> None:
    sent = {f"1-0:{code}": ALL_POWERS[f"1-0:{code}"] for code in codes}
    assert quantities.power(reading(sent)) == watts


def test_a_total_in_a_unit_that_is_no_power_gives_way_to_the_next_source() -> None:
    assert quantities.power(reading(ALL_POWERS | {"1-0:16.7.0": "-250 Wh"})) == 300.0


def test_a_phase_in_a_unit_that_is_no_power_leaves_the_sum_unknown() -> None:
    sent = {"1-0:36.7.0": "100 W", "1-0:56.7.0": "1 V", "1-0:76.7.0": "3 W"}
    assert quantities.power(reading(sent)) is None


def test_a_meter_that_tells_nothing_of_phases_has_none() -> None:
    sent = {"1-0:1.8.0": "1 Wh", "1-0:16.7.0": "2 W", "1-0:14.7.0": "50 Hz"}
    assert list(quantities.phases(reading(sent))) == []
    for code in ("36", "52", "71"):
        assert len(list(quantities.phases(reading(sent | {f"1-0:{code}.7.0": "1 A"})))) == 3


def test_the_phase_that_stands_in_for_the_total_is_no_phase_power_as_well() -> None:
    (first, *_) = quantities.phases(reading({"1-0:36.7.0": "100 W", "1-0:32.7.0": "230.1 V"}))
    assert (first.name, first.power, first.voltage, first.current) == ("L1", None, 230.1, None)


@pytest.mark.parametrize("other", ["1-0:16.7.0", "1-0:1.7.0", "1-0:2.7.0", "1-0:56.7.0", "1-0:76.7.0"])
def test_beside_any_other_power_36_7_0_is_the_power_of_its_phase(other: str) -> None:
    (first, *_) = quantities.phases(reading({"1-0:36.7.0": "100 W", other: "1 W"}))
    assert first.power == 100.0


def test_each_phase_has_its_own_power_voltage_and_current() -> None:
    sent = {
        "1-0:36.7.0": "1 kW",
        "1-0:56.7.0": "-2 W",
        "1-0:76.7.0": "3500 mW",
        "1-0:32.7.0": "230.1 V",
        "1-0:52.7.0": "0.2299 kV",
        "1-0:72.7.0": "231400 mV",
        "1-0:31.7.0": "5.22 A",
        "1-0:51.7.0": "0.001 kA",
        "1-0:71.7.0": "430 mA",
    }
    found = [(p.name, p.power, p.voltage, p.current) for p in quantities.phases(reading(sent))]
    assert found == [
        ("L1", 1000.0, 230.1, 5.22),
        ("L2", -2.0, 229.9, 1.0),
        ("L3", 3.5, 231.4, 0.43),
    ]


@pytest.mark.parametrize(
    ("sent", "hertz"), [("49.98 Hz", 49.98), ("50010 mHz", 50.01), ("50 W", None), ("50 ", None)]
)
def test_frequency_is_in_hertz(sent: str, hertz: float | None) -> None:
    assert quantities.frequency(reading({"1-0:14.7.0": sent})) == hertz


@pytest.mark.parametrize(
    ("sent", "joules"),
    [
        ("12345678.9 Wh", "44444444040"),
        ("12345678.9012 Wh", "44444444044.32"),
        ("12345.6789 kWh", "44444444040"),
        ("12345.6788 kWh", "44444443680"),
        ("0.0001 kWh", "360"),
        ("1.5 MWh", "5400000000"),
        ("7 J", "7"),
        ("7.5 Ws", "7.5"),
        ("0 Wh", "0"),
    ],
)
def test_energies_are_converted_exactly_by_the_unit_of_the_register(sent: str, joules: str) -> None:
    assert energies({"1-0:1.8.0": sent}) == {"1-0:1.8.0": Decimal(joules)}


def test_energies_are_the_totals_and_tariffs_only() -> None:
    sent = {
        "1-0:1.8.0": "3 Wh",
        "1-0:2.8.0": "1 Wh",
        "1-0:1.8.1": "2 Wh",
        "1-0:2.8.2": "1 Wh",
        "1-0:3.8.0": "9 Wh",
        "1-0:1.8.0*1": "9 Wh",
        "1-0:16.7.0": "9 W",
    }
    assert energies(sent) == {
        "1-0:1.8.0": 10800,
        "1-0:2.8.0": 3600,
        "1-0:1.8.1": 7200,
        "1-0:2.8.2": 3600,
    }


@pytest.mark.parametrize(
    "sent",
    ["-0.1 Wh", "-5 kWh", "278000000000000 Wh", "1e300 MWh", "5 W", "5 varh", "5 wh", "5 ", "5 KWH"],
)
def test_a_counter_that_no_meter_shows_is_left_out(sent: str) -> None:
    assert energies({"1-0:1.8.0": sent, "1-0:2.8.0": "1 Wh"}) == {"1-0:2.8.0": 3600}


def test_a_value_that_overflows_in_the_base_unit_is_unknown() -> None:
    registers = {"1-0:16.7.0": "1e307 MW", "1-0:32.7.0": "-1e306 kV", "1-0:14.7.0": "1e308 Hz"}
    sent = reading(registers)
    (first, *_) = quantities.phases(sent)
    assert quantities.power(sent) is None
    assert first.voltage is None
    assert quantities.frequency(sent) == 1e308


units = st.sampled_from(["Wh", "kWh", "J", "W", "kW", "MW", "V", "kV", "A", "kA", "Hz", "mHz", ""])
values = st.decimals(allow_nan=False, allow_infinity=False).filter(lambda value: math.isfinite(float(value)))
codes = st.sampled_from([*ALL_POWERS, "1-0:1.8.0", "1-0:1.8.1", "1-0:32.7.0", "1-0:31.7.0", "1-0:14.7.0"])


@pytest.mark.no_cover
@given(st.dictionaries(codes, st.tuples(values, units)))
def test_every_quantity_of_any_reading_is_finite_or_unknown(
    registers: dict[str, tuple[Decimal, str]],
) -> None:
    sent = reading({code: f"{value} {unit}" for code, (value, unit) in registers.items()})
    found = [quantities.power(sent), quantities.frequency(sent)]
    for phase in quantities.phases(sent):
        found += [phase.power, phase.voltage, phase.current]
    assert all(value is None or math.isfinite(value) for value in found)
    assert all(0 <= joules < 10**18 for joules in quantities.energies(sent).values())


def resolutions(registers: dict[str, str]) -> dict[str, Decimal]:
    sent = reading(registers)
    found = quantities.resolutions(sent, quantities.energies(sent))
    return {str(code): value for code, value in found.items()}


@pytest.mark.parametrize(
    ("sent", "joules"),
    [
        ("1234.5 Wh", "360"),
        ("1234.56 Wh", "36"),
        ("1234 Wh", "3600"),
        ("1234.5678 kWh", "360"),
        ("12.5 kWh", "360000"),
        ("1.001 MWh", "3600000"),
        ("1.0010 MWh", "360000"),
        ("5 J", "1"),
        ("5.25 Ws", "0.01"),
        ("5E+2 Wh", "360000"),
        ("5E+4 J", "10000"),
        ("5E+8 Ws", "3600000"),
        # What no meter shows does no harm.
        ("1E-40 Wh", "0.0000036"),
        ("0E-999999999 J", "1E-9"),
        ("0E+999999999 J", "3600000"),
    ],
)
def test_a_counter_counts_in_its_last_digit_and_in_one_kwh_at_most(sent: str, joules: str) -> None:
    # The power tells that it is no meter without its PIN.
    assert resolutions({"1-0:1.8.0": sent, "1-0:16.7.0": "5 W"}) == {"1-0:1.8.0": Decimal(joules)}


@pytest.mark.parametrize(
    ("others", "is_coarse"),
    [
        ({}, True),
        ({"1-0:2.8.0": "5000 Wh"}, True),
        ({"1-0:2.8.0": "5000.5 Wh"}, False),
        ({"1-0:2.8.0": "0 kWh"}, True),
        ({"1-0:16.7.0": "0 W"}, False),
        ({"1-0:36.7.0": "7 W"}, False),
        ({"1-0:16.7.0": "0 V"}, True),
    ],
)
def test_whole_kwh_and_no_power_are_what_a_meter_without_its_pin_shows(
    others: dict[str, str], is_coarse: bool
) -> None:
    registers = {"1-0:1.8.0": "12345000.00 Wh", **others}
    sent = reading(registers)
    assert quantities.is_coarse(sent, quantities.energies(sent)) is is_coarse
    found = resolutions(registers)
    assert found["1-0:1.8.0"] == (3_600_000 if is_coarse else 36)
    assert found.keys() == {code for code in registers if ".8." in code}


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [("2", "J", "2"), ("2", "Wh", "7200"), ("0.5", "kWh", "1800000"), ("2", "W", None), ("2", "", None)],
)
def test_the_energy_of_one_register_is_in_joules(value: str, unit: str, expected: str | None) -> None:
    register = Register(ObisCode.parse("1-0:1.8.0"), Decimal(value), unit)
    assert quantities.joules(register) == (None if expected is None else Decimal(expected))


@pytest.mark.parametrize(("sent", "watts"), [("2 MW", 2e6), ("2 kW", 2e3), ("2 mW", 2e-3), ("2 mw", None)])
def test_power_is_in_watts(sent: str, watts: float | None) -> None:
    assert quantities.power(reading({"1-0:16.7.0": sent})) == watts


def test_the_largest_counter_is_none() -> None:
    largest = quantities.LARGEST_COUNTER_JOULES
    assert energies({"1-0:1.8.0": f"{largest} J", "1-0:2.8.0": f"{largest - 1} J"}) == {
        "1-0:2.8.0": Decimal(largest - 1)
    }
