"""What takes long is begun first, and is where it is said to be."""

from pathlib import Path

import pytest

pytest.importorskip("xdist")

from tests.scheduling import LONGEST, piece, rank

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("name", LONGEST)
def test_a_long_piece_is_there(name: str) -> None:
    assert (ROOT / name).exists()


def test_a_piece_is_a_file_but_for_what_shares_histories() -> None:
    assert piece("tests/net/test_backoff.py::test_a[1::2]") == "tests/net/test_backoff.py"
    assert piece("tests/grafana/test_values.py::test_a") == piece("tests/grafana/test_promql.py::test_b")


def test_the_longest_stand_first() -> None:
    names = [*LONGEST, "tests/net/test_backoff.py"]
    tests = [f"{name}/test_x.py::test_a" if name == "tests/grafana" else f"{name}::test_a" for name in names]
    assert [rank(test) for test in tests] == list(range(len(tests)))
