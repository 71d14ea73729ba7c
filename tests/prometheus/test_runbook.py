"""Every alert has its part of docs/alerts.md, and what stands there is true."""

import re
from typing import Final

import promql_parser as promql
import pytest

from iometer_exporter.metrics.families import FAMILIES
from iometer_exporter.provider.served.families import INSTALLATION_FAMILIES, PROVIDER_FAMILIES
from prometheus.build import ALERTS, RECORDING
from prometheus.rules import Alert
from prometheus.thresholds import DEFAULTS
from tests.cli.test_cli import commands
from tests.prometheus.cases import ROOT
from tests.prometheus.test_rules import selectors

PAGE: Final = (ROOT / "docs" / "alerts.md").read_text()
ALL: Final = [rule for group in ALERTS for rule in group.rules if isinstance(rule, Alert)]
RECORDED: Final = {rule.name for group in RECORDING for rule in group.rules}
FAMILIES_OF_ALL: Final = (*FAMILIES, *PROVIDER_FAMILIES, *INSTALLATION_FAMILIES)
METRICS: Final = {family.name for family in FAMILIES_OF_ALL} | {"up"} | RECORDED

each_alert = pytest.mark.parametrize("alert", ALL, ids=lambda alert: alert.name)


def section(heading: str) -> str:
    """The text below a heading, up to the next one."""
    [text] = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return str(text)


def anchors() -> list[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL), re.MULTILINE)
    return [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]


@each_alert
def test_every_alert_has_its_anchor_and_all_parts(alert: Alert) -> None:
    assert anchors().count(alert.anchor) == 1
    parts = re.findall(r"^\*\*(\w+)\.\*\* \S", section(alert.name), re.MULTILINE)
    assert parts == ["Means", "Check", "Do", "Limits"]


@each_alert
def test_how_to_check_is_a_command_or_a_query(alert: Alert) -> None:
    check = section(alert.name).partition("**Check.**")[2].partition("**Do.**")[0]
    assert re.search(r"`[a-z-]+ [^`]+`|```promql|`iometer_\w+|display", check)


@each_alert
def test_the_limits_are_those_of_the_expression(alert: Alert) -> None:
    used = [name for name in DEFAULTS.__dataclass_fields__ if re.search(rf"\${name}\b", alert.expr)]
    limits = ", ".join(f"`{name}` {getattr(DEFAULTS, name)}" for name in used) or "None"
    assert section(alert.name).rstrip().endswith(f"**Limits.** {limits}.")


@pytest.mark.parametrize("severity", ["critical", "warning", "info"])
def test_the_table_of_severities_is_right(severity: str) -> None:
    [row] = re.findall(rf"^\| {severity} \|.*$", PAGE, re.MULTILINE)
    listed = re.findall(r"\[(\w+)\]\(#(\w+)\)", row)
    assert sorted(listed) == sorted((alert.name, alert.anchor) for alert in ALL if alert.severity == severity)


def test_queries_are_promql_on_metrics_that_exist() -> None:
    blocks = re.findall(r"```promql\n(.*?)```", PAGE, re.DOTALL)
    queries = [line for block in blocks for line in block.splitlines()]
    assert len(queries) > 10
    for query in queries:
        for selector in selectors(query):
            assert selector.name in METRICS, query
    inline = re.findall(r"`((?:iometer_\w+|count by)[^`]*)`", PAGE)
    assert inline
    for query in inline:
        promql.parse(query)
    assert set(re.findall(r"(?<![\w:])iometer_\w+", PAGE)) <= METRICS


def test_commands_exist() -> None:
    named = set(re.findall(r"`iometer-exporter ((?:(?:config|provider) )?\w+)", PAGE))
    assert named == {"check", "config check", "discover", "healthcheck"} | {
        f"provider {command}" for command in ("status", "installations")
    }
    assert named <= {name for name, _ in commands()}


def test_links_within_the_page_lead_somewhere() -> None:
    assert set(re.findall(r"\]\(#([\w-]+)\)", PAGE)) <= set(anchors())
