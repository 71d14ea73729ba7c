"""The histories are what the exporter would have served, and their truth is the meters' own."""

import time
from pathlib import Path

import pytest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from grafana.histories.history import Truth
from grafana.histories.plan import BEGIN, END, FIRMWARE_UPDATE, local
from grafana.histories.text import Recorder
from grafana.query.source import Source
from iometer_exporter.simulator import Home
from tests.grafana.pasts import Past
from tests.waiting import eventually

SPAN = "9d"


def scrape(import_value: float, power: float) -> list[Metric]:
    counter = CounterMetricFamily("energy_joules", "Energy.", labels=["bridge"])
    counter.add_metric(['the "house"\\'], import_value)
    gauge = GaugeMetricFamily("power_watts", "Power.", labels=["bridge"])
    gauge.add_metric(['the "house"\\'], power)
    return [counter, gauge]


def test_the_text_is_openmetrics_with_each_family_in_one_piece(tmp_path: Path) -> None:
    recorder = Recorder({"job": "iometer"})
    assert recorder.record(scrape(1234567890.5, 10), 100.25) == 2
    recorder.add("up", 1, 100.25)
    recorder.record(scrape(1234567891.5, -20), 115.25)
    path = tmp_path / "history.om"
    recorder.write(path)
    families = list(text_string_to_metric_families(path.read_text()))  # type: ignore[no-untyped-call]
    assert [(family.name, family.type) for family in families] == [
        ("energy_joules", "counter"),
        ("power_watts", "gauge"),
        ("up", "gauge"),
    ]
    samples = [(one.name, one.labels, one.value, float(one.timestamp or 0)) for one in families[0].samples]
    labels = {"bridge": 'the "house"\\', "job": "iometer"}
    assert samples == [
        ("energy_joules_total", labels, 1234567890.5, 100.25),
        ("energy_joules_total", labels, 1234567891.5, 115.25),
    ]
    assert recorder.samples == 5


def test_a_page_is_recorded_as_it_was_served(tmp_path: Path) -> None:
    """Histograms too; what is left out is not in the text."""
    page = (
        "# HELP energy_joules Energy.\n"
        "# TYPE energy_joules counter\n"
        'energy_joules_total{installation="the \\"house\\" 1"} 12.5\n'
        "# TYPE delay_seconds histogram\n"
        'delay_seconds_bucket{le="+Inf"} 3.0\n'
        "delay_seconds_count 3.0\n"
        "delay_seconds_sum 7.5\n"
        "# TYPE register gauge\n"
        "register 1.0\n"
        "# EOF\n"
    )
    recorder = Recorder({"job": "iometer"})
    assert recorder.record_text(page, 100.25, leave_out=("register",)) == 4
    assert recorder.record_text(page.replace("12.5", "13.5"), 220.25, leave_out=("register",)) == 4
    path = tmp_path / "history.om"
    recorder.write(path)
    assert path.read_text().splitlines() == [
        "# TYPE energy_joules counter",
        'energy_joules_total{installation="the \\"house\\" 1",job="iometer"} 12.5 100.250',
        'energy_joules_total{installation="the \\"house\\" 1",job="iometer"} 13.5 220.250',
        "# TYPE delay_seconds histogram",
        'delay_seconds_bucket{le="+Inf",job="iometer"} 3.0 100.250',
        'delay_seconds_bucket{le="+Inf",job="iometer"} 3.0 220.250',
        'delay_seconds_count{job="iometer"} 3.0 100.250',
        'delay_seconds_count{job="iometer"} 3.0 220.250',
        'delay_seconds_sum{job="iometer"} 7.5 100.250',
        'delay_seconds_sum{job="iometer"} 7.5 220.250',
        "# EOF",
    ]


def test_the_truth_is_that_of_the_home_at_any_second() -> None:
    home = Home(3, start=BEGIN, initial_import_wh=1000)
    truth = Truth("meter")
    truth.keep(home)
    for moment in (BEGIN + 900, BEGIN + 1800):
        home.advance(moment)
        truth.keep(home)
    other = Home(3, start=BEGIN, initial_import_wh=1000)
    other.advance(BEGIN + 1234)
    assert truth.at(BEGIN + 1234) == (other.import_ws, other.export_ws)
    assert truth.imported(BEGIN, BEGIN + 1234) == other.import_ws - 3_600_000
    assert truth.exported(BEGIN, BEGIN + 1800) == home.export_ws
    assert truth.at(BEGIN) == (3_600_000, 0)
    with pytest.raises(ValueError, match="before the history"):
        truth.at(BEGIN - 1)


@pytest.mark.end_to_end
def test_a_history_has_the_series_of_the_living_exporter(pasts: dict[str, Past], live: Source) -> None:
    """Each metric with the same labels: what the history leaves out, or makes up, would be tested in vain."""

    def shapes(source: Source, moment: float) -> dict[str, set[frozenset[str]]]:
        found: dict[str, set[frozenset[str]]] = {}
        for series in source.instant('{__name__=~".+",job="iometer",__name__!~"ALERTS.*"}', moment):
            found.setdefault(series.labels["__name__"], set()).add(frozenset(series.labels))
        return found

    past = shapes(pasts["three-60s"].source, END)
    living = eventually(lambda: shapes(live, time.time()))
    assert past == living
    assert "iometer_power_watts" in past


@pytest.mark.end_to_end
def test_the_counters_are_the_meters_own(past: Past) -> None:
    """To a tenth of a watt-hour, at the last scrape."""
    for name, truth in past.history.truths.items():
        if name == past.history.scenario.households[0].name:
            continue  # its registers began anew
        selector = f'iometer_energy_import_joules_total{{bridge="{name}"}}'
        [value] = past.source.instant(selector, END)
        [scraped] = past.source.instant(f"timestamp({selector})", END)
        joules, _ = truth.at(scraped.last)
        assert 0 <= joules - value.last < 360


@pytest.mark.end_to_end
def test_a_stream_is_followed(pasts: dict[str, Past]) -> None:
    """But while the bridge is out of reach; a restart of the exporter makes it count anew."""
    past = pasts["three-60s"]
    [house] = [home for home in past.history.scenario.households if home.events]

    def value(expr: str, moment: float = END) -> float:
        [series] = past.source.instant(expr, moment)
        return series.last

    stream = f'{{bridge="{house.name}",endpoint="reading"}}'
    assert value(f"iometer_stream_up{stream}") == 1
    assert value(f"iometer_stream_up{stream}", local("2026-03-30 03:10:00")) == 0
    assert value(f"iometer_scrape_duration_seconds{stream}") == 0
    assert value(f"iometer_stream_reconnects_total{stream}") == 1
    events = (END - local("2026-04-04 20:00:00") - 120) / house.events
    assert value(f"iometer_stream_events_total{stream}") == pytest.approx(events, abs=6)
    counted = value(f'iometer_power_distribution_watts_bucket{{bridge="{house.name}",le="+Inf"}}')
    # Readings that are replayed are events, but not counted.
    assert 0.9 * events < counted < events


@pytest.mark.end_to_end
def test_what_happened_is_to_be_seen(past: Past) -> None:
    def value(expr: str) -> float:
        [series] = past.source.instant(expr, END)
        return series.last

    interval = past.history.scenario.interval
    name = past.history.scenario.households[0].name
    assert value(f"changes(process_start_time_seconds[{SPAN}])") == 2
    assert value(f"count_over_time(up[{SPAN}]) - sum_over_time(up[{SPAN}])") == 3 * 3600 / interval
    unreachable = f"{SPAN}:{interval}s"
    assert (
        value(f'count_over_time((iometer_up{{bridge="{name}"}} == 0)[{unreachable}])') == 22 * 60 / interval
    )
    assert value(f'resets(iometer_energy_import_joules_total{{bridge="{name}"}}[{SPAN}])') == 1
    rejected = f'iometer_readings_rejected_total{{bridge="{name}",reason="replayed"}}'
    assert value(f"{rejected}") >= 300 / interval
    # Rejected it was, and no energy came of it.
    replay = local("2026-03-28 16:00:00")
    assert past.source.instant("resets(iometer_energy_import_joules_total[1h]) > 0", replay) == []
    [old] = past.source.instant(f'iometer_bridge_info{{bridge="{name}"}}', FIRMWARE_UPDATE - 400)
    [new] = past.source.instant(f'iometer_bridge_info{{bridge="{name}"}}', END)
    assert (old.labels["bridge_version"], new.labels["bridge_version"]) == ("build-64", "build-65")
