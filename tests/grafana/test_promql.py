"""What the shared expressions of the dashboards give, on series of a few samples, by promtool."""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import pytest
import yaml

from devtools.processes import THRIFTY
from grafana import localtime, queries
from grafana.boards.alerts import firing
from grafana.boards.devices import LATEST, PROBLEMS, severity, worst
from grafana.boards.energy import so_far
from iometer_exporter.metrics import families as metrics
from tests.conftest import require_program

pytestmark = pytest.mark.end_to_end

BRIDGE: Final = 'job="iometer",instance="exporter:10180",bridge="house"'
READ: Final = f'{BRIDGE},meter="1EMH0012345678"'
VARIABLES: Final[dict[str, str]] = {
    "import_price": "0.5",
    "export_price": "0.25",
    "base_fee": "31",
    "utc_offset": "1",
    "summer_time": "1",
    "__range_s": "86400",
    "__range": "1d",
}

WELL: Final = {
    f"iometer_up{{{BRIDGE}}}": "1x5",
    f"iometer_core_connected{{{READ}}}": "1x5",
    f"iometer_core_attached{{{READ}}}": "1x5",
    f"iometer_core_battery_ratio{{{READ}}}": "0.5x5",
    f'iometer_core_pin_status{{{READ},status="entered"}}': "1x5",
    f'iometer_core_pin_status{{{READ},status="missing"}}': "0x5",
    f"iometer_core_rssi_dbm{{{READ}}}": "-50x5",
    f"iometer_bridge_rssi_dbm{{{READ}}}": "-50x5",
    f"iometer_reading_timestamp_seconds{{{READ}}}": "0+60x5",
}
"""A bridge without a problem, a sample a minute."""


@dataclass(frozen=True, slots=True)
class Case:
    """An expression at so many seconds, and the values by labels that it must have there."""

    expression: str
    at: float
    expected: Mapping[str, float]
    series: Mapping[str, str]


def check(folder: Path, *cases: Case, evaluated: str = "5m") -> None:
    """Promtool's verdict; those of the same series that follow one another share them."""
    tests = [_test(series, list(own)) for series, own in groupby(cases, key=lambda case: case.series)]
    document = {"evaluation_interval": evaluated, "rule_files": [], "tests": tests}
    path = folder / "tests.yml"
    path.write_text(yaml.safe_dump(document))
    command = [require_program("promtool"), "test", "rules", str(path)]
    done = subprocess.run(command, env=os.environ | THRIFTY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _test(series: Mapping[str, str], cases: Sequence[Case]) -> dict[str, object]:
    asked = [(plain(case.expression), case.at, case.expected) for case in cases]
    # Promtool loads samples up to its last evaluation, so there is one a day later.
    asked.append(("vector(1)", max(case.at for case in cases) + 86_400, {"{}": 1}))
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": expression,
                "eval_time": f"{at:.0f}s",
                "exp_samples": [{"labels": labels, "value": value} for labels, value in expected.items()],
            }
            for expression, at, expected in asked
        ],
    }


def plain(expression: str) -> str:
    """The expression with all bridges chosen, and the values of the other variables."""
    for name in ("job", "instance", "bridge", "meter"):
        expression = expression.replace(f'"${name}"', '".*"')
    return re.sub(r"\$(\w+)", lambda match: VARIABLES.get(match[1], match[0]), expression)


def test_a_wrong_value_is_seen(tmp_path: Path) -> None:
    """Promtool compares at all."""
    with pytest.raises(AssertionError, match="FAILED"):
        check(tmp_path, Case(severity(), 300, {f"{{{BRIDGE}}}": 1}, WELL))


def test_a_bridge_that_is_well_has_no_severity(tmp_path: Path) -> None:
    check(tmp_path, Case(severity(), 300, {f"{{{BRIDGE}}}": 0}, WELL))


@pytest.mark.parametrize(
    ("name", "values", "weight", "words"),
    [
        (f"iometer_up{{{BRIDGE}}}", "0x5", 256, "Does not answer"),
        (f"iometer_core_connected{{{READ}}}", "0x5", 128, "Core out of reach"),
        (f"iometer_core_attached{{{READ}}}", "0x5", 64, "Core off the meter"),
        (f"iometer_reading_timestamp_seconds{{{READ}}}", "-3600x5", 32, "Old reading"),
        (f"iometer_core_battery_ratio{{{READ}}}", "0.1x5", 16 + 8, "Battery nearly empty"),
        (f"iometer_core_battery_ratio{{{READ}}}", "0.2x5", 8, "Battery low"),
        (f'iometer_core_pin_status{{{READ},status="missing"}}', "1x5", 4, "PIN missing"),
        (f"iometer_core_rssi_dbm{{{READ}}}", "-91x5", 2, "Weak radio"),
        (f"iometer_bridge_rssi_dbm{{{READ}}}", "-81x5", 1, "Weak Wi-Fi"),
    ],
)
def test_each_problem_has_its_weight_and_words(
    tmp_path: Path, name: str, values: str, weight: int, words: str
) -> None:
    assert name in WELL
    check(tmp_path, Case(severity(), 300, {f"{{{BRIDGE}}}": weight}, WELL | {name: values}))
    assert [span["result"]["text"] for span in SPANS if span["from"] <= weight <= span["to"]] == [words]


SPANS: Final = [mapping["options"] for mapping in worst()]


def test_every_severity_is_called_after_the_worst_problem() -> None:
    for weight in range(1 << len(PROBLEMS)):
        [named] = [span for span in SPANS if span["from"] <= weight <= span["to"]]
        place = len(PROBLEMS) - weight.bit_length()
        assert named["result"]["text"] == (PROBLEMS[place].words if weight else "Nothing")


def test_problems_add_up_and_what_is_absent_is_none(tmp_path: Path) -> None:
    down = {f"iometer_up{{{BRIDGE}}}": "0x5"}
    wrong = {name: "0x5" if name.startswith("iometer_core_") else value for name, value in WELL.items()}
    check(
        tmp_path,
        Case(severity(), 300, {f"{{{BRIDGE}}}": 256}, down),
        Case(severity(), 300, {f"{{{BRIDGE}}}": 128 + 64 + 16 + 8}, wrong),
    )


def test_an_alert_says_what_it_is_about(tmp_path: Path) -> None:
    labels = (
        f'alertname="WeakSignal",severity="warning",{BRIDGE},radio="core"',
        'alertname="ExporterDown",severity="critical",job="iometer",instance="exporter:10180"',
        'alertname="LicensePoolNearlyUsed",severity="warning",job="iometer",pool="17",name="Trial"',
        'alertname="SomethingElse",severity="warning",job="iometer"',
    )
    alerts = {f'ALERTS{{alertstate="firing",{own}}}': "1x5" for own in labels}
    names = ("WeakSignal", "ExporterDown", "LicensePoolNearlyUsed")
    weak = '{alertname="WeakSignal",severity="warning",about="house   core",instance="exporter:10180"}'
    down = '{alertname="ExporterDown",severity="critical",instance="exporter:10180"}'
    pool = '{alertname="LicensePoolNearlyUsed",severity="warning",about="Trial"}'
    check(tmp_path, Case(firing(names), 300, {weak: 2, down: 3, pool: 2}, alerts))


def test_the_age_goes_on_while_a_bridge_is_down_and_ends_with_the_bridge(tmp_path: Path) -> None:
    read = {f"iometer_reading_timestamp_seconds{{{READ}}}": "0+60x5 stale"}
    age = {f"{{{BRIDGE}}}": 7200 - 300.0}
    check(
        tmp_path,
        Case(LATEST, 7200, age, read | {f"iometer_up{{{BRIDGE}}}": "1x5 0x115"}),
        Case(LATEST, 7200, {}, read | {f"iometer_up{{{BRIDGE}}}": "1x5 stale"}),
    )


def test_a_meter_that_was_replaced_today_is_neither_old_nor_a_problem(tmp_path: Path) -> None:
    up = {f"iometer_up{{{BRIDGE}}}": "1x120"}
    before = {f"iometer_reading_timestamp_seconds{{{READ}}}": "0+60x5 stale"}
    now = {f'iometer_reading_timestamp_seconds{{{BRIDGE},meter="1EMH0087654321"}}': "_x5 360+60x114"}
    check(
        tmp_path,
        Case(LATEST, 7200, {f"{{{BRIDGE}}}": 0}, up | before | now),
        Case(severity(), 7200, {f"{{{BRIDGE}}}": 0}, up | before | now),
    )


@pytest.mark.parametrize(
    ("state", "number"), [("entered", 1), ("pending", 2), ("missing", 3), ("resting", 4)]
)
def test_each_state_has_its_number(tmp_path: Path, state: str, number: int) -> None:
    names = ("entered", "pending", "missing")
    series = {
        f'iometer_core_pin_status{{{READ},status="{one}"}}': f"{int(one == state)}x5"
        for one in {*names, state}
    }
    expression = queries.state(metrics.CORE_PIN_STATUS, names)
    check(tmp_path, Case(expression, 300, {f"{{{READ}}}": number}, series))


READINGS: Final = {f"iometer_reading_timestamp_seconds{{{READ}}}": "0+60x1500"}
DRAWN: Final = {f"iometer_energy_import_joules_total{{{READ}}}": "0+25000x1440"}
"""36 MJ, 10 kWh in a day."""
FED: Final = {f"iometer_energy_export_joules_total{{{READ}}}": "0+10000x1440"}
"""4 kWh."""


def test_money_with_and_without_an_export_register(tmp_path: Path) -> None:
    check(
        tmp_path,
        Case(queries.cost(), 86_400, {"{}": 5}, DRAWN),
        Case(queries.revenue(), 86_400, {"{}": 1}, DRAWN | FED),
        Case(queries.revenue(), 86_400, {}, DRAWN),
        Case(queries.net(), 86_400, {"{}": 4}, DRAWN | FED),
        Case(queries.net(), 86_400, {"{}": 5}, DRAWN),
        Case(queries.net(), 86_400, {}, {"up": "1x1440"}),
        Case(queries.net(fee="3"), 86_400, {"{}": 8}, DRAWN),
        Case(queries.net(fee=queries.FEE_OF_MONTH), 86_400, {"{}": 6}, DRAWN),
        Case(queries.net(queries.DAY, fee=queries.FEE_OF_DAY), 0, {"{}": 6}, DRAWN),
        Case(queries.fee_of_year(), 90_000, {"{}": 1}, READINGS),
    )


@pytest.mark.parametrize(
    ("hours", "days"),
    [(0.5, 1), (12, 1), (24, 1), (25, 1), (26, 2), (30 * 24 + 0.5, 30), (31 * 24 - 1, 31), (31 * 24 + 1, 31)],
)
def test_the_base_fee_of_days_that_have_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hours: float, days: int
) -> None:
    """A day may have 23 or 25 hours; the days of January 1970 cost 1 each."""
    monkeypatch.setitem(VARIABLES, "__range_s", f"{hours * 3600:.0f}")
    fee = Case(f"vector({queries.FEE_OF_MONTH})", hours * 3600, {"{}": days}, {"up": "1x1"})
    check(tmp_path, fee)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_the_length_of_the_month_and_year_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    """Of a range from the first of it on, in the viewer's time; 1972 had 29 days in February."""

    def offset(window: str) -> str:
        days = window.removeprefix("[$__range] offset ").removesuffix("d")
        return f"vector({days})"

    for first, hours, month, year in (
        (datetime(1970, 3, 1), 1, 28, None),
        (datetime(1970, 5, 1), 24 * 30 + 23, 30, None),
        (datetime(1971, 1, 1), 24 * 20, 31, 365),
        (datetime(1972, 3, 1), 24 * 20, 29, None),
        (datetime(1973, 1, 1), 24 * 200, None, 366),
        (datetime(1974, 1, 1), 1, 31, 365),
    ):
        begin = first.replace(tzinfo=ZoneInfo(zone)).timestamp()
        monkeypatch.setitem(VARIABLES, "__range_s", f"{hours * 3600}")
        for before, length in ((queries.of_month_before, month), (queries.of_year_before, year)):
            if length:
                case = Case(before(offset), begin + hours * 3600, {"{}": length}, {"up": "1x1"})
                check(tmp_path, case, evaluated="7d")


def test_two_bridges_are_one_sum_and_one_name_may_follow_the_other(tmp_path: Path) -> None:
    other = {name.replace("house", "barn"): values for name, values in DRAWN.items()}
    renamed = {
        f"iometer_energy_import_joules_total{{{READ}}}": "0+25000x720 stale",
        f"iometer_energy_import_joules_total{{{READ.replace('house', 'barn')}}}": "_x720 18000000+25000x720",
    }
    kwh = f"round({queries.kwh(metrics.ENERGY_IMPORT)}, 0.1)"
    check(
        tmp_path,
        Case(kwh, 86_400, {"{}": 20}, DRAWN | other),
        Case(kwh, 86_400, {"{}": 10}, renamed),
    )


def test_without_the_pin_a_quarter_hour_has_no_mean(tmp_path: Path) -> None:
    expression = queries.quarter_hour(metrics.ENERGY_IMPORT)
    power = {f"iometer_power_watts{{{READ}}}": "417x1440"}
    check(
        tmp_path,
        Case(f"round({expression})", 86_400, {f"{{{READ}}}": 417}, DRAWN | power),
        Case(expression, 86_400, {}, DRAWN),
    )


MIDNIGHT: Final = 2 * 86_400


def since_midnight(days_ago: int = 0) -> str:
    """At one moment, `@ start()` is that moment; in a panel it is midnight."""
    expression = so_far(metrics.ENERGY_IMPORT, days_ago)
    return f"round({expression.replace('@ start()', f'@ {MIDNIGHT}')}, 0.001)"


def test_energy_since_midnight_keeps_what_a_gap_hides(tmp_path: Path) -> None:
    """Samples a minute, 36 MJ a day; at 6:00 it is 2.5 kWh."""
    name = f"iometer_energy_import_joules_total{{{READ}}}"
    six = MIDNIGHT + 6 * 3600
    whole = {name: "0+25000x4000"}
    over_midnight = {name: "0+25000x2700 _x400 77525000+25000x900"}
    gap_now = {name: "0+25000x3100 _x900"}
    began_at_three = {name: "_x3060 100000000+25000x940"}
    swapped = {
        name: "0+25000x3060 stale",
        name.replace("1EMH", "1ISK"): "_x3060 5000000+25000x940",
    }
    check(
        tmp_path,
        Case(since_midnight(), six, {"{}": 2.5}, whole),
        Case(since_midnight(1), six, {"{}": 2.5}, whole),
        Case(since_midnight(), six, {"{}": 2.5 + 1.25}, over_midnight),
        Case(since_midnight(), six, {"{}": round(220 * 25_000 / 3.6e6, 3)}, gap_now),
        Case(since_midnight(), six, {"{}": round(180 * 25_000 / 3.6e6, 3)}, began_at_three),
        Case(since_midnight(), six, {"{}": 2.5}, swapped),
    )


BERLIN: Final = ZoneInfo("Europe/Berlin")
YEARS: Final = (2023, 2024, 2026, 2029)


def moments() -> list[datetime]:
    """Around each change of clocks to the minute, and every few days at odd hours."""
    found = []
    for year in YEARS:
        for month in (3, 10):
            last = max(day for day in range(25, 32) if datetime(year, month, day, tzinfo=UTC).weekday() == 6)
            change = datetime(year, month, last, 1, tzinfo=UTC)
            found += [
                change + timedelta(minutes=minutes) for minutes in (-1441, -61, -31, -1, 1, 29, 31, 61, 1441)
            ]
    start = datetime(2026, 1, 1, 0, 45, tzinfo=UTC)
    return found + [start + timedelta(hours=59 * index) for index in range(148)]


def test_hours_and_weekdays_are_those_on_the_wall_in_berlin(tmp_path: Path) -> None:
    """Of the middle of the hour that ends at each moment."""
    cases = []
    for moment in moments():
        wall = (moment - timedelta(minutes=30)).astimezone(BERLIN)
        ended = moment.astimezone(BERLIN)
        if wall.utcoffset() != ended.utcoffset():
            # The hour in which clocks change has two names; that of its end is taken.
            wall = (ended.replace(tzinfo=None) - timedelta(minutes=30)).replace(tzinfo=BERLIN)
        at = moment.timestamp()
        cases.append(Case(localtime.HOUR, at, {"{}": wall.hour}, {}))
        cases.append(Case(localtime.WEEKDAY, at, {"{}": wall.isoweekday() % 7}, {}))
    check(tmp_path, *cases, evaluated="100d")
