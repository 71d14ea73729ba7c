"""The rule files are what the source says, and speak of metrics that exist."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import promql_parser as promql
import pytest
import yaml

from iometer_exporter.bridges import diagnosis as facts
from prometheus import build
from prometheus.rules import MINUTE, Alert, Group, Record, Settings, document, duration, hurried
from prometheus.thresholds import DEFAULTS, JOB
from tests import yamlfiles
from tests.conftest import require_program
from tests.prometheus.cases import NAMES, ROOT, label_sets

FOLDER: Final = ROOT / "prometheus"

ABOUT_ALL: Final = {"FirmwareMismatch", "LicensePoolNearlyUsed", "LicensesEnding", "InstallationsSilent"}
"""Alerts on all bridges of a job, or on an account of a provider, whichever exporters read them."""

WHO: Final = (
    {"ExporterAbsent": "job", "FirmwareMismatch": "component"}
    | dict.fromkeys(("ExporterDown", "ConfigReloadFailed", "DiscoveryLimited"), "instance")
    | dict.fromkeys(("ProviderApiDown", "ProviderInventoryOld"), "instance")
    | dict.fromkeys(("ProviderSubscriptionDown", "ProviderRequestErrors"), "instance")
    | dict.fromkeys(("LicensePoolNearlyUsed", "LicensesEnding", "InstallationsSilent"), "name")
)
"""The label that says what an alert is about, where that is no bridge."""


def rules() -> list[dict[str, Any]]:
    return [
        rule
        for name in build.FILES
        for group in yamlfiles.load((FOLDER / name).read_text())["groups"]
        for rule in group["rules"]
    ]


def name_of(rule: dict[str, Any]) -> str:
    return str(rule.get("alert") or rule["record"])


def nodes(expr: str) -> Iterator[promql.Expr]:
    found: list[promql.Expr] = []

    def visit(node: promql.Expr) -> bool:
        found.append(node)
        return True

    promql.walk(promql.parse(expr), pre_visit=visit)
    return iter(found)


def selectors(expr: str) -> Iterator[promql.VectorSelector]:
    for node in nodes(expr):
        if isinstance(node, promql.VectorSelector):
            yield node
        elif isinstance(node, promql.MatrixSelector):
            yield node.vector_selector


def joined(expr: str) -> Iterator[set[str]]:
    """The labels by which anything in the expression is grouped or joined."""
    for node in nodes(expr):
        if isinstance(node, promql.AggregateExpr) and node.modifier:
            yield set(node.modifier.labels)
        elif isinstance(node, promql.BinaryExpr) and node.modifier and node.modifier.matching:
            yield set(node.modifier.matching.labels)


@pytest.mark.parametrize("name", build.FILES)
def test_the_files_are_those_that_the_source_makes(name: str) -> None:
    assert (FOLDER / name).read_text() == build.render(build.FILES[name], Settings()), (
        "run python -m prometheus.build"
    )


@pytest.mark.end_to_end
def test_promtool_finds_nothing_to_complain_of() -> None:
    command = [require_program("promtool"), "check", "rules", "--lint=all", "--lint-fatal"]
    result = subprocess.run([*command, *build.FILES], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{len(NAMES)} rules found" in result.stdout


def test_these_are_the_alerts() -> None:
    assert NAMES == [
        "ExporterDown",
        "ExporterAbsent",
        "ConfigReloadFailed",
        "DiscoveryLimited",
        "BridgeUnreachable",
        "BridgeFlapping",
        "ReadingStale",
        "ClockSkew",
        "CoreDisconnected",
        "CoreDetached",
        "MeterPinMissing",
        "WeakSignal",
        "ReadingsRejected",
        "PowerHigh",
        "ProviderApiDown",
        "ProviderInventoryOld",
        "ProviderSubscriptionDown",
        "ProviderRequestErrors",
        "LicensePoolNearlyUsed",
        "StatusMissing",
        "BatteryLow",
        "BatteryCritical",
        "BatteryEmptySoon",
        "FirmwareMismatch",
        "CounterStuck",
        "EnergyPowerDisagree",
        "NoExportByDay",
        "BaseLoadHigh",
        "LicensesEnding",
        "InstallationsSilent",
    ]


@pytest.mark.parametrize("rule", rules(), ids=name_of)
def test_every_metric_and_label_exists_and_every_selector_names_the_job(rule: dict[str, Any]) -> None:
    found = list(selectors(rule["expr"]))
    assert found
    known: set[str] = set()
    for selector in found:
        matchers = {matcher.name: matcher.value for matcher in selector.matchers.matchers}
        [labels] = [one for one in label_sets(selector.name or "") if set(matchers) <= one]
        assert matchers["job"] == JOB
        # Bridges and installations of a provider have the same metrics; a rule says whose it means.
        for whose in labels & {"bridge", "installation"}:
            assert any(
                (matcher.name, matcher.op, matcher.value) == (whose, promql.MatchOp.NotEqual, "")
                for matcher in selector.matchers.matchers
            )
        known |= labels
    for grouped in joined(rule["expr"]):
        assert grouped <= known


@pytest.mark.parametrize("rule", rules(), ids=name_of)
def test_labels_of_the_target_tell_bridges_apart_and_are_kept(rule: dict[str, Any]) -> None:
    """Such as a site where every exporter has the same address, or by which an alert is routed."""
    if name_of(rule) in ABOUT_ALL:
        return
    for node in nodes(rule["expr"]):
        if isinstance(node, promql.AggregateExpr):
            assert node.modifier
            assert node.modifier.type == promql.AggModifierType.Without
        elif isinstance(node, promql.BinaryExpr) and node.modifier and (found := node.modifier.matching):
            # What has no labels at all, such as hour(), is joined on none.
            assert found.type == promql.LabelModifierType.Exclude or found.labels == []


@pytest.mark.parametrize("rule", rules(), ids=name_of)
def test_no_rule_needs_another_one(rule: dict[str, Any]) -> None:
    assert not [selector for selector in selectors(rule["expr"]) if ":" in (selector.name or "")]


@pytest.mark.parametrize("rule", [rule for rule in rules() if "alert" in rule], ids=name_of)
def test_annotations_say_who_and_where_to_read_on(rule: dict[str, Any]) -> None:
    texts = rule["annotations"]
    assert set(texts) == {"summary", "description"}
    assert rule["labels"].keys() == {"severity"}
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    for text in (texts["summary"], texts["description"]):
        assert f"$labels.{WHO.get(rule['alert'], 'bridge')}" in text
    assert len(texts["summary"]) < 120
    assert texts["description"].endswith(".")


@pytest.mark.parametrize("rule", [rule for rule in rules() if "record" in rule], ids=name_of)
def test_recorded_series_are_named_level_metric_operation(rule: dict[str, Any]) -> None:
    level, metric, operation = rule["record"].split(":")
    assert level in ("bridge", "meter")
    # Neither renamed nor new: the metric that it is made of, but for the unit.
    assert any(
        (selector.name or "").startswith(metric.rsplit("_", 2)[0]) for selector in selectors(rule["expr"])
    )
    assert operation.startswith(("increase", "avg", "deriv"))


def test_the_command_writes_the_same_files_elsewhere(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "prometheus.build", "-o", str(tmp_path)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.split() == [str(tmp_path / name) for name in build.FILES]
    for name in build.FILES:
        assert (tmp_path / name).read_text() == (FOLDER / name).read_text()


def test_job_runbook_and_thresholds_can_be_others(tmp_path: Path) -> None:
    options = ["--job=energy", "--runbooks=https://wiki/iometer", "--set=battery_low_ratio=0.3"]
    build.main(["-o", str(tmp_path), *options, "--set=power_high_watts=15000"])
    text = (tmp_path / "alerts.yml").read_text()
    assert 'job="iometer"' not in text
    assert "runbook_url: https://wiki/iometer#batterylow\n" in text
    assert "<= 0.3\n" in text
    assert 'avg_over_time(iometer_power_watts{job="energy",bridge!=""}[15m]) > 15000\n' in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("battery_low=0.3", "'battery_low=0.3' is not NAME=VALUE with one of these names: flapping_up_ratio"),
        ("battery_low_ratio", "'battery_low_ratio' is not NAME=VALUE"),
        ("battery_low_ratio=30%", "'30%' is not a number for battery_low_ratio, write it as 0.2"),
    ],
)
def test_a_threshold_that_cannot_be_is_refused(
    change: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        build.main(["-o", str(tmp_path), "--set", change])
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_with_a_runbook_every_alert_leads_to_its_part_of_it() -> None:
    rules = yaml.safe_load(build.render(build.ALERTS, Settings(runbooks="https://wiki/iometer")))["groups"]
    found = {rule["alert"]: rule["annotations"] for group in rules for rule in group["rules"]}
    assert list(found) == NAMES
    for name, texts in found.items():
        assert texts["runbook_url"] == f"https://wiki/iometer#{name.lower()}"


def test_a_runbook_with_an_anchor_of_its_own_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        build.main(["-o", str(tmp_path), "--runbooks=https://wiki/iometer#top"])
    assert "has a '#', leave it out: each alert adds its own" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_job_that_would_end_the_selector_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        build.main(["-o", str(tmp_path), '--job=my "job"'])
    assert "is no name for a job, leave out quotes and backslashes" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_folder_is_made_or_told_in_a_sentence(tmp_path: Path) -> None:
    build.main(["-o", str(tmp_path / "rules" / "iometer")])
    assert sorted(path.name for path in (tmp_path / "rules" / "iometer").iterdir()) == sorted(build.FILES)
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match="file cannot be written to: "):
        build.main(["-o", str(tmp_path / "file")])


def test_every_threshold_is_used() -> None:
    shipped = document(build.ALERTS, Settings())
    for name in DEFAULTS.__dataclass_fields__:
        value = getattr(DEFAULTS, name)
        changed = build.with_changes(DEFAULTS, [f"{name}={value + 7}"])
        assert document(build.ALERTS, Settings(changed)) != shipped, name


def test_a_threshold_that_does_not_exist_is_no_empty_text() -> None:
    wrong = Group("wrong", (Record("bridge:x:avg1h", "x > $no_such_threshold"),))
    with pytest.raises(KeyError, match="no_such_threshold"):
        document([wrong], Settings())


def test_the_battery_is_low_where_check_says_so() -> None:
    assert DEFAULTS.battery_low_ratio == facts.LOW_BATTERY
    assert DEFAULTS.battery_critical_ratio == facts.LOW_BATTERY / 2


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.5, "500ms"), (1, "1s"), (90, "90s"), (600, "10m"), (21600, "6h"), (259200, "3d"), (0, "0ms")],
)
def test_durations_are_written_as_prometheus_does(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_hurried_rules_are_the_same_but_for_the_patience() -> None:
    patient = document(build.ALERTS, Settings())["groups"]
    fast = document(hurried(build.ALERTS, 600, 0.5), Settings())["groups"]
    pairs = [
        (one, other)
        for before, after in zip(patient, fast, strict=True)
        for one, other in zip(before["rules"], after["rules"], strict=True)
    ]
    times = {"for", "keep_firing_for"}
    for one, other in pairs:
        assert {k: v for k, v in one.items() if k not in times} == {
            k: v for k, v in other.items() if k not in times
        }
    by_name = {other["alert"]: other for _, other in pairs}
    assert by_name["CoreDisconnected"]["for"] == by_name["CoreDisconnected"]["keep_firing_for"] == "1s"
    assert {group["interval"] for group in fast} == {"500ms"}


def test_no_series_is_written_so_rarely_that_queries_lose_it() -> None:
    groups = [group for name in build.FILES for group in build.FILES[name]]
    assert max(group.interval for group in groups) < 5 * MINUTE


def test_alerts_are_known_by_their_own_names() -> None:
    alerts = [rule for group in build.ALERTS for rule in group.rules if isinstance(rule, Alert)]
    assert len({alert.anchor for alert in alerts}) == len(alerts) == 30
