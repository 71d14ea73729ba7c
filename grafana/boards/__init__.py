"""The five dashboards, one module each, in English; `grafana.texts` has the German."""

from typing import Final

from grafana.board import Board
from grafana.boards import energy, fleet, health, home, load

BOARDS: Final[tuple[Board, ...]] = (home.BOARD, energy.BOARD, load.BOARD, health.BOARD, fleet.BOARD)
"""In the order of the links at the top of each."""
