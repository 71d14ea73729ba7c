"""That no test is lost between the runs of `.ci/run`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

SOURCE = """
import shutil, pytest

@pytest.mark.parametrize("name", ["a", "b c"])
def test_needs(name):
    if not shutil.which("program-" + name[0]):
        pytest.skip("missing")

def test_needs_nothing():
    pass
"""


def run(folder: Path, *options: str) -> str:
    # What `.ci/run` asks of these tests is not for those that they run.
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "tests.skipped",
        "--rootdir",
        str(folder),
        *options,
    ]
    command += ["-c", "/dev/null", "-n", "2", str(folder)]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    ).stdout


@pytest.mark.end_to_end
def test_what_was_skipped_is_all_that_is_run_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "test_it.py").write_text(SOURCE)
    (tmp_path / "test_whole.py").write_text('import pytest\npytest.importorskip("nope")\ndef test(): pass\n')
    file = tmp_path / "skipped"
    program = tmp_path / "program-a"
    assert "1 passed, 3 skipped" in run(tmp_path, "--skipped-to", str(file))
    assert sorted(line.rpartition("/")[2] for line in file.read_text().splitlines()) == [
        "test_it.py::test_needs[a]",
        "test_it.py::test_needs[b c]",
        "test_whole.py",
    ]
    program.touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert "1 passed, 2 skipped" in run(tmp_path, "--skipped-of", str(file))
