"""The dashboards against the types of Grafana's newest schema, which knows each panel's own options."""

import copy
import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.grafana.boards import Json, boards
from tests.grafana.judge import require_packages
from tests.grafana.judge.packages import HERE, modules

pytestmark = pytest.mark.end_to_end

OPTIONS = [
    *("--noEmit", "--strict", "--skipLibCheck", "--target", "es2022"),
    *("--module", "esnext", "--moduleResolution", "bundler"),
]


def complaints(folder: Path, documents: Mapping[str, Json]) -> dict[str, str]:
    """The first that the compiler has to say of each dashboard that it does not like."""
    require_packages()
    (folder / "node_modules").symlink_to(modules() / "node_modules")
    shutil.copy(HERE / "board.ts", folder)
    for name, document in documents.items():
        written = json.dumps(document, ensure_ascii=False, indent=1)
        text = f"import type {{ Board }} from './board';\nexport const board: Board = {written};\n"
        (folder / f"{name}.ts").write_text(text)
    compiler = modules() / "node_modules/typescript/bin/tsc"
    command = ["node", str(compiler), *OPTIONS, *(f"{name}.ts" for name in documents)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    found: dict[str, str] = {}
    for line in done.stdout.splitlines():
        if ": error " in line:
            found.setdefault(line.partition(".ts(")[0], line)
    assert bool(found) == bool(done.returncode), done.stdout
    return found


def test_the_dashboards_are_what_the_schema_allows(tmp_path: Path) -> None:
    """In English; the German differs in words alone."""
    assert complaints(tmp_path, boards()) == {}


def test_a_seeded_fault_is_caught(tmp_path: Path) -> None:
    home = boards()["iometer-home"]
    faulty = {name: copy.deepcopy(home) for name in ("option", "enumeration", "custom", "panel", "board")}
    faulty["option"]["panels"][0]["options"]["sparkline"] = True
    faulty["enumeration"]["panels"][0]["options"]["textMode"] = "names"
    curve = next(panel for panel in faulty["custom"]["panels"] if panel["type"] == "timeseries")
    curve["fieldConfig"]["defaults"]["custom"]["lineWidht"] = 2
    faulty["panel"]["panels"][0]["type"] = "singlestat"
    faulty["board"]["style"] = "dark"
    assert complaints(tmp_path, faulty).keys() == faulty.keys()
