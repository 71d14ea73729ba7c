"""The direction of imports, and what the pure modules may not touch."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

PACKAGE = Path(__file__).parent.parent / "iometer_exporter"

LAYERS: Final[tuple[frozenset[str], ...]] = (
    frozenset({"__init__"}),
    frozenset({"errors", "extras", "log", "text"}),
    frozenset({"meter", "net", "state"}),
    frozenset({"config", "metrics", "wording"}),
    frozenset({"bridges", "provider"}),
    frozenset({"exporter"}),
    frozenset({"web"}),
    frozenset({"cli"}),
    frozenset({"__main__"}),
)
"""The rooms of the package, from the ground up: each imports of those below, never of its own layer."""

BESIDE: Final = {"simulator": {"errors"}}
"""What stands beside everything, and all that it shares; only the command line knows it."""

PURE: Final = ("meter", "metrics", "provider/served")
PURE_MODULES: Final = ("bridges/snapshot", "bridges/samples")
IO = {"asyncio", "httpx", "io", "os", "pathlib", "socket", "subprocess", "threading", "time", "zeroconf"}


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def imported(path: Path) -> frozenset[str]:
    return frozenset(_imported(path))


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "iometer_exporter":
            yield from (f"iometer_exporter.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def rooms_of(path: Path) -> set[str]:
    """The other rooms that a module imports of."""
    names = [name.split(".") for name in imported(path) if name.split(".")[0] == "iometer_exporter"]
    rooms = {name[1] if len(name) > 1 else "__init__" for name in names}
    return {"__init__" if name.startswith("__version") else name for name in rooms} - {room(path)}


def test_every_room_has_its_layer() -> None:
    assert {room(path) for path in sources()} == frozenset().union(*LAYERS) | BESIDE.keys()


def rooms_below(own: str) -> set[str]:
    """The rooms of which one may import."""
    if own in BESIDE:
        return set(BESIDE[own])
    level = next(number for number, layer in enumerate(LAYERS) if own in layer)
    return set().union(*LAYERS[:level]) | (BESIDE.keys() if own == "cli" else set())


def test_imports_point_down() -> None:
    wrong = {str(path): rooms_of(path) - rooms_below(room(path)) for path in sources()}
    assert {path: rooms for path, rooms in wrong.items() if rooms} == {}


@pytest.mark.parametrize("name", [*PURE, *PURE_MODULES])
def test_what_is_pure_does_no_io(name: str) -> None:
    folder = PACKAGE / name
    paths = sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]
    assert paths
    for path in paths:
        assert not {module.split(".")[0] for module in imported(path)} & IO, path


def test_every_module_says_what_it_is() -> None:
    assert [str(path) for path in sources() if not ast.get_docstring(tree(path))] == []


ROOT: Final = PACKAGE.parent
BESIDE_PACKAGE: Final[dict[str, frozenset[str]]] = {
    "devtools": frozenset(),
    "prometheus": frozenset(),
    "grafana": frozenset({"devtools", "prometheus"}),
    "benchmarks": frozenset({"devtools"}),
}
"""What stands beside the package, each with what it may import of the others; tests import all of it."""


def modules_beside() -> list[Path]:
    return sorted(path for folder in BESIDE_PACKAGE for path in (ROOT / folder).rglob("*.py"))


def test_no_program_depends_on_its_tests() -> None:
    """Nor the package on what stands beside it, wherever in a module the import is."""
    wrong = {}
    for path in (*sources(), *modules_beside()):
        folder = path.relative_to(ROOT).parts[0]
        allowed = BESIDE_PACKAGE.get(folder, frozenset()) | {folder}
        wrong[str(path)] = {name.split(".")[0] for name in imported(path)} & {
            "tests",
            *BESIDE_PACKAGE,
        } - allowed
    assert {path: folders for path, folders in wrong.items() if folders} == {}
