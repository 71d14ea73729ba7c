"""The direction of imports, and what the pure modules may not touch."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "iometer_exporter"

ORDER = [
    "__init__",
    "errors",
    "obis",
    "models",
    "quantities",
    "history",
    "memory",
    "guard",
    "snapshot",
    "units",
    "strict",
    "providerconfig",
    "config",
    "yamlfile",
    "tlsconfig",
    "webconfig",
    "webtls",
    "webauth",
    "clients",
    "webgate",
    "descriptors",
    "statefile",
    "statekeeper",
    "http_answer",
    "httptools_reader",
    "h11_reader",
    "connection",
    "listener",
    "httpserver",
    "transport",
    "resolve",
    "bridge",
    "announcements",
    "mdns",
    "discovery",
    "admission",
    "sharing",
    "target",
    "probed",
    "roster",
    "fleet",
    "metrics",
    "collectors",
    "exposition",
    "provider",
    "exporter",
    "facts",
    "landing",
    "service_discovery",
    "web",
    "sockets",
    "notify",
    "server",
    "log",
    "simulator",
    "cli",
    "__main__",
]
LAZY = {("config", "yamlfile")}
"""Imported inside a function, from further down, for the sake of the start-up."""

PURE = ["obis", "models", "quantities", "history", "memory", "guard", "snapshot", "metrics", "collectors"]
IO = {"asyncio", "httpx", "io", "os", "pathlib", "socket", "subprocess", "threading", "time", "zeroconf"}


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def part(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "iometer_exporter":
            yield from (f"iometer_exporter.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def own_parts(path: Path) -> set[str]:
    names = [name.split(".") for name in imported(path) if name.split(".")[0] == "iometer_exporter"]
    parts = {name[1] if len(name) > 1 else "__init__" for name in names}
    return {"__init__" if name.startswith("__version") else name for name in parts} - {part(path)}


def test_every_module_is_in_the_order() -> None:
    assert {part(path) for path in sources()} == set(ORDER)


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_up_the_list(path: Path) -> None:
    allowed = set(ORDER[: ORDER.index(part(path))]) | {below for above, below in LAZY if above == part(path)}
    assert own_parts(path) <= allowed


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_do_no_io(name: str) -> None:
    assert not {module.split(".")[0] for module in imported(PACKAGE / f"{name}.py")} & IO


def test_the_simulator_shares_nothing_with_what_it_tests() -> None:
    for path in (PACKAGE / "simulator").rglob("*.py"):
        assert own_parts(path) <= {"errors"}


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))
