import os
import platform
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import inf
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from iometer_exporter import __version__
from iometer_exporter.bridges import samples as samples_module
from iometer_exporter.bridges.samples import add_bridges
from iometer_exporter.bridges.snapshot import Snapshot, StreamState
from iometer_exporter.errors import REASONS, FetchError, Reason
from iometer_exporter.exporter import exporter_samples
from iometer_exporter.meter.guard import REJECTIONS, Guard, Limits
from iometer_exporter.meter.models import ENDPOINTS, Endpoint, Reading, Register, Status
from iometer_exporter.meter.obis import ObisCode
from iometer_exporter.meter.quantities import energies
from iometer_exporter.metrics.exposition import OPENMETRICS, TEXT, render
from iometer_exporter.metrics.families import (
    CORE_STATES,
    COUNTERS,
    FAMILIES,
    INSTANTANEOUS,
    READING_TIMESTAMP,
    Distribution,
    Family,
    core_states,
    counters,
    instantaneous,
)
from iometer_exporter.metrics.lines import Heads, Lines
from tests import payloads

READ_AT: Final = datetime(2024, 11, 11, 11, 11, tzinfo=UTC).timestamp()
STALE_AFTER: Final = 1200.0

CONTRACT: Final = {
    "iometer_up": ("gauge", "bridge"),
    "iometer_endpoint_up": ("gauge", "bridge endpoint"),
    "iometer_scrape_duration_seconds": ("gauge", "bridge endpoint"),
    "iometer_scrape_errors_total": ("counter", "bridge endpoint reason"),
    "iometer_stream_up": ("gauge", "bridge endpoint"),
    "iometer_stream_events_total": ("counter", "bridge endpoint"),
    "iometer_stream_reconnects_total": ("counter", "bridge endpoint"),
    "iometer_energy_import_joules_total": ("counter", "bridge meter"),
    "iometer_energy_export_joules_total": ("counter", "bridge meter"),
    "iometer_tariff_energy_import_joules_total": ("counter", "bridge meter tariff"),
    "iometer_tariff_energy_export_joules_total": ("counter", "bridge meter tariff"),
    "iometer_power_watts": ("gauge", "bridge meter"),
    "iometer_phase_power_watts": ("gauge", "bridge meter phase"),
    "iometer_phase_voltage_volts": ("gauge", "bridge meter phase"),
    "iometer_phase_current_amperes": ("gauge", "bridge meter phase"),
    "iometer_frequency_hertz": ("gauge", "bridge meter"),
    "iometer_power_distribution_watts": ("histogram", "bridge meter"),
    "iometer_register": ("gauge", "bridge meter obis unit"),
    "iometer_reading_timestamp_seconds": ("gauge", "bridge meter"),
    "iometer_readings_rejected_total": ("counter", "bridge reason"),
    "iometer_bridge_rssi_dbm": ("gauge", "bridge meter"),
    "iometer_core_rssi_dbm": ("gauge", "bridge meter"),
    "iometer_core_connected": ("gauge", "bridge meter"),
    "iometer_core_attached": ("gauge", "bridge meter"),
    "iometer_core_battery_ratio": ("gauge", "bridge meter"),
    "iometer_core_power_status": ("gauge", "bridge meter status"),
    "iometer_core_pin_status": ("gauge", "bridge meter status"),
    "iometer_bridge_info": (
        "gauge",
        "bridge meter device_id installation_id bridge_version core_version",
    ),
    "iometer_bridges": ("gauge", "source"),
    "iometer_discovery_limited": ("gauge", ""),
    "iometer_exporter_build_info": ("gauge", "version python_version"),
    "iometer_config_last_reload_successful": ("gauge", ""),
    "iometer_config_last_reload_success_timestamp_seconds": ("gauge", ""),
}


def snapshot_of(case: str) -> Snapshot:
    sent, status = payloads.reading(case), payloads.status(case)
    judgement = Guard(Limits(100_000.0, 600.0)).judge(sent, 0.0)
    errors: dict[tuple[Endpoint, Reason], int] = {}
    for endpoint, document in (("reading", sent), ("status", status)):
        if document.problems:
            errors[endpoint, "invalid_document"] = len(document.problems)  # type: ignore[index]
    return Snapshot(
        bridge="house",
        address="192.168.1.50",
        source="configured",
        meter=status.meter or sent.meter,
        reading=judgement.served,
        energies=judgement.energies,
        sent=sent,
        status=status,
        durations={"reading": 0.125, "status": 0.0625},
        failures={},
        errors=errors,
        rejected={},
    )


def down() -> Snapshot:
    return replace(
        snapshot_of("battery"),
        meter="",
        reading=None,
        energies={},
        sent=None,
        status=None,
        failures={endpoint: FetchError("timeout", "too slow") for endpoint in ENDPOINTS},
        errors={("reading", "timeout"): 2, ("status", "timeout"): 1},
        rejected={"replayed": 3},
    )


def streamed() -> Snapshot:
    """A bridge whose readings are streamed, and whose status is fetched."""
    return replace(
        snapshot_of("battery"),
        streams={"reading": StreamState(True, 86400, 2), "status": StreamState(False, 7, 1)},
        powers=("1ISK0000000000", Distribution((-500.0, 0.0, 500.5, inf), (1, 3, 86000, 86399), 1.5)),
        durations={"reading": 0.0, "status": 0.0625},
    )


WHOLE: Final = {"down": down, "streamed": streamed}
"""Cases that no payload gives."""


def case_of(name: str) -> Snapshot:
    return WHOLE[name]() if name in WHOLE else snapshot_of(name)


def text_of(*snapshots: Snapshot, age: float = 5.0, stale_after: float = STALE_AFTER) -> str:
    lines = Lines()
    add_bridges(lines, snapshots, now=READ_AT + age, stale_after=stale_after)
    return render([lines], TEXT).decode()


def exporter_lines(**changes: Any) -> Lines:
    given: dict[str, Any] = {
        "bridges": {"configured": 2},
        "reload_successful": True,
        "reload_timestamp": 1731323460.25,
    }
    lines = Lines()
    lines.add([((), exporter_samples(**given | changes))])
    return lines


def samples(text: str) -> dict[str, float]:
    """Values by sample as written, comments left out."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def values_of(text: str, name: str) -> dict[str, float]:
    return {key: value for key, value in samples(text).items() if key.partition("{")[0] == name}


def value_of(text: str, name: str) -> float | None:
    (value,) = values_of(text, name).values() or (None,)
    return value


def all_samples(families: list[Metric]) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    return [
        (sample.name, tuple(sorted(sample.labels.items())))
        for family in families
        for sample in family.samples
    ]


def parsed_strictly(text: bytes) -> list[Metric]:
    return list(parse_openmetrics(text.decode()))  # type: ignore[no-untyped-call]


def test_the_table_of_families_is_that_of_the_contract() -> None:
    table = {family.name: (family.type, " ".join(family.labels)) for family in FAMILIES}
    assert table == CONTRACT, "a family is in FAMILIES or in CONTRACT of this file, and not in the other"
    assert [family.name for family in FAMILIES] == list(CONTRACT)


@pytest.mark.parametrize("name", ["bridge", "meter"])
def test_every_series_of_a_bridge_or_its_meter_says_which(name: str) -> None:
    own = ("iometer_bridges", "iometer_discovery_", "iometer_exporter_", "iometer_config_")
    of_bridge = {family.name for family in FAMILIES if not family.name.startswith(own)}
    without_meter = {
        "iometer_up",
        "iometer_endpoint_up",
        "iometer_scrape_duration_seconds",
        "iometer_scrape_errors_total",
        "iometer_stream_up",
        "iometer_stream_events_total",
        "iometer_stream_reconnects_total",
        "iometer_readings_rejected_total",
    }
    expected = of_bridge - without_meter if name == "meter" else of_bridge
    assert {family.name for family in FAMILIES if name in family.labels} == expected


@pytest.mark.parametrize("case", [*payloads.CASES, *WHOLE])
def test_the_whole_text_of_each_case(case: str) -> None:
    text = text_of(case_of(case))
    golden = payloads.FIXTURES / "golden" / f"{case}.prom"
    if os.environ.get("REGENERATE_GOLDEN") == "1":
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8"), (
        "if the change is wanted, run REGENERATE_GOLDEN=1 python -m pytest tests/metrics/test_families.py"
    )


def test_there_is_no_golden_text_without_its_case() -> None:
    found = {Path(file).stem for file in (payloads.FIXTURES / "golden").iterdir()}
    assert found == {*payloads.CASES, *WHOLE}


def test_the_exporters_own_families() -> None:
    lines = render([exporter_lines()], TEXT).decode().splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        'iometer_bridges{source="configured"} 2.0',
        'iometer_bridges{source="discovered"} 0.0',
        "iometer_discovery_limited 0.0",
        f'iometer_exporter_build_info{{python_version="{platform.python_version()}",'
        f'version="{__version__}"}} 1.0',
        "iometer_config_last_reload_successful 1.0",
        "iometer_config_last_reload_success_timestamp_seconds 1.73132346025e+09",
    ]


def test_a_failed_reload_and_a_limited_discovery_show() -> None:
    text = render([exporter_lines(limited=True, reload_successful=False)], TEXT).decode()
    assert value_of(text, "iometer_config_last_reload_successful") == 0.0
    assert value_of(text, "iometer_discovery_limited") == 1.0


def test_both_official_parsers_read_every_case_and_agree() -> None:
    for snapshot in map(case_of, (*payloads.CASES, *WHOLE)):
        lines = exporter_lines()
        add_bridges(lines, [snapshot], now=READ_AT, stale_after=STALE_AFTER)
        text = list(parse_text(render([lines], TEXT).decode()))
        strict = parsed_strictly(render([lines], OPENMETRICS))
        assert all_samples(text) == all_samples(strict)
        assert [family.documentation for family in text] == [family.documentation for family in strict]
        for family in text:
            assert {family.name, f"{family.name}_total"} & CONTRACT.keys()


def test_12345678_9_wh_are_exactly_44444444040_j() -> None:
    text = text_of(snapshot_of("import-only"))
    assert value_of(text, "iometer_energy_import_joules_total") == 44444444040.0
    assert (
        'iometer_energy_import_joules_total{bridge="house",meter="1ISK0000000000"} 4.444444404e+10\n' in text
    )


def test_what_the_meter_does_not_have_is_absent() -> None:
    text = text_of(snapshot_of("import-only"))
    assert values_of(text, "iometer_energy_export_joules_total") == {}
    assert "iometer_phase_power_watts" not in text
    assert "iometer_frequency_hertz" not in text
    assert "NaN" not in text


def test_a_bridge_that_is_down_shows_nothing_of_its_meter() -> None:
    text = text_of(down())
    assert value_of(text, "iometer_up") == 0.0
    assert {name.partition("{")[0] for name in samples(text)} == {
        "iometer_up",
        "iometer_endpoint_up",
        "iometer_scrape_duration_seconds",
        "iometer_scrape_errors_total",
        "iometer_readings_rejected_total",
    }
    assert values_of(text, "iometer_scrape_errors_total").keys() == {
        f'iometer_scrape_errors_total{{bridge="house",endpoint="{endpoint}",reason="{reason}"}}'
        for endpoint in ENDPOINTS
        for reason in REASONS
    }


@pytest.mark.parametrize("missing", ENDPOINTS)
def test_one_endpoint_is_enough_for_a_bridge_to_be_up(missing: Endpoint) -> None:
    whole = snapshot_of("battery")
    failures: dict[Endpoint, FetchError] = {missing: FetchError("no_data", "404")}
    if missing == "reading":
        partial = replace(whole, reading=None, sent=None, failures=failures)
    else:
        partial = replace(whole, status=None, failures=failures)
    text = text_of(partial)
    assert value_of(text, "iometer_up") == 1.0
    assert values_of(text, "iometer_endpoint_up") == {
        f'iometer_endpoint_up{{bridge="house",endpoint="{endpoint}"}}': float(endpoint != missing)
        for endpoint in ENDPOINTS
    }
    assert bool(values_of(text, "iometer_power_watts")) is (missing == "status")
    assert bool(values_of(text, "iometer_bridge_info")) is (missing == "reading")


@pytest.mark.parametrize("case", ["three-phase", "battery", "phase-only"])
def test_a_stale_reading_leaves_out_the_instantaneous_gauges_only(case: str) -> None:
    snapshot = snapshot_of(case)
    fresh, stale = (samples(text_of(snapshot, age=age)) for age in (STALE_AFTER, STALE_AFTER + 0.001))
    assert stale == {
        name: value
        for name, value in fresh.items()
        if name.partition("{")[0] not in {family.name for family in INSTANTANEOUS}
    }
    assert stale != fresh


def test_with_stale_after_0_no_reading_is_ever_stale() -> None:
    snapshot = snapshot_of("three-phase")
    assert text_of(snapshot, age=1e9, stale_after=0.0) == text_of(snapshot)


def test_a_reading_of_the_future_is_not_stale() -> None:
    snapshot = snapshot_of("three-phase")
    assert text_of(snapshot, age=-1e9) == text_of(snapshot)


def test_registers_show_what_was_sent_while_the_rest_shows_what_was_served() -> None:
    whole = snapshot_of("import-only")
    assert whole.sent is not None
    code = ObisCode.parse("1-0:1.8.0")
    lower = whole.sent._replace(registers={code: Register(code, Decimal(5), "Wh")})
    text = text_of(replace(whole, sent=lower, rejected={"decreased": 4}))
    assert value_of(text, "iometer_energy_import_joules_total") == 44444444040.0
    assert values_of(text, "iometer_register") == {
        'iometer_register{bridge="house",meter="1ISK0000000000",obis="1-0:1.8.0",unit="Wh"}': 5.0
    }
    assert values_of(text, "iometer_readings_rejected_total") == {
        f'iometer_readings_rejected_total{{bridge="house",reason="{reason}"}}': count
        for reason, count in (("replayed", 0.0), ("decreased", 4.0), ("implausible", 0.0))
    }


def test_a_state_of_tomorrow_gets_a_sample_of_its_own() -> None:
    text = text_of(snapshot_of("unknown-fields-and-states"))
    labels = 'bridge="house",meter="1ISK0000000000"'
    assert values_of(text, "iometer_core_power_status") == {
        f'iometer_core_power_status{{{labels},status="{state}"}}': float(state == "solar")
        for state in ("battery", "wired", "solar")
    }
    assert values_of(text, "iometer_core_pin_status") == {
        f'iometer_core_pin_status{{{labels},status="{state}"}}': float(state == "locked")
        for state in ("entered", "pending", "missing", "locked")
    }
    assert values_of(text, "iometer_core_connected") == values_of(text, "iometer_core_attached") == {}


def test_a_time_keeps_its_fraction() -> None:
    whole = snapshot_of("battery")
    assert whole.reading is not None
    later = whole.reading._replace(time=whole.reading.time + timedelta(milliseconds=250))
    text = text_of(replace(whole, reading=later))
    assert value_of(text, "iometer_reading_timestamp_seconds") == READ_AT + 0.25


def test_two_bridges_share_each_family() -> None:
    text = text_of(snapshot_of("battery"), replace(snapshot_of("wired"), bridge="barn"))
    assert text.count("# TYPE iometer_power_watts gauge") == 1
    assert len(values_of(text, "iometer_power_watts")) == 2


def test_label_values_are_escaped() -> None:
    odd = 'a"b\\c'
    families = parse_text(text_of(replace(down(), bridge=odd)))
    assert {sample.labels["bridge"] for family in families for sample in family.samples} == {odd}


names = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=8)
states = st.none() | st.sampled_from(["battery", "wired", "entered", "missing", "connected"]) | names
codes = st.sampled_from([
    *(f"1-0:{c}.{d}.{e}" for c, d in ((1, 8), (2, 8)) for e in range(4)),
    *(f"1-0:{c}.7.0" for c in (1, 2, 14, 16, 31, 32, 36, 51, 52, 56, 71, 72, 76)),
    "1-0:1.8.0*1",
    "0-0:96.1.0",
]).map(ObisCode.parse)  # fmt: skip
finite = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def readings(draw: st.DrawFn) -> Reading:
    registers = draw(
        st.dictionaries(
            codes,
            st.tuples(
                finite.map(lambda value: Decimal(str(value))),
                st.sampled_from(["Wh", "kWh", "W", "V", "A", ""]),
            ),
        )
    )
    return Reading(
        meter=draw(names),
        time=draw(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30))).replace(
            tzinfo=UTC
        ),
        registers={code: Register(code, value, unit) for code, (value, unit) in registers.items()},
    )


statuses = st.builds(
    Status,
    meter=names,
    device_id=names,
    installation_id=names,
    bridge_version=names,
    core_version=names,
    bridge_rssi=st.none() | finite,
    core_rssi=st.none() | finite,
    connection=states,
    attachment=states,
    power=states,
    pin=states,
    battery_ratio=st.none() | st.floats(0, 1),
)

snapshots = st.builds(
    Snapshot,
    bridge=names,
    address=st.just("192.168.1.50"),
    source=st.sampled_from(["configured", "discovered"]),
    meter=names,
    reading=st.none() | readings(),
    energies=st.just({}),
    sent=st.none() | readings(),
    status=st.none() | statuses,
    durations=st.fixed_dictionaries({"reading": st.floats(0, 60), "status": st.floats(0, 60)}),
    failures=st.dictionaries(
        st.sampled_from(ENDPOINTS), st.sampled_from(REASONS).map(lambda reason: FetchError(reason, "failed"))
    ),
    errors=st.dictionaries(
        st.tuples(st.sampled_from(ENDPOINTS), st.sampled_from(REASONS)), st.integers(0, 9)
    ),
    rejected=st.dictionaries(st.sampled_from(REJECTIONS), st.integers(0, 9)),
).map(lambda found: replace(found, energies=energies(found.reading) if found.reading else {}))


@pytest.mark.no_cover
@given(
    st.lists(snapshots, max_size=4, unique_by=lambda snapshot: snapshot.bridge),
    finite,
    st.sampled_from([0.0, STALE_AFTER]),
)
def test_any_snapshots_give_a_text_without_duplicates_that_both_parsers_read(
    bridges: list[Snapshot], now: float, stale_after: float
) -> None:
    lines = exporter_lines()
    add_bridges(lines, bridges, now=now, stale_after=stale_after)
    text = render([lines], TEXT).decode()
    assert "NaN" not in text.replace("\n", " ").split()
    found = all_samples(list(parse_text(text)))
    assert [sample for sample, count in Counter(found).items() if count > 1] == []
    strict = all_samples(parsed_strictly(render([lines], OPENMETRICS)))
    assert Counter(strict) == Counter(found)


def test_power_of_a_clock_that_is_ahead_is_left_out_once_nobody_renews_it() -> None:
    """By its time the reading is never old."""
    seen = {seconds: replace(snapshot_of("battery"), seen_for=seconds) for seconds in (1200.0, 1200.1)}
    assert "iometer_power_watts" in text_of(seen[1200.0], age=-86_400)
    assert "iometer_power_watts" not in text_of(seen[1200.1], age=-86_400)
    assert "iometer_energy_import_joules_total" in text_of(seen[1200.1], age=-86_400)
    assert "iometer_power_watts" in text_of(seen[1200.1], age=-86_400, stale_after=0)


def test_of_a_reading_that_is_held_back_all_but_the_counters_is_served() -> None:
    whole = text_of(snapshot_of("tariffs"))
    held = text_of(replace(snapshot_of("tariffs"), is_held=True))
    missing = set(whole.splitlines()) - set(held.splitlines())
    assert {line.split("{")[0] for line in missing if not line.startswith("#")} == {
        "iometer_energy_import_joules_total",
        "iometer_energy_export_joules_total",
        "iometer_tariff_energy_import_joules_total",
        "iometer_tariff_energy_export_joules_total",
    }
    assert set(held.splitlines()) <= set(whole.splitlines())


def test_a_sample_of_a_family_outside_the_table_is_a_fault() -> None:
    stranger = Family("iometer_stranger", "gauge", (), "Not in the table.")
    for value in (1.0, None):
        with pytest.raises(KeyError):
            Lines().add([((), [(stranger, (), value)])])


def test_what_a_reading_and_a_core_give_is_in_its_group() -> None:
    """The provider's page and its backfill are made of these groups."""
    given: dict[str, set[Family]] = {"counters": set(), "instantaneous": set(), "core": set()}
    for case in payloads.CASES:
        reading, status = payloads.reading(case), payloads.status(case)
        given["counters"] |= {family for family, _, _ in counters(energies(reading), reading.time)}
        given["instantaneous"] |= {family for family, _, _ in instantaneous(reading)}
        given["core"] |= {
            family
            for family, _, _ in core_states(
                connection=status.connection,
                attachment=status.attachment,
                power=status.power,
                pin=status.pin,
                battery_ratio=status.battery_ratio,
            )
        }
    groups = {
        "counters": {*COUNTERS, READING_TIMESTAMP},
        "instantaneous": set(INSTANTANEOUS),
        "core": set(CORE_STATES),
    }
    for group, families in groups.items():
        odd = ", ".join(sorted(family.name for family in given[group] ^ families))
        assert given[group] == families, f"{odd}: given and not in its group, or in it and in no payload"


def followed() -> Snapshot:
    """A bridge both of whose documents are streamed, as it keeps lines from scrape to scrape."""
    up = dict.fromkeys(ENDPOINTS, StreamState(True, 86400, 2))
    return replace(streamed(), streams=up, durations=dict.fromkeys(ENDPOINTS, 0.0), edition=1, heads=Heads())


CHANGES: Final[dict[str, Callable[[Snapshot], dict[str, Any]]]] = {
    "name": lambda _: {"bridge": "garage"},
    "meter of the device": lambda _: {"meter": "2ISK"},
    "meter of the reading": lambda was: {"reading": was.reading._replace(meter="2ISK")},  # type: ignore[union-attr]
    "meter as sent": lambda was: {"sent": was.sent._replace(meter="2ISK")},  # type: ignore[union-attr]
    "reading": lambda _: {"edition": 2, **readings_of("tariffs")},
    "no reading": lambda _: {"edition": None, "reading": None, "energies": {}, "sent": None},
    "held": lambda _: {"is_held": True},
    "old": lambda _: {"seen_for": STALE_AFTER + 1},
    "status": lambda _: {"status": payloads.status("wired")},
    "no status": lambda _: {"status": None, "failures": {"status": FetchError("timeout", "too slow")}},
    "failure": lambda _: {"failures": {"status": FetchError("timeout", "too slow")}},
    "duration": lambda _: {"durations": {"reading": 0.0, "status": 0.25}},
    "error": lambda _: {"errors": {("reading", "protocol"): 1}},
    "rejection": lambda _: {"rejected": {"replayed": 1}},
    "event": lambda was: {"streams": was.streams | {"status": StreamState(True, 86401, 2)}},  # type: ignore[operator]
    "stream": lambda was: {"streams": was.streams | {"status": StreamState(False, 86400, 2)}},  # type: ignore[operator]
    "no streams": lambda _: {"streams": {}, "powers": None},
    "powers": lambda _: {"powers": ("1ISK0000000000", Distribution((0.0, inf), (1, 2), 4.0))},
}


def readings_of(case: str) -> dict[str, Any]:
    other = snapshot_of(case)
    return {"reading": other.reading, "energies": other.energies, "sent": other.sent}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_has_changed_of_a_bridge_its_lines_are_those_of_now(change: str) -> None:
    before = followed()
    after = replace(before, **CHANGES[change](before))
    written = [text_of(replace(each, heads=Heads())) for each in (before, after)]
    assert written[0] != written[1]
    assert [text_of(each) for each in (before, after, after, before)] == [*written, *written[::-1]]


def test_lines_of_a_bridge_that_is_followed_are_written_where_something_has_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Snapshot] = []
    groups = samples_module._groups

    def counted(snapshot: Snapshot, *given: bool) -> Any:
        asked.append(snapshot)
        return groups(snapshot, *given)

    monkeypatch.setattr(samples_module, "_groups", counted)
    first = followed()
    newer = replace(first, edition=2)
    for snapshot in (first, replace(first, seen_for=5.0), newer, newer):
        text_of(snapshot)
    assert asked == [first, newer]
    # A fetch takes another time each time.
    fetched = replace(first, streams={}, powers=None)
    for _ in range(2):
        text_of(fetched)
    assert asked == [first, newer, fetched, fetched]
