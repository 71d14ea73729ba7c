"""How tests are spread over the processes of `pytest -n`: the long ones first, and histories made once."""

from xdist.scheduler import LoadScopeScheduling


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """A file at a time, in the order of the collection; what shares the histories of days is one piece."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "tests/grafana" if file.startswith("tests/grafana/") else file
