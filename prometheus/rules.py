"""Rules as values, and how they become the documents that Prometheus reads."""

import string
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

from prometheus.thresholds import DEFAULTS, JOB, RUNBOOKS, Thresholds

MINUTE: Final = 60.0
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

Severity = Literal["critical", "warning", "info"]
"""Data is being lost now; act this week; good to know."""


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert: the expression is true for `after` seconds before it fires.

    `$job` in the expression is the selector of the job, `$bridge` that of its bridges, `$installation` that
    of a provider's installations, and `$name` a threshold. The annotations are Prometheus's templates.
    Whoever reads them must know what is wrong, where, and what to do first: the runbook may be out of reach.
    """

    name: str
    severity: Severity
    after: float
    expr: str
    summary: str
    description: str
    keep_firing: float = 0.0
    """Seconds for which it goes on when the expression is no longer true."""

    @property
    def anchor(self) -> str:
        """Where its part of the runbook begins."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Record:
    """A recording rule, named level:metric:operation."""

    name: str
    expr: str


@dataclass(frozen=True, slots=True)
class Group:
    """Rules evaluated together, every `interval` seconds (0: as often as Prometheus does by itself)."""

    name: str
    rules: tuple[Alert | Record, ...]
    interval: float = 0.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What a user may want otherwise: limits, the name of the job, where the runbook is (empty: nowhere)."""

    thresholds: Thresholds = DEFAULTS
    job: str = JOB
    runbooks: str = RUNBOOKS


def document(groups: Sequence[Group], settings: Settings) -> dict[str, Any]:
    """The groups as the content of a rule file; raises KeyError for a threshold that does not exist."""
    return {"groups": [dict(_group(group, settings)) for group in groups]}


def hurried(groups: Sequence[Group], factor: float, interval: float) -> tuple[Group, ...]:
    """The same rules, so many times less patient, evaluated every `interval` seconds: for tests."""

    def rule(one: Alert | Record) -> Alert | Record:
        if isinstance(one, Record):
            return one
        return replace(one, after=one.after / factor, keep_firing=one.keep_firing / factor)

    return tuple(Group(group.name, tuple(map(rule, group.rules)), interval) for group in groups)


def duration(seconds: float) -> str:
    """A time span as Prometheus writes it: `90s`, `10m`, `6h`, `3d`."""
    milliseconds = round(seconds * 1000)
    for size, unit in ((86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")):
        if milliseconds and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"


def _group(group: Group, settings: Settings) -> Iterator[tuple[str, Any]]:
    yield "name", group.name
    if group.interval:
        yield "interval", duration(group.interval)
    yield "rules", [dict(_rule(rule, settings)) for rule in group.rules]


def _rule(rule: Alert | Record, settings: Settings) -> Iterator[tuple[str, Any]]:
    job = f'job="{settings.job}"'
    # The installations of a provider have the same metrics with a label `installation` in place of `bridge`.
    selectors = {"job": job, "bridge": f'{job},bridge!=""', "installation": f'{job},installation!=""'}
    names = selectors | asdict(settings.thresholds)
    expr = string.Template(rule.expr).substitute(names).strip()
    if isinstance(rule, Record):
        yield from (("record", rule.name), ("expr", expr))
        return
    yield from (("alert", rule.name), ("expr", expr))
    if rule.after:
        yield "for", duration(rule.after)
    if rule.keep_firing:
        yield "keep_firing_for", duration(rule.keep_firing)
    yield "labels", {"severity": rule.severity}
    texts = {"summary": rule.summary, "description": rule.description}
    if settings.runbooks:
        texts["runbook_url"] = f"{settings.runbooks}#{rule.anchor}"
    yield "annotations", texts
