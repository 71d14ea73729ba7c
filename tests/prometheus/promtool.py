"""What `promtool test rules` says, as values."""

import os
import re
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devtools.processes import THRIFTY
from tests.conftest import require_program

_FAILURE: Final = re.compile(r"name: (?P<group>.+),\n +alertname: (?P<alert>\w+), time: (?P<time>\w+)")
_PROCESSES: Final = 2


@dataclass(frozen=True, slots=True)
class Failure:
    """A check of a case that did not find what it expects."""

    group: str
    alert: str


def failures(files: Sequence[Path]) -> set[Failure]:
    """Run the files, each by itself but some at a time; anything but a failed check is an error here."""
    program = require_program("promtool")

    def run(file: Path) -> set[Failure]:
        command = [program, "test", "rules", file.name]
        result = subprocess.run(
            command, cwd=file.parent, env=os.environ | THRIFTY, capture_output=True, text=True, check=False
        )
        found = {Failure(match["group"], match["alert"]) for match in _FAILURE.finditer(result.stderr)}
        assert "err:" not in result.stderr, f"{file}: {result.stderr}"
        assert bool(found) == bool(result.returncode), f"{file}: {result.stdout}{result.stderr}"
        return found

    with ThreadPoolExecutor(_PROCESSES) as pool:
        return set().union(*pool.map(run, files))
