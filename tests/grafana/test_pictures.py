"""What holds of the pictures' program without its packages: what it draws, and what it is made of."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from grafana.histories.plan import PROVIDER, SCENARIOS, Scenario
from grafana.pictures import __main__ as command
from grafana.pictures import boards, histories
from grafana.pictures.boards import DASHBOARDS, View, languages, names, pictures

FOLDER = Path(command.__file__).parent
SOURCE = FOLDER / "src"

PACKAGE = json.loads((FOLDER / "package.json").read_text())
LOCK = json.loads((FOLDER / "package-lock.json").read_text())

# As the lock file spells them. Grafana's server, its plugins and @grafana/prometheus are under the AGPL.
LICENSES = {
    "(MIT AND Zlib)", "(MPL-2.0 OR Apache-2.0)", "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause",
    "BlueOak-1.0.0", "CC0-1.0", "ISC", "MIT", "MIT AND BSD-3-Clause", "OFL-1.1", "Unlicense",
}  # fmt: skip

# Not said in the lock file, but in their own files.
UNNAMED = {
    "node_modules/fast-shallow-equal": "Unlicense",
    "node_modules/get-document": "MIT",
    "node_modules/react-universal-interface": "Unlicense",
}


def panels() -> Iterator[dict[str, Any]]:
    for path in DASHBOARDS.glob("*/*.json"):
        for panel in json.loads(path.read_text())["panels"]:
            yield from (one for one in [panel, *panel.get("panels", [])] if one["type"] != "row")


def module_of(panel_type: str) -> Path:
    return SOURCE / "panels" / f"{panel_type}.tsx"


def test_every_type_of_panel_has_a_module_that_draws_it() -> None:
    types = {panel["type"] for panel in panels()}
    assert {kind for kind in types if not module_of(kind).exists()} == set()


def test_every_field_option_of_a_panel_is_known_to_its_module() -> None:
    """One that is not would be left out of the picture in silence."""
    unknown = set()
    for panel in panels():
        text = module_of(panel["type"]).read_text()
        config = panel["fieldConfig"]
        overridden = {one["id"] for override in config["overrides"] for one in override["properties"]}
        options = set(config["defaults"].get("custom", {})) | {
            name.removeprefix("custom.") for name in overridden if name.startswith("custom.")
        }
        unknown |= {(panel["type"], name) for name in options if not re.search(rf"\b{name}:", text)}
    assert unknown == set()


def test_every_standard_option_of_a_field_is_known() -> None:
    text = (SOURCE / "fieldOptions.ts").read_text()
    used: set[str] = set()
    for panel in panels():
        config = panel["fieldConfig"]
        used |= set(config["defaults"]) - {"custom"}
        used |= {one["id"] for override in config["overrides"] for one in override["properties"]}
    assert {name for name in used if "." not in name and f"option('{name}'" not in text} == set()


def test_every_type_of_variable_is_known() -> None:
    text = (SOURCE / "scene.ts").read_text()
    used = {
        variable["type"]
        for path in DASHBOARDS.glob("*/*.json")
        for variable in json.loads(path.read_text())["templating"]["list"]
    }
    assert {name for name in used if f"case '{name}'" not in text} == set()


def test_the_lock_file_names_no_registry() -> None:
    assert "resolved" not in (FOLDER / "package-lock.json").read_text()
    assert "omit-lockfile-registry-resolved=true" in (FOLDER / ".npmrc").read_text().splitlines()


def test_no_package_has_a_license_that_we_do_not_take() -> None:
    licenses = {
        path: entry.get("license") or UNNAMED.get(path) for path, entry in LOCK["packages"].items() if path
    }
    assert {path: found for path, found in licenses.items() if found not in LICENSES} == {}


def test_packages_are_pinned_and_those_of_grafana_fit() -> None:
    asked = PACKAGE["dependencies"] | PACKAGE["devDependencies"]
    assert {name: text for name, text in asked.items() if not re.fullmatch(r"\d+\.\d+\.\d+", text)} == {}
    assert LOCK["packages"][""]["dependencies"] == PACKAGE["dependencies"]
    of_grafana = {name: text for name, text in asked.items() if name.startswith("@grafana/")}
    del of_grafana["@grafana/scenes"]  # counts its own versions
    assert len(set(of_grafana.values())) == 1, of_grafana


def test_boards_are_found_by_listing(tmp_path: Path) -> None:
    for name in ("en/iometer-garden.json", "de/iometer-garden.json", "en/iometer-attic.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert names(tmp_path) == ["attic", "garden"]
    assert languages(tmp_path) == ["de", "en"]
    assert set(languages()) <= set(boards.GRAFANA_LANGUAGES)


def test_a_picture_for_each_board_language_theme_and_width(tmp_path: Path) -> None:
    view = View("60s", now=1775410927.0, time_from="now-7d", variables={"bridge": ["house"]}, unfold=True)
    made = list(pictures(["home", "fleet"], ["en", "de"], ["dark"], [1600, 420], view, tmp_path))
    assert [Path(one["file"]).name for one in made] == [
        f"{name}-{language}-dark-{width}.png"
        for name in ("home", "fleet")
        for language in ("en", "de")
        for width in (1600, 420)
    ]
    german = made[2]
    assert (german["width"], german["browserZone"], german["colors"]) == (1600, "Europe/Berlin", None)
    board = german["request"].pop("board")
    assert board == json.loads((DASHBOARDS / "de/iometer-home.json").read_text())
    assert german["request"] == {
        "theme": "dark",
        "language": "de-DE",
        "now": 1775410927000,
        "scrapeInterval": "60s",
        "variables": {"bridge": ["house"]},
        "unfold": True,
        "marks": False,
        "from": "now-7d",
    }


def test_the_page_reads_what_a_picture_asks_for() -> None:
    interface = (SOURCE / "request.ts").read_text().partition("}")[0]
    known = set(re.findall(r"^  (\w+)\??:", interface, re.MULTILINE))
    view = View("15s", time_from="now-1h", time_to="now")
    [made] = pictures(["home"], ["en"], ["dark"], [420], view, Path())
    assert set(made["request"]) == known


def test_a_history_is_made_once_until_its_source_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def write(scenario: Scenario, folder: Path) -> None:
        made.append(scenario.name)
        (folder / "data").mkdir(parents=True)
        (folder / "data" / "block").touch()

    @contextmanager
    def server(blocks: Path) -> Iterator[SimpleNamespace]:
        assert [path.name for path in blocks.iterdir()] == ["block"]
        (blocks / "wal").touch()
        yield SimpleNamespace(url="http://127.0.0.1:1")

    digest = "1"
    monkeypatch.setattr(histories, "KEPT", tmp_path / "kept")
    monkeypatch.setattr(histories, "write", write)
    monkeypatch.setattr(histories, "prometheus_at", server)
    monkeypatch.setattr(histories, "_digest", lambda: digest)
    for name in ("plain-60s", "plain-60s", "pv-15s"):
        with histories.prometheus_of(SCENARIOS[name]):
            pass
    assert made == ["plain-60s", "pv-15s"]
    digest = "2"
    with histories.prometheus_of(SCENARIOS["pv-15s"]):
        pass
    assert made == ["plain-60s", "pv-15s", "pv-15s"]
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == ["plain-60s-1", "pv-15s-2"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--prometheus=localhost:9090"], "'localhost:9090' is not an address such as http://localhost:9090"),
        (["--now=noon"], "'noon' is not a time such as 2026-04-05T19:42"),
        (["--zone=Europe/Bonn"], "'Europe/Bonn' is not a time zone such as Europe/Berlin"),
        (["--scrape-interval=0s"], "'0s' is not a duration such as 15s"),
        (["--width=wide"], "'wide' is not a width such as 1600"),
        (["--variable=house"], "'house' is not a variable such as bridge=house"),
        (["--board=garden"], "invalid choice: 'garden'"),
        (["--scenario=winter"], "invalid choice: 'winter'"),
    ],
)
def test_an_option_that_cannot_be_is_refused(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        command.main([*options, "-o", str(tmp_path)])
    assert message in capsys.readouterr().err


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs: the packages are there, and node says what it was given."""
    (tmp_path / "pictures" / "node_modules").mkdir(parents=True)
    monkeypatch.setattr(command, "FOLDER", tmp_path / "pictures")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in {"node": f"#!/bin/sh\n/bin/cat >{tmp_path}/job.json\nexit 1\n", "chromium": ""}.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    return programs


def test_missing_packages_are_told_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "FOLDER", tmp_path)
    with pytest.raises(SystemExit, match=f"the packages are missing: npm ci --prefix {tmp_path}"):
        command.main(["-o", str(tmp_path)])


def test_a_missing_program_is_told(installed: Path, tmp_path: Path) -> None:
    (installed / "chromium").unlink()
    with pytest.raises(SystemExit, match="the program 'chromium' is not installed"):
        command.main(["-o", str(tmp_path)])


def test_a_folder_that_cannot_be_is_told(installed: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="is no folder to write to: "):
        command.main(["-o", str(installed / "node")])


def test_a_prometheus_that_is_not_there_is_told(installed: Path, tmp_path: Path) -> None:
    with pytest.raises(
        SystemExit, match=r"http://127.0.0.1:9 does not answer as a Prometheus does: .*refused"
    ):
        command.main(["--prometheus=http://127.0.0.1:9/", "-o", str(tmp_path)])


def test_the_drawing_program_gets_the_job_and_gives_the_exit_code(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(command, "get", asked.append)
    options = [
        "--prometheus=http://127.0.0.1:9/",
        "--now=2026-04-05T19:42:07+02:00",
        "--board=home",
        "--small",
    ]
    more = ["--variable=bridge=a", "--variable=bridge=b=c", "--width=420"]
    assert command.main([*options, *more, "-o", str(tmp_path / "new")]) == 1
    assert asked == ["http://127.0.0.1:9/api/v1/query?query=1"]
    job = json.loads((tmp_path / "job.json").read_text())
    assert (job["prometheus"], job["parallel"]) == ("http://127.0.0.1:9", 2)
    assert job["chromium"] == str(installed / "chromium")
    assert [Path(one["file"]).name for one in job["pictures"]] == [
        f"home-{language}-{theme}-420.png" for language in ("de", "en") for theme in ("dark", "light")
    ]
    [first, *_] = job["pictures"]
    assert (first["colors"], first["request"]["now"]) == (64, 1775410927000)
    assert first["request"]["variables"] == {"bridge": ["a", "b=c"]}


def test_the_moment_of_a_history_is_its_end(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def server(_scenario: Scenario) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(url="http://127.0.0.1:1")

    monkeypatch.setattr(command, "prometheus_of", server)
    command.main(["--scenario=pv-15s", "--board=fleet", "-o", str(tmp_path)])
    job = json.loads((tmp_path / "job.json").read_text())
    request = job["pictures"][0]["request"]
    assert (request["now"], request["scrapeInterval"]) == (SCENARIOS["pv-15s"].end * 1000, "15s")


def test_a_provider_has_a_history_of_its_own(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    @contextmanager
    def server(scenario: Scenario) -> Iterator[SimpleNamespace]:
        asked.append(scenario.name)
        yield SimpleNamespace(url="http://127.0.0.1:1")

    monkeypatch.setattr(command, "prometheus_of", server)
    command.main(["--board=fleet", "--board=provider", "-o", str(tmp_path)])
    command.main(["--board=provider", "-o", str(tmp_path)])
    assert asked == ["three-60s", PROVIDER.name, PROVIDER.name]
