"""The six dashboards, one module each, in English; `grafana.texts` has the German."""

from typing import Final

from grafana.board import Board
from grafana.boards import energy, fleet, health, home, load, provider

BOARDS: Final[tuple[Board, ...]] = (
    *(home.BOARD, energy.BOARD, load.BOARD, health.BOARD, fleet.BOARD),
    provider.BOARD,
)
"""In the order of the links at the top of each; the last one has none."""
