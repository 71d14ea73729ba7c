"""Writes the dashboards: `python -m grafana.build`."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from grafana.board import document, uid
from grafana.boards import BOARDS
from grafana.texts import LANGUAGES, UntranslatedError

DIRECTORY: Final = Path(__file__).parent / "dashboards"


def built() -> dict[Path, str]:
    """The text of every file, by its path below `dashboards/`; raises UntranslatedError."""
    return {
        Path(language) / f"{uid(board.name, 'en')}.json": _text(document(board, language))
        for language in LANGUAGES
        for board in BOARDS
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the dashboards, and remove what is no longer built."""
    argparse.ArgumentParser("python -m grafana.build", description=__doc__).parse_args(arguments)
    try:
        files = built()
    except UntranslatedError as error:
        sys.exit(str(error))
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
