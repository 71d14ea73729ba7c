"""The examples in the documents are taken by the programs that they are for."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from iometer_exporter.config.file import Config, parse_config
from tests.conftest import require_program

ROOT = Path(__file__).parent.parent
PAGES = [*sorted(ROOT.glob("README*.md")), *sorted((ROOT / "docs").glob("*.md"))]

EXPORTER_KEYS = (
    "timeout",
    "stale_after",
    "max_power",
    "reset_after",
    "discovery",
    "bridges",
    "probe",
    "provider",
)
"""Keys with which an example of the exporter's own file begins."""

NAMED_FILE = re.compile(r"\b(?:ca|cert|key|password|credentials)_file: *([A-Za-z0-9_.-]+)")
"""A file that stands beside the Prometheus configuration; promtool wants it to be there."""


def blocks() -> list[tuple[str, str]]:
    """The YAML examples of all pages, each with the page and the line at which it begins."""
    found = []
    for page in PAGES:
        text = page.read_text()
        for block in re.finditer(r"^( *)```yaml\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL):
            line = text.count("\n", 0, block.start()) + 1
            example = re.sub(f"^{block[1]}", "", block[2], flags=re.MULTILINE)
            found.append((f"{page.name}:{line}", example))
    return found


def beginning_with(*keys: str) -> list[object]:
    """The examples whose first line that is no comment has one of the keys."""
    pattern = re.compile(rf"(?:#.*\n|\n)*(?:{'|'.join(keys)}):")
    return [pytest.param(text, id=where) for where, text in blocks() if pattern.match(text)]


def queries() -> list[str]:
    """The PromQL examples of all pages."""
    texts = [page.read_text() for page in PAGES]
    return [query for text in texts for query in re.findall(r"^```promql\n(.*?)^```$", text, re.M | re.S)]


def anchors(page: Path) -> set[str]:
    """The headings of a page as GitHub makes anchors of them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def check(promtool: str, kind: str, file: Path) -> None:
    done = subprocess.run(
        [promtool, "check", kind, file], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("example", beginning_with("scrape_configs"))
@pytest.mark.end_to_end
def test_prometheus_takes_the_scrape_configurations(example: str, tmp_path: Path) -> None:
    promtool = require_program("promtool")
    (tmp_path / "prometheus.yml").write_text(example)
    for name in NAMED_FILE.findall(example):
        (tmp_path / name).touch()
    check(promtool, "config", tmp_path / "prometheus.yml")


@pytest.mark.parametrize("example", beginning_with(*EXPORTER_KEYS))
def test_the_exporter_takes_its_configurations(example: str) -> None:
    assert isinstance(parse_config(example), Config)


@pytest.mark.end_to_end
def test_prometheus_takes_the_queries(tmp_path: Path) -> None:
    """Each line of the PromQL examples is a query of its own; comments end it."""
    promtool = require_program("promtool")
    lines = [line.partition("#")[0].strip() for example in queries() for line in example.splitlines()]
    rules = [{"record": f"docs:{index}", "expr": line} for index, line in enumerate(filter(None, lines))]
    assert len(rules) >= 10
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "docs", "rules": rules}]}))
    check(promtool, "rules", tmp_path / "rules.yml")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_a_heading(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", page.read_text()):
        assert anchor in anchors(page.parent / target if target else page), f"{target}#{anchor}"


def test_there_are_examples_of_both_kinds() -> None:
    assert len(beginning_with("scrape_configs")) >= 6
    assert len(beginning_with(*EXPORTER_KEYS)) >= 3
