"""A whole dashboard in the classic schema, which Grafana 10 to 13 read."""

from dataclasses import dataclass
from typing import Any, Final, Literal

from grafana.annotations import ANNOTATIONS
from grafana.layout import Shelf, placed
from grafana.texts import Language, Text, translated
from grafana.variables import CHOICE

Json = dict[str, Any]

SCHEMA: Final = 36
"""Of Grafana 10.0; newer ones bring it up to theirs."""

TITLES: Final = {
    "home": "IOmeter: Home",
    "energy": "IOmeter: Energy and cost",
    "load": "IOmeter: Load profile",
    "health": "IOmeter: Device health",
    "fleet": "IOmeter: Fleet",
    "provider": "IOmeter: Provider",
}
"""Of every dashboard by its name, in the order of the links."""

ALONE: Final = "provider"
"""It is about other things than those that the others choose, so no links lead to it, and none from it."""


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard: its name in `TITLES`, what it is for, and its shelves from top to bottom."""

    name: str
    description: str
    shelves: tuple[Shelf, ...]
    start: str
    refresh: str
    choice: tuple[Json, ...] = CHOICE
    """What to show, before the variables."""
    variables: tuple[Json, ...] = ()
    marks: Literal["", "off", "on"] = ""
    """Whether there are marks on its curves, and whether they are shown from the start."""


def uid(name: str, language: Language) -> str:
    """The fixed identifier in addresses, of each language its own."""
    return f"iometer-{name}" if language == "en" else f"iometer-{language}-{name}"


def document(board: Board, language: Language) -> Json:
    """The dashboard as Grafana imports it; raises UntranslatedError."""
    english = {
        "annotations": {
            "list": [mark | {"enable": board.marks == "on"} for mark in ANNOTATIONS] if board.marks else []
        },
        "description": Text(board.description),
        "editable": False,
        "fiscalYearStartMonth": 0,
        "graphTooltip": 1,
        "id": None,
        "links": [_link(name) for name in TITLES if board.name not in (name, ALONE) and name != ALONE],
        "liveNow": False,
        "panels": placed(board.shelves),
        "refresh": board.refresh,
        "schemaVersion": SCHEMA,
        "tags": ["iometer"],
        "templating": {"list": [*board.choice, *board.variables]},
        "time": {"from": board.start, "to": "now"},
        "timepicker": {},
        # As user or organisation have it. With the browser's, days of an absolute range are those of UTC.
        "timezone": "",
        "title": Text(TITLES[board.name]),
        "uid": uid(board.name, language),
        "version": 1,
        "weekStart": "",
    }
    result: Json = translated(english, language)
    linked: Json = _linked(result, language)
    return linked


def _linked(node: Any, language: Language) -> Any:
    """Links lead to the dashboards of the same language."""
    if isinstance(node, str):
        return node.replace("/d/iometer-", f"/d/{uid('', language)}", 1) if node.startswith("/d/") else node
    if isinstance(node, dict):
        return {key: _linked(value, language) for key, value in node.items()}
    if isinstance(node, list):
        return [_linked(item, language) for item in node]
    return node


def _link(name: str) -> Json:
    return {
        "asDropdown": False,
        "icon": "dashboard",
        "includeVars": True,
        "keepTime": True,
        "tags": [],
        "targetBlank": False,
        "title": Text(TITLES[name].removeprefix("IOmeter: ")),
        "tooltip": "",
        "type": "link",
        "url": f"/d/{uid(name, 'en')}",
    }
