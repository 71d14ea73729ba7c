"""Runs a module's own tests against its mutants, several at a time, and remembers what came of it."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import Final, Literal

from tests.mutation.mutants import Mutant, mutants

ROOT: Final = Path(__file__).parent.parent.parent

Outcome = Literal["killed", "survived", "timeout"]

_COPIED: Final = ("iometer_exporter", "tests", "grafana", "prometheus", "pyproject.toml", "README.md")
"""What the narrow tests of a module may need."""

_SLOWEST: Final = 5.0
"""Times as long as without a mutant, after which it is taken for endless."""

_GRACE: Final = 10.0
"""Seconds more, as other processes want the machine too."""


class NotGreenError(Exception):
    """The tests fail as they are: nothing can be said of mutants."""


class Run:
    """The mutants of one source file, the tests that are to notice them, and what is known so far."""

    def __init__(self, source: Path, tests: Sequence[str], memory: Path) -> None:
        """`source` is relative to the root of the project; results are kept in the file `memory`."""
        self.source = source
        self.tests = tests
        self.mutants: Final = mutants((ROOT / source).read_text(encoding="utf-8"))
        self._memory = memory
        self._digest = self._state()
        self.outcomes: dict[tuple[str, str, str], Outcome] = {}
        with suppress(FileNotFoundError, ValueError):
            kept = json.loads(memory.read_text(encoding="utf-8"))
            if kept["digest"] == self._digest:
                self.outcomes = {(where, old, new): what for where, old, new, what in kept["outcomes"]}

    def _state(self) -> str:
        """Changes with the source and its tests."""
        digest = hashlib.sha256()
        for name in (str(self.source), *self.tests):
            digest.update((ROOT / name).read_bytes())
        return digest.hexdigest()

    def open_mutants(self) -> list[Mutant]:
        """Those of which nothing is known yet."""
        return list({each.key: each for each in self.mutants if each.key not in self.outcomes}.values())

    def finish(self, processes: int) -> Iterator[tuple[Mutant, Outcome]]:
        """Try what is open; each as it is known, in any order. Raises NotGreenError."""
        waiting = self.open_mutants()
        if not waiting:
            return
        with TemporaryDirectory(prefix="mutation-") as folder:
            trees: SimpleQueue[Path] = SimpleQueue()
            for number in range(min(processes, len(waiting))):
                trees.put(_copy(Path(folder) / str(number)))
            first = trees.get()
            began = time.monotonic()
            if self._try(first, None, 600.0) != "survived":
                raise NotGreenError(f"{' '.join(self.tests)} fail without a mutant")
            limit = _SLOWEST * (time.monotonic() - began) + _GRACE
            trees.put(first)

            def attempt(mutant: Mutant) -> tuple[Mutant, Outcome]:
                tree = trees.get()
                try:
                    return mutant, self._try(tree, mutant, limit)
                finally:
                    trees.put(tree)

            with ThreadPoolExecutor(processes) as pool:
                futures = [pool.submit(attempt, mutant) for mutant in waiting]
                try:
                    for future in as_completed(futures):
                        mutant, outcome = future.result()
                        self.outcomes[mutant.key] = outcome
                        self._keep()
                        yield mutant, outcome
                finally:
                    pool.shutdown(cancel_futures=True)

    def _try(self, tree: Path, mutant: Mutant | None, limit: float) -> Outcome:
        """Run the tests in a tree, in which they may do what they like."""
        file = tree / self.source
        # Bytecode is recognised by time and size of its source, which a mutant may share with another.
        for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"):
            compiled.unlink()
        good = file.read_text(encoding="utf-8")
        try:
            if mutant is not None:
                file.write_text(mutant.source, encoding="utf-8")
            code = _ended(tree, self.tests, limit)
        finally:
            file.write_text(good, encoding="utf-8")
        if code is None:
            return "timeout"
        return "killed" if code else "survived"

    def _keep(self) -> None:
        self._memory.parent.mkdir(exist_ok=True)
        kept = {"digest": self._digest, "outcomes": [[*key, what] for key, what in self.outcomes.items()]}
        partial = self._memory.with_suffix(".partial")
        partial.write_text(json.dumps(kept), encoding="utf-8")
        partial.replace(self._memory)


def _copy(tree: Path) -> Path:
    tree.mkdir()
    for name in _COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, tree / name)
    return tree


def _ended(tree: Path, tests: Sequence[str], limit: float) -> int | None:
    """The exit code of the tests; None if they did not end within so many seconds."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--no-header", *tests]
    # CI makes hypothesis try the same examples each time.
    environment = os.environ | {"CI": "true", "PYTHONHASHSEED": "0"}
    with _started([*command, "-m", "not end_to_end"], tree, environment) as running:
        try:
            return running.wait(limit)
        except subprocess.TimeoutExpired:
            return None


@contextmanager
def _started(
    command: Sequence[str], folder: Path, environment: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """The command, which leaves no process behind."""
    running = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield running
    finally:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()
