"""A process that runs tests again and again, in children that find all but this project imported.

Started in a tree of its own with the tests as arguments. Each line on stdin is a number of seconds; each line
of answer is the exit code of pytest, or nothing if it did not end in that time. Tests that have failed often
come first: most mutants are killed by few tests.
"""

import importlib
import json
import os
import signal
import sys
import time
from collections import Counter
from contextlib import suppress
from typing import Final

import pytest

_OURS: Final = ("iometer_exporter", "tests", "grafana", "prometheus", "devtools", "conftest", "__main__")

_OPTIONS: Final = [
    *("-x", "-q", "-m", "not end_to_end", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:pytest_cov"),
    # Plugins are imported before pytest could rewrite their asserts, which are none of ours.
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
]


class _Order:
    """Runs the tests that have failed most often first, and notes which fail now."""

    def __init__(self, failed: Counter[str]) -> None:
        self._before = failed
        self.failed: list[str] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=lambda item: -self._before[item.nodeid])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.append(report.nodeid)


def _run(tests: list[str], answer: int, seconds: float, failed: Counter[str]) -> None:
    """Run the tests and end the process; what failed and all that is imported is told to a descriptor."""
    os.setpgid(0, 0)
    # It ends also where nobody is left to end it.
    signal.alarm(int(seconds) + 5)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    order = _Order(failed)
    code = int(pytest.main([*_OPTIONS, *tests], plugins=[order]))
    names = [name for name in sys.modules if name.split(".")[0] not in _OURS]
    with open(answer, "w", encoding="utf-8") as file:
        json.dump({"failed": order.failed, "imported": names if code == 0 else []}, file)
    os._exit(code)


def _waited(child: int, seconds: float) -> int | None:
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    return None


def main(tests: list[str]) -> None:
    """Answer until stdin ends."""
    imported = False
    failed: Counter[str] = Counter()
    for line in sys.stdin:
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            os.close(reader)
            _run(tests, writer, float(line), failed)
        os.close(writer)
        code = _waited(child, float(line))
        with suppress(ProcessLookupError):
            # With all that it has started.
            os.killpg(child, signal.SIGKILL)
        if code is None:
            os.waitpid(child, 0)
        with open(reader, encoding="utf-8") as file:
            answer = json.loads(file.read() or '{"failed": [], "imported": []}')
        failed.update(answer["failed"])
        if code == 0 and not imported:
            for name in answer["imported"]:
                with suppress(Exception):
                    importlib.import_module(name)
            imported = True
        print("" if code is None else code, flush=True)  # noqa: T201 (the answer)


if __name__ == "__main__":
    main(sys.argv[1:])
