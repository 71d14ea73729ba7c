"""The committed cases of the alerts, `rules/<alert>.yml` for promtool, and what their names promise."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from iometer_exporter.metrics.families import FAMILIES
from iometer_exporter.provider.served.families import INSTALLATION_FAMILIES, PROVIDER_FAMILIES
from prometheus.build import ALERTS
from prometheus.rules import Alert
from tests import yamlfiles

ROOT: Final = Path(__file__).parent.parent.parent
RULES: Final = ROOT / "prometheus" / "alerts.yml"
FILES: Final = sorted((Path(__file__).parent / "rules").glob("*.yml"))
NAMES: Final = [rule.name for group in ALERTS for rule in group.rules if isinstance(rule, Alert)]

TARGET: Final = frozenset({"job", "instance"})
"""The labels that Prometheus adds at a scrape."""

_NAME: Final = re.compile(r"(?P<alert>[A-Z][A-Za-z]+) (?P<kind>fires|quiet|resolves): .+")


@dataclass(frozen=True, slots=True)
class Case:
    """One test group of promtool: series over time, and what fires when."""

    file: Path
    alert: str
    kind: str
    group: dict[str, Any]

    @property
    def name(self) -> str:
        """What promtool calls it when it fails."""
        return str(self.group["name"])

    def expected(self) -> list[bool]:
        """Whether the alert fires, at each time that is looked at, in the order of time."""
        checks = sorted(self.group["alert_rule_test"], key=lambda check: seconds(check["eval_time"]))
        return [bool(check.get("exp_alerts")) for check in checks]


def documents() -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every file with its content."""
    for file in FILES:
        yield file, yamlfiles.load(file.read_text())


def cases() -> list[Case]:
    """All cases; a name that is not of the agreed form fails the test that asks."""
    found = []
    for file, document in documents():
        for group in document["tests"]:
            match = _NAME.fullmatch(group["name"])
            assert match, f"{file.name}: {group['name']!r} is not 'Alert fires|quiet|resolves: why'"
            found.append(Case(file, match["alert"], match["kind"], group))
    return found


def label_sets(metric: str) -> list[frozenset[str]]:
    """The labels of a metric's series; of a name that bridges and installations share there are two sets."""
    families = (*FAMILIES, *PROVIDER_FAMILIES, *INSTALLATION_FAMILIES)
    found = [TARGET | set(family.labels) for family in families if family.name == metric]
    return [TARGET] if metric == "up" else found


def shipped() -> dict[str, dict[str, Any]]:
    """The alerts of the committed rule file by name."""
    rules = [rule for group in yamlfiles.load(RULES.read_text())["groups"] for rule in group["rules"]]
    return {rule["alert"]: rule for rule in rules}


def seconds(text: str) -> int:
    """A time span as Prometheus writes it."""
    sizes = {"d": 86400, "h": 3600, "m": 60, "s": 1}
    return sum(int(count) * sizes[unit] for count, unit in re.findall(r"(\d+)([dhms])", text))
