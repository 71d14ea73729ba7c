"""How tests are spread over the processes of `pytest -n`: the long ones first, and histories made once."""

from typing import Final

from xdist.scheduler import LoadScopeScheduling

LONGEST: Final = (
    "tests/grafana",
    "tests/prometheus/test_alert_cases.py",
    "tests/web/test_operations.py",
    "tests/test_end_to_end.py",
    "tests/test_fault_matrix.py",
    "tests/web/test_crowd_end_to_end.py",
    "tests/test_installing.py",
    "tests/test_exactness.py",
    "tests/test_docs_examples.py",
    "tests/test_network.py",
    "tests/test_benchmarks.py",
)
"""The pieces that take more than twenty seconds, the longest first: at the end all would wait for it."""


def piece(nodeid: str) -> str:
    """What one process tries as a whole: a file, or all that shares the histories of days."""
    file = nodeid.partition("::")[0]
    return "tests/grafana" if file.startswith("tests/grafana/") else file


def rank(nodeid: str) -> int:
    """Where a test stands among the long ones; all others stand behind them."""
    name = piece(nodeid)
    return LONGEST.index(name) if name in LONGEST else len(LONGEST)


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """A file at a time, in the order of the collection; what shares the histories of days is one piece."""

    def _split_scope(self, nodeid: str) -> str:
        return piece(nodeid)
