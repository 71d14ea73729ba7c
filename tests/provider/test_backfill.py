"""The file for Prometheus: what is in it, in which order, and what is left out."""

import io
import math
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics import parser

from iometer_exporter.errors import ProviderError, ProviderReason
from iometer_exporter.meter.guard import Limits
from iometer_exporter.meter.models import Reading, Register
from iometer_exporter.meter.obis import ObisCode
from iometer_exporter.provider import backfill as module
from iometer_exporter.provider.api.models import MeterReading, ReadingsPage
from iometer_exporter.provider.backfill import Backfill, Report
from iometer_exporter.provider.reading import retrying
from iometer_exporter.provider.reading.retrying import Retrying
from iometer_exporter.provider.reading.stored_readings import CursorPosition, pages
from iometer_exporter.provider.served.shard import Shard, in_shard

START = datetime(2025, 1, 1, tzinfo=UTC)
LIMITS = Limits(max_power=100_000, reset_after=600)


def reading(
    minute: float,
    wh: float | str,
    *,
    installation: str = "i1",
    external_id: str = "home",
    meter: str = "1EMH",
    more: dict[str, tuple[float, str]] | None = None,
) -> MeterReading:
    values = {"1-0:1.8.0": (wh, "Wh")} | (more or {})
    registers = {
        (code := ObisCode.parse(text)): Register(code, Decimal(str(value)), unit)
        for text, (value, unit) in values.items()
    }
    time = START + timedelta(minutes=minute)
    received = time + timedelta(seconds=40)
    return MeterReading(installation, external_id, f"id-{meter}", received, Reading(meter, time, registers))


def written(folder: Path, *pages: Iterable[MeterReading], shard: Shard = (1, 1)) -> tuple[str, Report]:
    out = io.BytesIO()
    with Backfill(folder, limits=LIMITS, shard=shard) as filling:
        for page in pages:
            filling.add(page)
        filling.write(out)
        return out.getvalue().decode(), filling.report


def families(text: str) -> list[Metric]:
    return list(parser.text_string_to_metric_families(text))  # type: ignore[no-untyped-call]


def lines(text: str, family: str) -> list[str]:
    return [line.removeprefix(family) for line in text.splitlines() if line.startswith(f"{family}{{")]


def test_the_whole_file(tmp_path: Path) -> None:
    more = {
        "1-0:1.8.1": (4, "Wh"),
        "1-0:2.8.0": (0.5, "kWh"),
        "1-0:16.7.0": (-12.5, "W"),
        "1-0:9.9.9": (1, "x"),
    }
    text, report = written(tmp_path, [reading(0, 10, more=more), reading(15, "10.25")])
    assert text == (
        "# HELP iometer_energy_import_joules Energy drawn from the grid, OBIS 1-0:1.8.0.\n"
        "# TYPE iometer_energy_import_joules counter\n"
        "# UNIT iometer_energy_import_joules joules\n"
        'iometer_energy_import_joules_total{installation="home",meter="1EMH"} 36000.0 1735689600.000\n'
        'iometer_energy_import_joules_total{installation="home",meter="1EMH"} 36900.0 1735690500.000\n'
        "# HELP iometer_energy_export_joules Energy fed into the grid, OBIS 1-0:2.8.0.\n"
        "# TYPE iometer_energy_export_joules counter\n"
        "# UNIT iometer_energy_export_joules joules\n"
        'iometer_energy_export_joules_total{installation="home",meter="1EMH"} 1.8e+06 1735689600.000\n'
        "# HELP iometer_tariff_energy_import_joules "
        "Energy drawn from the grid in one tariff, OBIS 1-0:1.8.t.\n"
        "# TYPE iometer_tariff_energy_import_joules counter\n"
        "# UNIT iometer_tariff_energy_import_joules joules\n"
        'iometer_tariff_energy_import_joules_total{installation="home",meter="1EMH",tariff="1"} 14400.0 '
        "1735689600.000\n"
        "# HELP iometer_power_watts Power at the grid connection, negative while exporting: OBIS 1-0:16.7.0, "
        "else 1.7.0 - 2.7.0, else the sum of 36.7.0, 56.7.0 and 76.7.0, else 36.7.0 alone.\n"
        "# TYPE iometer_power_watts gauge\n"
        "# UNIT iometer_power_watts watts\n"
        'iometer_power_watts{installation="home",meter="1EMH"} -12.5 1735689600.000\n'
        "# HELP iometer_reading_timestamp_seconds Unix time of the served reading, meter.reading.time.\n"
        "# TYPE iometer_reading_timestamp_seconds gauge\n"
        "# UNIT iometer_reading_timestamp_seconds seconds\n"
        'iometer_reading_timestamp_seconds{installation="home",meter="1EMH"} 1.7356896e+09 1735689600.000\n'
        'iometer_reading_timestamp_seconds{installation="home",meter="1EMH"} 1.7356905e+09 1735690500.000\n'
        "# EOF\n"
    )
    assert report == Report(received=2, written=2, meters=1)


def test_whatever_the_order_of_arrival_the_file_is_sorted(tmp_path: Path) -> None:
    arrived = [
        reading(
            minute,
            1000 + minute,
            installation=f"i{home}",
            external_id=f"home-{home}",
            meter=meter,
            more=phases,
        )
        for minute in (30, 0, 45, 15)
        for home in (2, 1)
        for meter in ("B", "A")
        for phases in [{f"1-0:{code}.7.0": (1.0, "W") for code in (76, 36, 56)}]
    ]
    text, report = written(tmp_path, arrived[:5], arrived[5:])
    assert report == Report(received=16, written=16, meters=4)
    seen = set()
    for family in families(text):
        assert family.name not in seen
        seen.add(family.name)
        series: list[tuple[tuple[str, str], ...]] = []
        last = -math.inf
        for sample in family.samples:
            labels = tuple(sample.labels.items())
            assert sample.timestamp is not None
            time = float(sample.timestamp)
            if not series or labels != series[-1]:
                assert labels not in series
                series.append(labels)
                last = -math.inf
            assert time > last
            last = time
        assert len(series) == (12 if family.name == "iometer_phase_power_watts" else 4)
    assert "iometer_phase_power_watts" in seen


def test_one_time_of_a_meter_is_one_sample(tmp_path: Path) -> None:
    text, report = written(tmp_path, [reading(0, 10), reading(15, 11)], [reading(0, 10), reading(15, 99)])
    assert (report.received, report.duplicates, report.written) == (4, 2, 2)
    assert [line.split()[1] for line in lines(text, "iometer_energy_import_joules_total")] == [
        "36000.0",
        "39600.0",
    ]


def test_the_guard_leaves_out_what_it_would_not_serve(tmp_path: Path) -> None:
    wh: list[float] = [100, 101, 50, 102, 10_000_000, 103]
    text, report = written(tmp_path, [reading(15 * number, each) for number, each in enumerate(wh)])
    assert report.refused == {"decreased": 1, "implausible": 1}
    assert (report.received, report.written) == (6, 4)
    energies = [float(line.split()[1]) / 3600 for line in lines(text, "iometer_energy_import_joules_total")]
    assert energies == [100, 101, 102, 103]


def test_a_reading_that_comes_late_is_none_of_a_fallen_counter(tmp_path: Path) -> None:
    _, report = written(tmp_path, [reading(30, 103), reading(0, 101), reading(15, 102)])
    assert (report.written, report.refused) == (3, {})


def test_a_meter_that_was_really_reset_goes_on_by_the_clock_of_its_readings(tmp_path: Path) -> None:
    _, report = written(tmp_path, [reading(15 * number, 5000 + number) for number in range(3)],
                        [reading(45 + 15 * number, number) for number in range(5)])  # fmt: skip
    assert report.refused == {"decreased": 2}
    assert report.written == 6


def test_each_meter_has_a_guard_of_its_own(tmp_path: Path) -> None:
    _, report = written(
        tmp_path, [reading(0, 100, meter="A"), reading(15, 5, meter="B"), reading(30, 101, meter="A")]
    )
    assert (report.written, report.meters, report.refused) == (3, 2, {})


def test_a_time_that_has_not_come_is_left_out(tmp_path: Path) -> None:
    jumped = reading(0, 10)._replace(received=START - timedelta(days=2))
    _, report = written(tmp_path, [jumped, reading(15, 11)])
    assert (report.refused, report.written) == ({"future": 1}, 1)


def test_labels_are_those_of_the_live_metrics(tmp_path: Path) -> None:
    text, _ = written(
        tmp_path,
        [
            reading(0, 1, installation="i1", external_id="home"),
            reading(0, 1, installation="i2", external_id="home"),
            reading(0, 1, installation="i3", external_id=""),
            reading(0, 1, installation="i4", external_id='a"b\\c'),
        ],
    )
    labels = [line.split("}")[0] for line in lines(text, "iometer_energy_import_joules_total")]
    assert labels == [
        '{installation="home",meter="1EMH"',
        '{installation="i2",meter="1EMH"',
        '{installation="i3",meter="1EMH"',
        '{installation="a\\"b\\\\c",meter="1EMH"',
    ]
    assert len(families(text)) == 2


def test_only_the_installations_of_the_shard(tmp_path: Path) -> None:
    ids = [f"i{number}" for number in range(20)]
    text, report = written(
        tmp_path, [reading(0, 1, installation=each, external_id="") for each in ids], shard=(2, 3)
    )
    ours = [each for each in ids if in_shard(each, (2, 3))]
    assert 0 < len(ours) < 20
    assert report == Report(received=len(ours), written=len(ours), meters=len(ours))
    assert len(lines(text, "iometer_energy_import_joules_total")) == len(ours)


def test_the_meters_of_others_are_left_out_and_counted(tmp_path: Path) -> None:
    with Backfill(tmp_path, limits=LIMITS, shard=(1, 1), others={"M1"}) as filling:
        filling.add([reading(0, 1, meter="M1"), reading(15, 2, meter="M1"), reading(0, 1, meter="M2")])
        filling.write(out := io.BytesIO())
    assert filling.report == Report(received=3, written=1, meters=1, left=Counter(M1=2))
    assert b'meter="M2"' in out.getvalue()
    assert b'meter="M1"' not in out.getvalue()


def test_many_batches_are_all_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SAMPLES_AT_ONCE", 7)
    monkeypatch.setattr(module, "_READINGS_PER_REPORT", 10)
    told: list[int] = []
    wrote: list[int] = []
    out = io.BytesIO()
    with Backfill(tmp_path, limits=LIMITS, shard=(1, 1)) as filling:
        filling.add(reading(number, number) for number in range(2345))
        filling.sort(told.append)
        samples = filling.samples
        filling.write(out, wrote.append)
    assert len(lines(out.getvalue().decode(), "iometer_energy_import_joules_total")) == 2345
    assert sum(told) == 2345
    assert len(told) > 100
    assert sum(wrote) == samples == 2 * 2345
    assert len(wrote) > 100


class Pages:
    """A client that gives pages, or raises, one after the other."""

    def __init__(self, *answers: ReadingsPage | ProviderError) -> None:
        self._answers = list(answers)
        self.asked: list[str | None] = []

    async def readings(self, *, start: datetime | None = None, cursor: str | None = None) -> ReadingsPage:
        assert start == START
        self.asked.append(cursor)
        answer = self._answers.pop(0)
        if isinstance(answer, ProviderError):
            raise answer
        return answer


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "SHORTEST_WAIT_SECONDS", 0.001)
    monkeypatch.setattr(retrying, "LONGEST_WAIT_SECONDS", 0.002)


async def walked(client: Pages) -> tuple[int, list[str]]:
    told: list[str] = []
    found = 0
    asking = Retrying(lambda error, _wait: told.append(error.reason))
    async for page in pages(client, CursorPosition(START), asking):
        found += len(page.readings)
    return found, told


@pytest.mark.usefixtures("_at_once")
async def test_the_walk_goes_over_interruptions_to_the_end() -> None:
    client = Pages(
        ReadingsPage((reading(0, 1),), "a"),
        ProviderError("timeout", "did not answer in time"),
        ProviderError("rate_limited", "asks for fewer requests", retry_after=0.001),
        ReadingsPage((reading(15, 1), reading(30, 1)), "b"),
        ReadingsPage((), None),
    )
    assert await walked(client) == (3, ["timeout", "rate_limited"])
    assert client.asked == [None, "a", "a", "a", "b"]


@pytest.mark.usefixtures("_at_once")
@pytest.mark.parametrize(
    ("reason", "tries"), [("http_status", 6), ("connect", 1), ("unauthorized", 1), ("graphql", 1)]
)
async def test_the_walk_ends_with_an_error_that_stays(reason: ProviderReason, tries: int) -> None:
    client = Pages(*[ProviderError(reason, "is ill")] * 6)
    with pytest.raises(ProviderError, match="is ill"):
        await walked(client)
    assert len(client.asked) == tries


async def test_a_cursor_that_comes_again_ends_the_walk() -> None:
    client = Pages(*[ReadingsPage((), each) for each in ("a", "b", "a", "b")])
    with pytest.raises(ProviderError, match="gave the same cursor twice"):
        await walked(client)


async def test_a_page_without_a_list_is_not_the_end_of_the_readings() -> None:
    client = Pages(ReadingsPage((reading(0, 1),), "a"), ReadingsPage((), None, ("readings is missing",)))
    with pytest.raises(ProviderError, match="sent no readings: readings is missing"):
        await walked(client)
