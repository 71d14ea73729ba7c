"""What tests share: programs that a machine may lack, and a quiet httpx."""

import logging
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import is_hypothesis_test

from tests import properties
from tests.collecting import is_beside

properties.register()

if sys.dont_write_bytecode:
    # Not beside the source, then; but each of hundreds of processes would compile the program anew.
    sys.pycache_prefix = str(Path(__file__).parents[1] / ".pytest_cache" / "bytecode")
    sys.dont_write_bytecode = False
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

_PACKAGES = {
    "amtool": "prometheus-alertmanager",
    "chromium": "chromium",
    "curl": "curl",
    "ip": "iproute2",
    "node": "nodejs",
    "openssl": "openssl",
    "prometheus": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "promtool": "prometheus",
    "systemd-analyze": "systemd",
}

PROGRAMS = tuple(_PACKAGES)
"""What `.ci/run` hides to see that tests do without."""

IN_CI = os.environ.get("CI") == "true"


def require_program(name: str) -> str:
    """Path of a program; where it is missing the test is skipped, and fails in CI."""
    path = shutil.which(name)
    if path is None:
        message = f"the program {name!r} is not installed (Debian package: {_PACKAGES[name]})"
        if IN_CI:
            pytest.fail(message)
        pytest.skip(message)
    return path


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """The order of `pytest -n`, unless another is asked for with `--dist`."""
    # Imported here: without pytest-xdist the tests run one after the other.
    from tests.scheduling import Scheduling

    config.option.loadscopereorder = False
    return Scheduling(config, log) if config.getoption("dist") == "load" else None


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave aside the files that have nothing of what `-m` asks for."""
    if collection_path.suffix != ".py" or not is_beside(
        collection_path.read_text(), config.getoption("markexpr")
    ):
        return None
    return True


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where several share the tests, begin with what takes long: end-to-end tests, then properties."""
    if hasattr(config, "workerinput"):
        # Imported here: see above.
        from tests.scheduling import rank

        processes = {item.path for item in items if item.get_closest_marker("end_to_end")}
        properties = {item.path for item in items if is_hypothesis_test(getattr(item, "function", None))}
        items.sort(
            key=lambda item: (
                *((False, rank(item.nodeid)) if item.path in processes else (True, 0)),
                item.path not in properties,
            )
        )


class _Faults(logging.Handler):
    """Keeps what an event loop says of callbacks that raise: nobody else hears of it."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text.startswith("Exception in callback"):
            self.told.append(text)


@pytest.fixture(autouse=True)
def _faults() -> Iterator[None]:
    """No callback raises."""
    faults = _Faults()
    logger = logging.getLogger("asyncio")
    logger.addHandler(faults)
    yield
    logger.removeHandler(faults)
    assert not faults.told


@pytest.fixture(autouse=True)
def _logging() -> Iterator[None]:
    """A quiet httpx as in the program, and what a command run in this process sets up undone again."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    yield
    root.setLevel(level)
    root.handlers[:] = handlers
