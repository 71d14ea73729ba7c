"""Grafana's packages for the tests: which they are, and when they are installed anew."""

import json
import re
from pathlib import Path

import pytest
import yaml

from tests.grafana.boards import ROOT
from tests.grafana.judge import VERSIONS, packages

MANIFEST = json.loads((packages.HERE / "package.json").read_text())
LOCKED = json.loads((packages.HERE / "package-lock.json").read_text())["packages"]


def version(package: str) -> tuple[int, ...]:
    return tuple(map(int, LOCKED[f"node_modules/{package}"]["version"].split(".")))


def test_each_grafana_that_is_promised_judges() -> None:
    promised = re.search(r"Grafana (\d+) to (\d+)", (ROOT / "docs" / "dashboards.md").read_text())
    assert promised
    majors = [version(name)[0] for name in VERSIONS]
    assert majors == list(range(int(promised[1]), int(promised[2]) + 1))
    assert [f"grafana-{major}" for major in majors] == list(VERSIONS)


def test_the_newest_is_that_of_compose() -> None:
    image = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["grafana"]["image"]
    assert tuple(map(int, image.partition(":")[2].split("."))) == version(VERSIONS[-1])
    assert version("@grafana/schema") == version(VERSIONS[-1])


def test_every_version_is_exact() -> None:
    assert not [wanted for wanted in MANIFEST["dependencies"].values() if re.search(r"[\^~*x]", wanted)]


def test_the_lock_file_names_no_registry() -> None:
    assert not [name for name, package in LOCKED.items() if "resolved" in package]
    assert all("integrity" in package for name, package in LOCKED.items() if name)


def test_another_lock_file_has_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = packages.modules()
    for name in ("package.json", "package-lock.json", ".npmrc"):
        (tmp_path / name).write_bytes((packages.HERE / name).read_bytes())
    monkeypatch.setattr(packages, "HERE", tmp_path)
    assert packages.modules() == before
    (tmp_path / "package-lock.json").write_text("{}")
    assert packages.modules() != before


def test_what_is_installed_is_not_installed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no npm on this PATH."""
    monkeypatch.setattr(packages, "CACHE", tmp_path / "cache")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError):
        packages.install()
    assert list((tmp_path / "cache").iterdir()) == []
    packages.modules().mkdir()
    packages.install()
