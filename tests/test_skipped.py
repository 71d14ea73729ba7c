"""That no test is lost between the runs of `.ci/run`."""

from pathlib import Path

import pytest

from tests.processes import pytest_of_its_own

SOURCE = """
import shutil, pytest

@pytest.mark.parametrize("name", ["a", "b c"])
def test_needs(name):
    if not shutil.which("program-" + name[0]):
        pytest.skip("missing")

def test_needs_nothing():
    pass
"""


def run(folder: Path, *options: str, processes: int = 2) -> str:
    options += ("-p", "tests.skipped", "-n", str(processes))
    return pytest_of_its_own(*options, "--rootdir", folder, "-c", "/dev/null", folder)


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


@pytest.mark.end_to_end
def test_what_was_skipped_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(SOURCE)
    file = tmp_path / "skipped"
    file.write_text("test_it.py\n")
    assert " skipped" not in run(tmp_path, "--skipped-to", str(file), processes=0)
    assert file.read_text() == "test_it.py\n"


@pytest.mark.end_to_end
def test_a_test_that_is_not_there_any_more_is_no_silence(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(SOURCE)
    file = tmp_path / "skipped"
    file.write_text("test_it.py::test_needs_nothing\n")
    assert "1 passed" in run(tmp_path, "--skipped-of", str(file), processes=0)
    file.write_text("test_it.py::test_needs_nothing\ntest_it.py::test_gone\n")
    assert " passed" not in run(tmp_path, "--skipped-of", str(file), processes=0)
