"""Which dashboards there are, found by listing, and one picture's part of the drawing program's input."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

DASHBOARDS: Final = Path(__file__).parent.parent / "dashboards"

GRAFANA_LANGUAGES: Final = {"en": "en-US", "de": "de-DE"}
"""What Grafana calls the language of a folder of dashboards."""

_PREFIX: Final = "iometer-"


@dataclass(frozen=True, slots=True)
class View:
    """What holds for all pictures of a run; `now` in unix time, None for the real one."""

    scrape_interval: str
    now: float | None = None
    zone: str = "Europe/Berlin"
    time_from: str | None = None
    time_to: str | None = None
    variables: Mapping[str, Sequence[str]] | None = None
    unfold: bool = False
    marks: bool = False
    scale: float = 1.0
    colors: int | None = None


def names(folder: Path = DASHBOARDS) -> list[str]:
    """The dashboards of all languages, such as `home`."""
    return sorted({path.stem.removeprefix(_PREFIX) for path in folder.glob("*/*.json")})


def languages(folder: Path = DASHBOARDS) -> list[str]:
    """The languages that there are dashboards in."""
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


def pictures(
    boards: Sequence[str],
    tongues: Sequence[str],
    themes: Sequence[str],
    widths: Sequence[int],
    view: View,
    output: Path,
) -> Iterator[dict[str, Any]]:
    """What `draw.mjs` wants to know of each picture: every board in every language, theme and width."""
    for name in boards:
        for language in tongues:
            path = DASHBOARDS / language / f"{_PREFIX}{name}.json"
            if not path.exists():
                continue
            board = json.loads(path.read_text(encoding="utf-8"))
            for theme in themes:
                for width in widths:
                    file = output / f"{name}-{language}-{theme}-{width}.png"
                    yield {
                        "file": str(file.absolute()),
                        "width": width,
                        "scale": view.scale,
                        "colors": view.colors,
                        "browserZone": view.zone,
                        "request": _request(board, GRAFANA_LANGUAGES[language], theme, view),
                    }


def _request(board: dict[str, Any], language: str, theme: str, view: View) -> dict[str, Any]:
    """As `src/request.ts` has it."""
    span = {"from": view.time_from, "to": view.time_to}
    return {
        "board": board,
        "theme": theme,
        "language": language,
        "now": None if view.now is None else round(view.now * 1000),
        "scrapeInterval": view.scrape_interval,
        "variables": {name: list(values) for name, values in (view.variables or {}).items()},
        "unfold": view.unfold,
        "marks": view.marks,
        **{key: value for key, value in span.items() if value is not None},
    }
