"""Runs a module's own tests against its mutants, several at a time, and remembers what came of it."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import Final, Literal

from tests.mutation.mutants import Mutant, mutants

ROOT: Final = Path(__file__).parent.parent.parent

Outcome = Literal["killed", "survived", "timeout"]

_COPIED: Final = (
    "iometer_exporter",
    "tests",
    "grafana",
    "prometheus",
    "devtools",
    "pyproject.toml",
    "README.md",
)
"""What the narrow tests of a module may need."""

_SLOWEST: Final = 4.0
"""Times as long as without a mutant, after which it is taken for endless."""

_GRACE: Final = 5.0
"""Seconds more, as other processes want the machine too."""

_PATIENCE: Final = "5"
"""Seconds that a test waits for what a mutant may have made impossible."""

_LONGEST: Final = 600.0
"""Seconds in which the tests end without a mutant."""

_PROGRAM: Final = Path(__file__).with_name("worker.py")


class NotGreenError(Exception):
    """The tests fail as they are: nothing can be said of mutants."""


class Run:
    """The mutants of one source file, the tests that are to notice them, and what is known so far."""

    def __init__(
        self, source: Path, tests: Sequence[str], memory: Path, *, tests_only_grew: bool = False
    ) -> None:
        """`source` is relative to the root of the project; results are kept in the file `memory`.

        Where tests have only been added, what they killed before is killed.
        """
        self.source = source
        self.tests = tests
        self.mutants: Final = mutants((ROOT / source).read_text(encoding="utf-8"))
        self._memory = memory
        self._digest = self._state()
        self.outcomes: dict[tuple[str, str, str], Outcome] = {}
        with suppress(FileNotFoundError, ValueError):
            kept = json.loads(memory.read_text(encoding="utf-8"))
            known: dict[tuple[str, str, str], Outcome] = {
                (where, old, new): what for where, old, new, what in kept["outcomes"]
            }
            if kept["digest"] == self._digest:
                self.outcomes = known
            elif tests_only_grew:
                self.outcomes = {key: what for key, what in known.items() if what != "survived"}

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
        with TemporaryDirectory(prefix="mutation-") as folder, ExitStack() as stack:
            workers: SimpleQueue[_Worker] = SimpleQueue()
            limit = 0.0
            for number in range(min(processes, len(waiting))):
                worker = stack.enter_context(_worker(Path(folder) / str(number), self.source, self.tests))
                # The first time imports what all others find imported.
                for _ in range(2):
                    began = time.monotonic()
                    if worker.outcome(None, _LONGEST) != "survived":
                        raise NotGreenError(f"{' '.join(self.tests)} fail without a mutant")
                limit = max(limit, _SLOWEST * (time.monotonic() - began) + _GRACE)
                workers.put(worker)

            def attempt(mutant: Mutant) -> tuple[Mutant, Outcome]:
                worker = workers.get()
                try:
                    return mutant, worker.outcome(mutant, limit)
                finally:
                    workers.put(worker)

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

    def _keep(self) -> None:
        self._memory.parent.mkdir(exist_ok=True)
        kept = {"digest": self._digest, "outcomes": [[*key, what] for key, what in self.outcomes.items()]}
        partial = self._memory.with_suffix(".partial")
        partial.write_text(json.dumps(kept), encoding="utf-8")
        partial.replace(self._memory)


class _Worker:
    """A process in a tree of its own, in which tests may do what they like."""

    def __init__(self, file: Path, process: "subprocess.Popen[str]") -> None:
        self._file = file
        self._good = file.read_text(encoding="utf-8")
        self._process = process

    def outcome(self, mutant: Mutant | None, limit: float) -> Outcome:
        """What the tests say to a mutant, or to the source as it is, within so many seconds."""
        # Bytecode is recognised by time and size of its source, which a mutant may share with another.
        for compiled in (self._file.parent / "__pycache__").glob(f"{self._file.stem}.*.pyc"):
            compiled.unlink()
        self._file.write_text(mutant.source if mutant else self._good, encoding="utf-8")
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(limit, file=self._process.stdin, flush=True)
        code = self._process.stdout.readline()
        assert code, "the process that runs the tests has ended"
        if not code.strip():
            return "timeout"
        return "survived" if int(code) == 0 else "killed"


@contextmanager
def _worker(tree: Path, source: Path, tests: Sequence[str]) -> Iterator[_Worker]:
    tree.mkdir()
    for name in _COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, tree / name)
    with subprocess.Popen(
        [sys.executable, str(_PROGRAM), *tests],
        cwd=tree,
        # CI makes hypothesis try the same examples each time.
        env=os.environ
        | {"CI": "true", "PYTHONHASHSEED": "0", "PYTHONPATH": str(tree), "PATIENCE": _PATIENCE},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield _Worker(tree / source, process)
        finally:
            process.kill()
