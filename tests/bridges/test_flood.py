"""Announcements as fast as they can be sent, to the real process."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.end_to_end

_OWN_NETWORK = ["unshare", "--map-root-user", "--net"]


def _has_own_network() -> bool:
    return (
        bool(shutil.which("unshare"))
        and not subprocess.run([*_OWN_NETWORK, "true"], capture_output=True).returncode
    )


@pytest.mark.skipif(not _has_own_network(), reason="this host allows no network namespace (unshare --net)")
def test_three_thousand_names_in_a_second_cost_nothing_that_matters(tmp_path: Path) -> None:
    command = [*_OWN_NETWORK, sys.executable, "-m", "tests.flood", str(tmp_path), "50"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    # Those that answer are read in every scrape, and others within the limit.
    assert found["up"] == [["Real", "house"]] * 6
    assert found["bridges"] == [51] * 6
    assert found["discovered"] == ["50.0"]
    assert max(found["sizes"]) < 200_000
    assert found["grown"] < 100
    # Some lines on what came and went, two on each of those that do not answer, one on the limit.
    assert found["lines"] < 300
    assert found["limited"] == 1
    assert found["faults"] == []
