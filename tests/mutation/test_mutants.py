"""The mutants of a source, and how they are told from one another."""

from pathlib import Path

import pytest

pytest.importorskip("mutmut", reason="pip install -e '.[mutation]'")

from tests.mutation import equivalents
from tests.mutation.__main__ import MODULES, main, source_of
from tests.mutation.equivalents import Equivalent
from tests.mutation.mutants import differences, mutants
from tests.mutation.running import ROOT, NotGreenError, Run

SOURCE = '''"""A module."""

from typing import Literal

Kind = Literal["a", "b"]

class Meter:
    """A meter."""

    @property
    def full(self) -> bool:
        """Whether it is full."""
        return self.value > 7
'''


def test_every_place_that_runs_is_changed_once() -> None:
    found = mutants(SOURCE)
    assert [(each.where, each.line, each.before, each.after) for each in found] == [
        ("Meter.full", 13, "return self.value > 7", "return self.value >= 7"),
        ("Meter.full", 13, "return self.value > 7", "return self.value > 8"),
    ]
    assert found[0].source == SOURCE.replace(" > ", " >= ")
    assert list(differences(found[0])) == [
        "Meter.full, line 13",
        "- return self.value > 7",
        "+ return self.value >= 7",
    ]


def test_those_of_some_functions_are_the_same_ones() -> None:
    assert mutants(SOURCE, only={"Meter.full"}) == mutants(SOURCE)
    assert mutants(SOURCE, only={"Meter", "full", ""}) == []


def test_a_truth_is_exchanged_for_the_other_one_only() -> None:
    assert [each.after for each in mutants("full = False")] == ["full = True"]
    assert [each.after for each in mutants("full: bool = False")] == ["full: bool = True"]
    assert sorted(each.after for each in mutants("full = True")) == ["full = False", "full = None"]


def test_a_check_of_the_program_itself_is_left_alone() -> None:
    assert [each.after for each in mutants("zip(a, b, strict=True)")] == [
        "zip(None, b, strict=True)",
        "zip(a, None, strict=True)",
        "zip(b, strict=True)",
        "zip(a, strict=True)",
    ]


def test_words_of_the_log_and_names_of_types_are_left_alone() -> None:
    source = """_log = logging.getLogger("meter")
T = TypeVar("T")

def refuse(number: int) -> None:
    _log.warning("refused " "number %d", number, extra={"meter": 1})
"""
    changes = [each.after for each in mutants(source)]
    assert not [change for change in changes if "XX" in change and "XXmeterXX" not in change]
    assert '_log.warning(None, number, extra={"meter": 1})' in changes
    assert '_log.warning("refused " "number %d", None, extra={"meter": 1})' in changes
    assert '_log.warning("refused " "number %d", number, extra={"meter": 2})' in changes
    assert '_log.warning("refused " "number %d", number, extra={"XXmeterXX": 1})' in changes


def test_the_names_that_a_module_gives_on_are_left_alone() -> None:
    assert mutants('__all__ = ["Meter"]') == []
    assert [each.after for each in mutants('names = ["Meter"]')] != []


def test_a_mutant_is_the_same_wherever_in_the_file_it_is() -> None:
    assert [each.key for each in mutants(f"\n\n{SOURCE}")] == [each.key for each in mutants(SOURCE)]


def test_an_equivalent_is_known_by_its_text_and_missed_when_it_is_gone(tmp_path: Path) -> None:
    file = tmp_path / "equivalents.yml"
    file.write_text(
        "m:\n- {where: Meter.full, before: return self.value > 7, after: [x, y], why: no matter}\n"
    )
    known = equivalents.load(file)["m"]
    assert [each.after for each in known] == ["x", "y"]
    first, second = mutants(SOURCE)
    known = [Equivalent(*first.key, "because")]
    assert equivalents.without_reason([first, second], known) == [second]
    assert equivalents.outlived([first], known) == []
    assert equivalents.outlived([second], known) == known


def test_every_module_has_one_source_and_its_tests() -> None:
    for name, tests in MODULES.items():
        assert (ROOT / source_of(name)).is_file()
        assert all((ROOT / test).is_file() for test in tests)


@pytest.mark.parametrize(("name", "known"), equivalents.load().items())
def test_every_equivalent_is_of_a_mutant_and_says_why(name: str, known: list[Equivalent]) -> None:
    found = mutants((ROOT / source_of(name)).read_text(), only={each.where for each in known})
    keys = {each.key for each in found}
    assert [each for each in known if each.key not in keys or not each.why] == []


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose test notices one of the two mutants, and hangs with the other."""
    for name in ("iometer_exporter", "tests", "grafana", "prometheus", "devtools"):
        (tmp_path / name).mkdir()
    for name in ("pyproject.toml", "README.md"):
        (tmp_path / name).touch()
    (tmp_path / "iometer_exporter" / "__init__.py").touch()
    (tmp_path / "iometer_exporter" / "meter.py").write_text(SOURCE)
    (tmp_path / "pyproject.toml").write_text(
        '[tool.pytest.ini_options]\nmarkers = ["end_to_end"]\npythonpath = ["."]\n'
    )
    monkeypatch.setattr("tests.mutation.running.ROOT", tmp_path)
    return tmp_path


def outcomes(project: Path, test: str) -> list[str]:
    (project / "tests" / "test_meter.py").write_text(
        f"from iometer_exporter.meter import Meter\n\nclass Found(Meter):\n    value = 7\n\n"
        f"def test() -> None:\n    {test}\n"
    )
    run = Run(Path("iometer_exporter/meter.py"), ["tests/test_meter.py"], project / "memory.json")
    list(run.finish(2))
    return [run.outcomes[each.key] for each in run.mutants]


@pytest.mark.end_to_end
def test_a_mutant_is_killed_survives_or_never_ends(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert outcomes(project, "assert not Found().full") == ["killed", "survived"]
    assert outcomes(project, "pass") == ["survived", "survived"]
    monkeypatch.setattr("tests.mutation.running._GRACE", 2.0)
    assert outcomes(project, "\n    while Found().full: pass") == ["timeout", "survived"]
    with pytest.raises(NotGreenError, match=r"tests/test_meter\.py fail without a mutant"):
        outcomes(project, "assert Found().full")
    assert (project / "iometer_exporter" / "meter.py").read_text() == SOURCE


@pytest.mark.end_to_end
def test_what_is_known_is_not_tried_again(project: Path) -> None:
    assert outcomes(project, "assert not Found().full") == ["killed", "survived"]
    run = Run(Path("iometer_exporter/meter.py"), ["tests/test_meter.py"], project / "memory.json")
    assert run.open_mutants() == []
    (project / "tests" / "test_meter.py").write_text("# another test\n")
    run = Run(Path("iometer_exporter/meter.py"), ["tests/test_meter.py"], project / "memory.json")
    assert len(run.open_mutants()) == 2


def test_a_module_that_is_not_known_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["gard"])
    assert "'gard' is not a module, take some of meter/obis, meter/models" in capsys.readouterr().err
