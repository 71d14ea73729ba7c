"""The documents say what the program does."""

import os
import re
from pathlib import Path

import click
import pytest

from iometer_exporter import __version__
from iometer_exporter.cli import cli
from iometer_exporter.metrics.families import FAMILIES, PROBE_FAMILIES, Family
from iometer_exporter.provider.served.families import (
    INSTALLATION_FAMILIES,
    PROVIDER_FAMILIES,
    SHARED_FAMILIES,
)
from iometer_exporter.simulator import FAULTS, SITUATIONS
from tests.cli.test_cli import commands

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / name for name in ("README.md", "README.de.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted(
    DOCS.glob("*.md")
)

METRICS_INTRO = """\
# Metrics

Every series of a bridge carries `bridge`: the configured name, else the name by which the bridge announces
itself, else its address. Series of a meter or its device also carry `meter`, the number of the meter, empty
while unknown. Units are base units: 3 600 000 J are 1 kWh. **What is unknown is absent**: never 0, never NaN.

Power, voltage, current and frequency are left out once a reading is older than `stale_after` (20 minutes),
or has been the same for that long: last night's power is no power. Counters stay, as the meter's own do, and
never fall unless the meter's own did. After a start they may
[come a minute later](configuration.md#what-outlives-a-restart).

| metric | type | labels | meaning |
|---|---|---|---|
"""

METRICS_PROBE = """
`/metrics` also has the usual `process_*` and `python_info` of the exporter's own process.

## Of a probe

`/probe` answers with the families of one bridge, never with those of the exporter, and with these:

| metric | type | labels | meaning |
|---|---|---|---|
"""


METRICS_PROVIDER = """
## Of a provider

With a section `provider` in the configuration, `/metrics` also has what the [provider API](provider.md)
says. It is read in the background and served from memory. About the provider as a whole:

| metric | type | labels | meaning |
|---|---|---|---|
"""

METRICS_INSTALLATION = """
### Of its installations

Every series carries `installation`: the external id if there is one, else the id. Of two installations with
one external id, the one seen later goes by its id. A meter that a bridge known here reads too is served from
the bridge only: its series with a label `meter` are left out.

| metric | type | labels | meaning |
|---|---|---|---|
"""

METRICS_SHARED = """
These have the names that bridges use too, with `installation` in place of `bridge`, so that one query finds
both:

| metric | type | labels |
|---|---|---|
"""


def rows(families: tuple[Family, ...]) -> str:
    lines = []
    for family in families:
        labels = " ".join(f"`{label}`" for label in family.labels)
        lines.append(f"| `{family.name}` | {family.type} | {labels} | {family.help} |\n")
    return "".join(lines)


def short_rows(families: tuple[Family, ...]) -> str:
    lines = []
    for family in families:
        labels = " ".join(f"`{label}`" for label in family.labels)
        lines.append(f"| `{family.name}` | {family.type} | {labels} |\n")
    return "".join(lines)


def metrics_page() -> str:
    own = tuple(family for family in INSTALLATION_FAMILIES if family not in SHARED_FAMILIES)
    provider = METRICS_PROVIDER + rows(PROVIDER_FAMILIES) + METRICS_INSTALLATION + rows(own)
    shared = METRICS_SHARED + short_rows(SHARED_FAMILIES)
    return METRICS_INTRO + rows(FAMILIES) + METRICS_PROBE + rows(PROBE_FAMILIES) + provider + shared


def test_the_page_of_metrics_is_that_of_the_table() -> None:
    page = DOCS / "metrics.md"
    if os.environ.get("REGENERATE_DOCS"):
        page.write_text(metrics_page())
    assert page.read_text() == metrics_page()


def test_every_option_and_command_is_in_the_page_of_configuration() -> None:
    page = (DOCS / "configuration.md").read_text()
    for name, command in commands():
        assert f"`{name}`" in page
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert f"`{parameter.opts[0]}" in page, f"{name} {parameter.opts[0]}"


def faults_table() -> str:
    """Faults first, then what some bridges are like."""
    rows = {kind: f"| `{kind}` | {text} |\n" for kind, text in FAULTS.items()}
    faults = "".join(row for kind, row in rows.items() if kind not in SITUATIONS)
    situations = "".join(row for kind, row in rows.items() if kind in SITUATIONS)
    return (
        f"| fault | what the bridge does |\n|---|---|\n{faults}\n"
        f"| situation | nothing is wrong, but |\n|---|---|\n{situations}"
    )


def test_the_table_of_faults_is_that_of_the_simulator() -> None:
    page = DOCS / "configuration.md"
    before, begin, rest = page.read_text().partition("<!-- faults of simulate -->\n\n")
    _, end, after = rest.partition("\n<!-- end of faults -->")
    assert begin
    assert end
    expected = before + begin + faults_table() + end + after
    if os.environ.get("REGENERATE_DOCS"):
        page.write_text(expected)
    assert page.read_text() == expected


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_the_version_is_in_the_changelog_or_not_released_yet() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert "## Unreleased" in changelog or f"## {__version__}" in changelog


def test_readme_has_its_two_commands() -> None:
    readme = (ROOT / "README.md").read_text()
    for marker in ("demo", "test"):
        [command] = re.findall(rf"<!-- {marker} command -->\n```sh\n(.*)\n```", readme)
        assert command.startswith("python3 -m venv .venv && ")


def test_every_command_is_known_to_the_help() -> None:
    context = click.Context(cli)
    assert set(cli.list_commands(context)) == {name.split()[0] for name, _ in commands()}


def test_constraints_are_names_and_versions_only() -> None:
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][0-9a-z.]*", line), line


def test_every_claim_about_security_names_a_test_that_exists() -> None:
    page = (DOCS / "security.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| ") and "claim" not in line]
    assert len(rows) > 30
    for row in rows:
        tests = re.findall(r"`([\w/]+\.py)::(\w+)`", row)
        assert tests, f"this claim names no test: {row}"
        for file, name in tests:
            source = (ROOT / "tests" / file).read_text()
            assert re.search(rf"^(async )?def {name}\(", source, re.MULTILINE), f"there is no {file}::{name}"
