"""The documents say what the program does."""

import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import iometer_exporter
from iometer_exporter import __version__
from iometer_exporter.cli import cli
from iometer_exporter.metrics.families import FAMILIES, PROBE_FAMILIES, Family
from iometer_exporter.provider.served.families import (
    INSTALLATION_FAMILIES,
    PROVIDER_FAMILIES,
    SHARED_FAMILIES,
)
from iometer_exporter.simulator import FAULTS, SITUATIONS
from prometheus.build import ALERTS
from prometheus.rules import Alert
from tests.cli.test_cli import commands
from tests.test_architecture import BESIDE, LAYERS

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
SITE = Path(iometer_exporter.__file__).parent.parent
"""Where the package lies: elsewhere, if it is the installed wheel that is tested."""
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.glob("*.md"))]

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

## Of a bridge that is followed

`iometer_stream_…` are there for bridges whose [event streams are followed](configuration.md#event-streams),
and `iometer_power_distribution_watts` as soon as one has brought a power. It counts each reading once,
those refused and held back not at all, and begins anew with another meter, with other settings and at a
restart. As with every histogram that has negative bounds, there is neither `_sum` nor `_count`; the bucket
`+Inf` has the count. The power that was exceeded for 1 % of the last hour:

```promql
histogram_quantile(0.99, sum by (bridge, le) (increase(iometer_power_distribution_watts_bucket[1h])))
```

While a stream is alive its newest event is what the last fetch is elsewhere: `iometer_up` and
`iometer_endpoint_up` are 1, and `iometer_scrape_duration_seconds` is 0. `iometer_scrape_errors_total` also
counts events that are no valid document, and streams that sent too much. A stream that cannot be opened, or
ends, is no error there: the endpoint is fetched then, and that is counted.

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
    assert page.read_text() == metrics_page(), "run REGENERATE_DOCS=1 python -m pytest tests/test_docs.py"


def test_every_option_and_command_is_in_the_page_of_configuration() -> None:
    page = (DOCS / "configuration.md").read_text()
    for name, command in commands():
        assert f"`{name}`" in page
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                option = parameter.opts[0]
                assert f"`{option}" in page, f"docs/configuration.md has no {option} of {name}"


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
    assert page.read_text() == expected, "run REGENERATE_DOCS=1 python -m pytest tests/test_docs.py"


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


def test_the_rooms_are_those_of_the_architecture() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text()
    rows = re.findall(r"^\| (\d|beside) \| `(\w+)` \|", page, re.MULTILINE)
    expected = {room: str(level) for level, layer in enumerate(LAYERS) for room in layer if level}
    assert {room: level for level, room in rows} == expected | dict.fromkeys(BESIDE, "beside")
    picture = page.partition("```\n                    __main__")[2].partition("```")[0]
    drawn = [set(re.findall(r"\w+", line)) & expected.keys() for line in picture.splitlines()]
    assert [rooms for rooms in drawn if rooms] == [set(layer) for layer in LAYERS[:0:-1]][1:]


def test_the_road_and_the_folders_exist() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text().partition("### The road of one register")[2]
    road, _, rest = page.partition("### Words")
    assert rest
    for module in re.findall(r"`([\w/]+(?:\.py|/))`", road):
        places = (SITE / "iometer_exporter", SITE / "iometer_exporter" / "provider")
        assert any((place / module).exists() for place in places), module


def recipes() -> dict[str, str]:
    """The recipes of CONTRIBUTING by their headings."""
    page = (ROOT / "CONTRIBUTING.md").read_text().partition("## Recipes\n")[2].partition("\n## ")[0]
    parts = re.split(r"^### (.+)\n", page, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def steps(recipe: str) -> Iterator[tuple[str, list[str]]]:
    """The steps of a recipe, each with the code that stands in it."""
    for step in re.split(r"^\d+\. ", recipe, flags=re.MULTILINE)[1:]:
        yield step, [re.sub(r"\s+", " ", code) for code in re.findall(r"`([^`]+)`", step)]


def files_of(path: str) -> list[Path]:
    """The files of this name, of a folder its modules; an alert's name may be any."""
    pattern = re.sub(r"<\w+>", "*", path if path[-1] != "/" else f"{path}*")
    return list((SITE if path.startswith("iometer_exporter/") else ROOT).glob(pattern))


def is_path(code: str) -> bool:
    return bool(re.fullmatch(r"[\w./<>-]+(?:\.(?:py|md|yml|graphql)|/)", code))


def test_there_is_a_recipe_for_what_is_added_most() -> None:
    assert list(recipes()) == [
        "A field of the status",
        "A family from an OBIS code",
        "A flag",
        "A rule of the guard",
        "An alert",
        "A panel",
        "A field of the provider",
        "A fault of the simulator",
    ]


@pytest.mark.parametrize("name", recipes())
def test_what_a_recipe_names_exists(name: str) -> None:
    for step, codes in steps(recipes()[name]):
        text = ""
        for path in filter(is_path, codes):
            found = files_of(path)
            assert found, f"there is no {path}: {step}"
            text += "".join(file.read_text() for file in found if file.suffix in (".py", ".graphql"))
        for code in codes:
            if re.fullmatch(r"[A-Za-z_]\w+", code) and code != "yield":
                assert re.search(rf"\b{code}\b", text), f"{code} is in no file of the step: {step}"


@pytest.mark.parametrize("name", recipes())
def test_a_recipe_ends_with_a_command_and_every_command_can_be_given(name: str) -> None:
    found = [code for _, codes in steps(recipes()[name]) for code in codes if "python -m " in code]
    assert "python -m pytest" in found[-1]
    for command in found:
        setting, _, words = command.rpartition("python -m ")
        module, *arguments = words.split()
        places = [ROOT / f"{module.replace('.', '/')}{ending}" for ending in (".py", "/__main__.py")]
        assert module == "pytest" or any(place.exists() for place in places), command
        files = [ROOT / argument for argument in arguments if argument.startswith("tests/")]
        assert all(file.exists() for file in files), command
        if variable := setting.strip().partition("=")[0]:
            assert any(f'"{variable}"' in file.read_text() for file in files), command


NUMBERS = {
    29: ("Twenty-nine", "neunundzwanzig"),
    30: ("Thirty", "dreißig"),
    31: ("Thirty-one", "einunddreißig"),
    32: ("Thirty-two", "zweiunddreißig"),
}


def test_the_number_of_alerts_is_right() -> None:
    count = sum(isinstance(rule, Alert) for group in ALERTS for rule in group.rules)
    english, german = NUMBERS[count]
    for page, text in (
        ("README.md", f"{english} alerts"),
        ("README.de.md", f"{german} Alarme"),
        ("docs/alerts.md", f"has {count} alerts"),
    ):
        assert text in re.sub(r"\s+", " ", (ROOT / page).read_text()), f"{page} does not say {text}"


def test_every_page_of_the_root_is_in_the_source_distribution() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    included = project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    # README and license are always in it.
    assert {f"/{page.name}" for page in ROOT.glob("*.md")} - {"/README.md"} <= set(included)
