"""Every alert fires, stays quiet and resolves as its cases say, and the cases would notice if it did not."""

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.conftest import require_program
from tests.prometheus.cases import FILES, NAMES, Case, cases, documents, label_sets, seconds, shipped
from tests.prometheus.mutants import computed_once, mutants
from tests.prometheus.promtool import Failure, failures

CONTROL: Final = "as it is"

NOT_NEAR: Final = {
    "ExporterAbsent quiet: the exporter is down, but a target",
    "CoreDisconnected quiet: the status is not served",
    "BatteryLow quiet: no battery, the core is wired",
    "BatteryEmptySoon quiet: a wired core has no battery",
    "BaseLoadHigh quiet: no power without PIN",
}
"""Quiet because a series is missing, which no condition of the alert has a say in."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The mutants of all alerts, as `Alert: what was done`, and the cases that noticed each."""

    mutants: list[str]
    noticed: dict[str, set[str]]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """All cases run for all mutants, and for the shipped rules as they are."""
    # Before mutants that nobody would run.
    require_program("promtool")
    folder = tmp_path_factory.mktemp("mutants")
    done: dict[str, str] = {}
    files = [_with_mutants(folder, path, document, done) for path, document in documents()]
    noticed = defaultdict(set)
    for failure in failures(files):
        noticed[done[failure.alert]].add(failure.group)
    return Outcome(list(done.values()), dict(noticed))


def _with_mutants(folder: Path, path: Path, document: dict[str, Any], done: dict[str, str]) -> Path:
    """The cases of an alert once more, each check for each of its mutants; `done` says what those are."""
    rule = shipped()[path.stem]
    rules = []
    for number, (what, mutant) in enumerate([(CONTROL, rule), *mutants(rule)]):
        name = f"{path.stem}{number}"
        done[name] = f"{path.stem}: {what}"
        rules.append(mutant | {"alert": name})
    rule_file = folder / f"{path.stem}-rules.yml"
    control, *others = rules
    group = {"name": path.stem, "rules": [control, *computed_once(others)]}
    rule_file.write_text(yaml.safe_dump({"groups": [group]}), encoding="utf-8")
    tests = [group | {"alert_rule_test": _checks_of_all(group, rules)} for group in document["tests"]]
    copy = folder / path.name
    copy.write_text(yaml.safe_dump(document | {"rule_files": [rule_file.name], "tests": tests}))
    return copy


def _checks_of_all(group: dict[str, Any], rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [check | {"alertname": rule["alert"]} for check in group["alert_rule_test"] for rule in rules]


@pytest.mark.end_to_end
def test_every_case_passes(outcome: Outcome) -> None:
    assert {what: groups for what, groups in outcome.noticed.items() if what.endswith(CONTROL)} == {}


@pytest.mark.end_to_end
def test_every_condition_of_every_alert_is_needed_by_a_case(outcome: Outcome) -> None:
    wrong = [what for what in outcome.mutants if not what.endswith(CONTROL)]
    assert len(wrong) > 5 * len(NAMES)
    assert [what for what in wrong if what not in outcome.noticed] == []


@pytest.mark.end_to_end
@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_a_case_looks(case: Case, outcome: Outcome) -> None:
    # Quiet although it is always true: looked too early, or at nothing.
    assert case.name in outcome.noticed[f"{case.alert}: {'always' if case.kind == 'quiet' else 'never'}"]


@pytest.mark.end_to_end
def test_quiet_cases_are_near_misses(outcome: Outcome) -> None:
    near = {name for what, names in outcome.noticed.items() if not what.endswith("always") for name in names}
    assert {case.name for case in cases() if case.kind == "quiet"} - near == NOT_NEAR


@pytest.mark.end_to_end
def test_promtool_finds_the_rules_from_the_files_of_the_cases() -> None:
    assert {tuple(document["rule_files"]) for _, document in documents()} == {
        ("../../../prometheus/alerts.yml",)
    }
    assert failures([file for file in FILES if file.stem in ("ExporterDown", "WeakSignal")]) == set()


def test_there_is_a_file_for_every_alert() -> None:
    assert [file.stem for file in FILES] == sorted(NAMES)
    assert set(shipped()) == set(NAMES)


@pytest.mark.parametrize("kind", ["fires", "quiet", "resolves"])
def test_every_alert_has_a_case_of_each_kind(kind: str) -> None:
    assert {case.alert for case in cases() if case.kind == kind} == set(NAMES)


def test_cases_have_names_of_their_own() -> None:
    names = [case.name for case in cases()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_a_case_does_what_its_name_says(case: Case) -> None:
    # promtool takes a misspelt alert for one that does not fire.
    assert {check["alertname"] for check in case.group["alert_rule_test"]} == {case.alert} == {case.file.stem}
    expected = case.expected()
    if case.kind == "fires":
        assert True in expected
    elif case.kind == "quiet":
        assert expected
        assert not any(expected)
    else:
        assert expected[0] is True
        assert expected[-1] is False


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_a_case_has_series_as_prometheus_gets_them_from_the_exporter(case: Case) -> None:
    assert seconds(case.group["interval"]) < 300, "Prometheus takes series with longer steps for gone"
    for series in case.group["input_series"]:
        match = re.fullmatch(r"(?P<name>\w+){(?P<labels>.*)}", series["series"])
        assert match, series
        labels = re.findall(r'(\w+)="[^"]*"', match["labels"])
        assert sorted(labels) in map(sorted, label_sets(match["name"])), series["series"]


@pytest.mark.end_to_end
def test_a_failed_check_is_found(tmp_path: Path) -> None:
    file = tmp_path / "cases.yml"
    file.write_text(
        "rule_files: []\ntests:\n- name: nothing fires\n  interval: 1m\n  input_series: []\n"
        "  alert_rule_test:\n  - {alertname: Absent, eval_time: 1m, exp_alerts: [{exp_labels: {a: b}}]}\n"
    )
    assert failures([file]) == {Failure("nothing fires", "Absent")}
