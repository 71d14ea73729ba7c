"""Writes the dashboards: `python -m grafana.build`."""

import json
from pathlib import Path
from typing import Final

from grafana.board import document, uid
from grafana.boards import BOARDS
from grafana.texts import LANGUAGES

DIRECTORY: Final = Path(__file__).parent / "dashboards"


def built() -> dict[Path, str]:
    """The text of every file, by its path below `dashboards/`; raises UntranslatedError."""
    return {
        Path(language) / f"{uid(board.name, 'en')}.json": _text(document(board, language))
        for language in LANGUAGES
        for board in BOARDS
    }


def main() -> None:
    """Write what has changed, and remove what is no longer built."""
    files = built()
    for path, text in files.items():
        (DIRECTORY / path).parent.mkdir(parents=True, exist_ok=True)
        (DIRECTORY / path).write_text(text)
    for old in DIRECTORY.glob("*/*.json"):
        if old.relative_to(DIRECTORY) not in files:
            old.unlink()
    print(f"{len(files)} dashboards in {DIRECTORY}")


def _text(dashboard: object) -> str:
    return json.dumps(dashboard, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    main()
