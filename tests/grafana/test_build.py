"""The committed dashboards are those of the source, in two languages that differ in words alone."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from grafana import build
from grafana.board import Board, document, uid
from grafana.boards import BOARDS
from grafana.boards.alerts import HOUSEHOLD, NAMES, OF_PROVIDERS, PROVIDER
from grafana.boards.home import BOARD as HOME
from grafana.german import GERMAN, MODULES
from grafana.layout import placed, shelf
from grafana.panels import OWN_RANGE, at_step, curve, query, stat
from grafana.query.interpolate import panels
from grafana.texts import LANGUAGES, Language, Text, UntranslatedError, texts, translated
from prometheus.build import ALERTS
from prometheus.rules import Alert
from tests.grafana.boards import boards

TEXT_KEYS: Final = {
    "description",
    "label",
    "legendFormat",
    "name",
    "noValue",
    "options",
    "query",
    "text",
    "textFormat",
    "title",
    "titleFormat",
    "field",
    "renameByName",
}
"""Where a text for people may stand."""


def test_the_committed_files_are_those_of_the_source() -> None:
    committed = {
        path.relative_to(build.DIRECTORY): path.read_text()
        for path in build.DIRECTORY.glob("*/*")
        if path.is_file()
    }
    assert committed == build.built(), "run: python -m grafana.build"


def test_building_twice_gives_the_same() -> None:
    assert build.built() == build.built()


def test_the_program_writes_what_is_new_and_removes_what_is_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build, "DIRECTORY", tmp_path)
    old = tmp_path / "de" / "iometer-gone.json"
    old.parent.mkdir()
    old.write_text("{}")
    build.main([])
    assert {
        path.relative_to(tmp_path): path.read_text() for path in tmp_path.rglob("*.json")
    } == build.built()
    assert "12 dashboards" in capsys.readouterr().out


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_dashboard_has_the_same_colours_for_the_two_directions(language: Language) -> None:
    """What is drawn is orange, what is fed in is blue; a power is either, by its sign."""
    seen = set()
    for board in boards(language).values():
        for panel in panels(board):
            defaults, overrides = panel["fieldConfig"]["defaults"], panel["fieldConfig"]["overrides"]
            fixed = {one["matcher"]["options"]: one["properties"][0]["value"] for one in overrides}
            for target in panel["targets"]:
                for legend, color in (("Drawn", "orange"), ("Fed in", "blue")):
                    if target["legendFormat"] == in_language(legend, language):
                        assert fixed[target["refId"]] == {"mode": "fixed", "fixedColor": color}
                        seen.add(color)
            if defaults["unit"] == "watt" and defaults["color"]["mode"] == "thresholds":
                steps = [step["color"] for step in defaults["thresholds"]["steps"]]
                assert steps in (["text", "blue", "orange"], ["text"]), panel["title"]
                seen.add("both")
    assert seen == {"orange", "blue", "both"}


def in_language(text: str, language: Language) -> str:
    return text if language == "en" else GERMAN[text]


def test_every_alert_has_words() -> None:
    alerts = {rule.name for group in ALERTS for rule in group.rules if isinstance(rule, Alert)}
    assert set(NAMES) == alerts
    assert set(HOUSEHOLD) | set(PROVIDER) == alerts
    assert all(name.startswith(("Provider", "License", "Installations")) for name in OF_PROVIDERS)


def test_the_program_tells_a_text_without_german_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "DIRECTORY", tmp_path)
    monkeypatch.setattr(build, "BOARDS", (replace(HOME, description="All about the moon."),))
    with pytest.raises(SystemExit, match="for: All about the moon"):
        build.main([])
    with pytest.raises(SystemExit):
        build.main(["--output=elsewhere"])
    assert not list(tmp_path.iterdir())


def differences(one: Any, other: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any, Any]]:
    """Where two documents differ: path, and both values."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return [found for key in one for found in differences(one[key], other[key], (*path, key))]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [
            found
            for index, pair in enumerate(zip(one, other, strict=True))
            for found in differences(*pair, (*path, str(index)))
        ]
    return [] if one == other else [(path, one, other)]


def in_german(text: str) -> str:
    """A text, or a description with what is said of all panels with a range of their own."""
    description = text.removesuffix(f" {OWN_RANGE}")
    return GERMAN[text] if description == text else f"{GERMAN[description]} {GERMAN[OWN_RANGE]}"


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_the_languages_differ_in_words_identifiers_and_links_alone(board: Board) -> None:
    english, german = (boards(language)[uid(board.name, language)] for language in LANGUAGES)
    found = differences(english, german)
    assert found
    for path, one, other in found:
        where = ".".join(path)
        assert isinstance(one, str), where
        assert isinstance(other, str), where
        if path[-1] == "uid" or one.startswith("/d/"):
            assert other == one.replace("iometer-", "iometer-de-", 1), where
        else:
            assert in_german(one) == other, where
            assert TEXT_KEYS & set(path) or is_name_of_series(english, path), where


def is_name_of_series(document: dict[str, Any], path: tuple[str, ...]) -> bool:
    """Whether it is the value of field options for what a series is called."""
    node: Any = document
    for key in path[:-1]:
        node = node[int(key)] if isinstance(node, list) else node[key]
    return path[-1] == "value" and node.get("id") == "displayName"


def test_every_text_has_its_german_and_no_german_is_left_over() -> None:
    used: set[str] = set()
    for board in BOARDS:
        used |= texts(source(board))
    assert used == set(GERMAN)


def source(board: Board) -> Any:
    """The dashboard before translation, its texts still marked."""
    seen: list[Any] = []

    def kept(node: Any, language: str) -> Any:
        seen.append(node)
        return {}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("grafana.board.translated", kept)
        document(board, "en")
    return seen[0]


def test_no_english_has_two_germans() -> None:
    keys = [english for module in MODULES for english in module.TEXTS]
    assert len(keys) == len(set(keys)) == len(GERMAN)


def test_the_german_keeps_placeholders_and_figures() -> None:
    def kept(text: str) -> tuple[list[str], bool]:
        found = re.findall(r"\{\{\w+\}\}|\$\{\w+\}|/v1/\w+|docs/[\w.]+", text)
        return sorted(found), text.endswith(".")

    assert {english: german for english, german in GERMAN.items() if kept(german) != kept(english)} == {}
    assert [german for german in GERMAN.values() if german.strip() != german or not german] == []


def test_a_text_without_german_stops_the_build() -> None:
    with pytest.raises(UntranslatedError, match="no German in grafana/german/ for: Power of the moon"):
        translated({"title": Text("Power of the moon")}, "de")


def test_what_is_no_text_stays_as_it_is() -> None:
    node = {
        "title": Text("Today"),
        "expr": "Today",
        "legendFormat": Text("{{bridge}}"),
        "list": [Text("Net")],
    }
    assert translated(node, "de") == {
        "title": "Heute",
        "expr": "Today",
        "legendFormat": "{{bridge}}",
        "list": ["Saldo"],
    }
    assert translated(node, "en") == node
    assert texts(node) == {"Today", "Net"}


def test_a_shelf_must_be_full() -> None:
    with pytest.raises(ValueError, match="these panels are 23 wide together, not 24: Power"):
        shelf(4, stat("Power", "…", query("up"), width=23, unit="watt"))


def test_shelves_lie_below_one_another_and_headings_between() -> None:
    half = stat("Power", "…", query("up"), width=12, unit="watt")
    found = placed((shelf(4, half, half), shelf(6, half, half, heading="More")))
    assert [(panel["type"], *panel["gridPos"].values()) for panel in found] == [
        ("stat", 4, 12, 0, 0),
        ("stat", 4, 12, 12, 0),
        ("row", 1, 24, 0, 4),
        ("stat", 6, 12, 0, 5),
        ("stat", 6, 12, 12, 5),
    ]
    assert [panel["id"] for panel in found] == [1, 2, 3, 4, 5]
    assert "w" in half["gridPos"]
    assert "x" not in half["gridPos"]


def test_a_folded_row_holds_its_panels_and_takes_no_room() -> None:
    whole = stat("Power", "…", query("up"), width=24, unit="watt")
    shelves = (
        shelf(4, whole),
        shelf(6, whole, heading="Folded", folded=True),
        shelf(5, whole),
        shelf(3, whole, heading="Open"),
    )
    top, folded, row, below = placed(shelves)
    assert [panel["gridPos"]["y"] for panel in (top, folded, row, below)] == [0, 4, 5, 6]
    assert (folded["collapsed"], row["collapsed"]) == (True, False)
    assert [(panel["id"], panel["gridPos"]["y"]) for panel in folded["panels"]] == [(3, 5), (4, 11)]
    assert row["panels"] == []
    assert [panel["id"] for panel in (top, folded, row, below)] == [1, 2, 5, 6]


def test_a_panel_has_one_step() -> None:
    days, quarters = (at_step(step, query("up")) for step in ("1d", "15m"))
    assert curve("Power", "…", days, days, width=24, unit="watt")["interval"] == "1d"
    with pytest.raises(ValueError, match=r"Power: a panel has one step, not \['15m', '1d'\]"):
        curve("Power", "…", days, quarters, width=24, unit="watt")


def test_bars_of_days_keep_their_step_for_ten_years() -> None:
    for panel in panels(boards("en")["iometer-energy"]):
        if panel.get("interval") == "1d":
            assert 3650 <= panel["maxDataPoints"] < 11_000
            assert all(target["interval"] == "1d" for target in panel["targets"])


def test_the_files_are_json_that_people_can_read() -> None:
    for text in build.built().values():
        assert json.dumps(json.loads(text), ensure_ascii=False, indent=2, sort_keys=True) + "\n" == text
        assert "\\u" not in text


def test_the_page_names_every_dashboard_and_variable() -> None:
    page = (build.DIRECTORY.parent.parent / "docs" / "dashboards.md").read_text()
    for board in boards("en").values():
        assert f"**{board['title'].removeprefix('IOmeter: ')}**" in page
        for variable in board["templating"]["list"]:
            assert variable["label"] in page, variable["name"]
