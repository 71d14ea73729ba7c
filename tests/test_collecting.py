"""That no test is passed over because its file is."""

from pathlib import Path

import pytest

from tests.collecting import END_TO_END, is_beside
from tests.processes import ROOT, pytest_of_its_own

WHOLE = 'import pytest\n\npytestmark = pytest.mark.end_to_end\n\ndef test_whole(): "It starts a program."\n'
PART = "import pytest\n\n@pytest.mark.end_to_end\ndef test_part(): ...\n\ndef test_rest(): ...\n"
NONE = "def test_none(): ...\n"


@pytest.mark.parametrize(
    ("expression", "beside"),
    [
        ("end_to_end", [False, False, True]),
        ("not end_to_end", [True, False, False]),
        ("", [False, False, False]),
        ("end_to_end or other", [False, False, False]),
    ],
)
def test_a_file_without_what_is_asked_for_is_beside(expression: str, beside: list[bool]) -> None:
    assert [is_beside(source, expression) for source in (WHOLE, PART, NONE)] == beside


def test_tests_are_marked_where_they_are() -> None:
    # A decorator by another name, or a mark given while collecting, would not be seen.
    mark = f"mark.{END_TO_END}"
    sources = {path: path.read_text() for path in (ROOT / "tests").rglob("*.py")}
    assert not [path for path, source in sources.items() if mark in source and path.name[:5] != "test_"]
    assert not [
        path for path, source in sources.items() if f"= pytest.{mark}" in source.replace("pytestmark = ", "")
    ]


@pytest.mark.end_to_end
@pytest.mark.parametrize(
    ("expression", "collected"),
    [
        ("end_to_end", {"test_whole", "test_part"}),
        ("not end_to_end", {"test_rest", "test_none"}),
    ],
)
def test_just_what_is_asked_for_is_collected(tmp_path: Path, expression: str, collected: set[str]) -> None:
    (tmp_path / "conftest.py").write_text("from tests.conftest import pytest_ignore_collect\n")
    for name, source in (("whole", WHOLE), ("part", PART), ("none", NONE)):
        (tmp_path / f"test_{name}.py").write_text(source)
    output = pytest_of_its_own("--collect-only", "-c", ROOT / "pyproject.toml", "-m", expression, tmp_path)
    assert {line.rpartition("::")[2] for line in output.splitlines() if "::" in line} == collected
