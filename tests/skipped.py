"""A plugin of pytest for `.ci/run`: what one run has skipped is all that the next one does."""

from pathlib import Path
from typing import cast

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """The two options."""
    group = parser.getgroup("skipped")
    group.addoption("--skipped-to", type=Path, metavar="FILE", help="write down here what is skipped")
    group.addoption("--skipped-of", type=Path, metavar="FILE", help="run only what such a file names")


def pytest_configure(config: pytest.Config) -> None:
    """Write them down in one process, where several share the tests."""
    file = cast("Path | None", config.getoption("--skipped-to"))
    if file is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Skipped(file))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what was not skipped."""
    file = cast("Path | None", config.getoption("--skipped-of"))
    if file is not None:
        wanted = set(file.read_text().splitlines())
        # A file may be skipped as a whole again.
        known = {item.nodeid for item in items}
        if lost := {name for name in wanted if "::" in name} - known:
            raise pytest.UsageError(f"--skipped-of: nobody knows {', '.join(sorted(lost)[:3])}")
        others = [item for item in items if not {item.nodeid, item.nodeid.partition("::")[0]} & wanted]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in set(others)]


class _Skipped:
    """Writes the name of each test that is skipped, or of the file where all are, on a line of its own."""

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            file.touch(exist_ok=False)
        except FileExistsError as error:
            # A pytest that a test starts would take away what this one is to write.
            raise pytest.UsageError(f"--skipped-to: {file} is there already") from error

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._note(report)

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.skipped:
            with self._file.open("a") as file:
                file.write(f"{report.nodeid}\n")
