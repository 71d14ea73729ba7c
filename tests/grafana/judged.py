"""Panels at a place: what was asked for them, and what each version of Grafana makes of the answers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from grafana.board import ALONE, Board, uid
from grafana.boards import BOARDS
from grafana.histories.plan import END
from grafana.query import interpolate
from grafana.texts import LANGUAGES
from tests.grafana import boards
from tests.grafana.judge import Asked, Verdict
from tests.grafana.pasts import Past


class Place(NamedTuple):
    """A panel: in which history, language and dashboard, and its English title."""

    scenario: str
    language: str
    board: str
    title: str


@dataclass(frozen=True, slots=True)
class Judged:
    """A panel with its answers, and what becomes of them in each version."""

    asked: Asked
    verdicts: Mapping[str, Verdict]


def boards_of(past: Past) -> list[Board]:
    """The dashboards that are about what a history has: bridges, or a provider's installations."""
    has_bridges = bool(past.history.scenario.households)
    return [board for board in BOARDS if (board.name != ALONE) == has_bridges]


def asked_everywhere(pasts: Iterable[Past]) -> dict[Place, Asked]:
    """Every panel with its answers at the end of each history; languages differ in words alone."""
    found = {}
    for past in pasts:
        for board in boards_of(past):
            english, *others = (boards.boards(language)[uid(board.name, language)] for language in LANGUAGES)
            for panel, *translations in zip(*map(interpolate.panels, (english, *others)), strict=True):
                asked = asked_at(past, english, panel)
                for language, other in zip(LANGUAGES, (panel, *translations), strict=True):
                    place = Place(past.history.scenario.name, language, board.name, panel["title"])
                    found[place] = _in(other, asked)
    return found


def asked_at(past: Past, board: boards.Json, panel: boards.Json, moment: float = END) -> Asked:
    """A panel with what Prometheus answers at a unix time."""
    context = boards.context(board, moment, past.history.scenario.interval)
    return Asked(panel, [(query, past.source.run(query)) for query in interpolate.queries(panel, context)])


def _in(panel: boards.Json, asked: Asked) -> Asked:
    """The same answers for the panel in another language: its legends are its own."""
    legends = [target["legendFormat"] for target in panel["targets"]]
    return Asked(
        panel,
        [
            (replace(query, legend=legend), answer)
            for (query, answer), legend in zip(asked.answers, legends, strict=True)
        ],
    )
