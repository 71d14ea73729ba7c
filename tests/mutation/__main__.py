"""`python -m tests.mutation`: how many mutants of each module its own tests kill, and which they do not."""

import argparse
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.mutation import equivalents
from tests.mutation.mutants import differences
from tests.mutation.running import ROOT, NotGreenError, Run

MODULES: Final[Mapping[str, Sequence[str]]] = {
    "obis": ["tests/test_obis.py"],
    "models": ["tests/test_models.py"],
    "quantities": ["tests/test_quantities.py"],
    "guard": ["tests/test_guard.py"],
    "http_answer": ["tests/test_transport.py", "tests/test_bridge.py"],
    "httptools_reader": ["tests/test_transport.py", "tests/test_bridge.py"],
    "h11_reader": ["tests/test_transport.py", "tests/test_bridge.py"],
    "connection": ["tests/test_transport.py", "tests/test_bridge.py"],
    "transport": ["tests/test_transport.py", "tests/test_bridge.py"],
    "sharing": ["tests/test_sharing.py"],
    "probed": ["tests/test_probed.py"],
    "roster": ["tests/test_roster.py", "tests/test_fleet.py"],
    "fleet": ["tests/test_fleet.py", "tests/test_probe.py"],
    "target": ["tests/test_fleet.py"],
}
"""The tests that are to notice a change of each module."""

NEEDED: Final = 0.9
"""Share of the mutants that are not equivalent, which the tests must kill."""

MEMORY: Final = ROOT / ".mutation"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for; exit code 1 if it is not good enough."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"of {', '.join(MODULES)}; all if none")
    parser.add_argument("--processes", type=int, default=2, help="how many at a time (default: %(default)s)")
    parser.add_argument("--again", action="store_true", help="forget what is known from a run before")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.modules if name not in MODULES]:
        parser.error(f"{unknown[0]!r} is not a module, take some of {', '.join(MODULES)}")
    good = True
    for name in options.modules or MODULES:
        memory = MEMORY / f"{name}.json"
        if options.again:
            memory.unlink(missing_ok=True)
        try:
            good &= _judge(name, Run(source_of(name), MODULES[name], memory), options.processes)
        except NotGreenError as error:
            sys.exit(f"{name}: {error}")
    sys.exit(not good)


def source_of(name: str) -> Path:
    """The file of a module, wherever in the package it is, but not that of the cloud with the same name."""
    package = ROOT / "iometer_exporter"
    apart = {package / "provider", package / "simulator"}
    [path] = (path for path in package.rglob(f"{name}.py") if not apart & {*path.parents})
    return path.relative_to(ROOT)


def _judge(name: str, run: Run, processes: int) -> bool:
    """Finish the run, print what came of it; whether that is good."""
    number = len(run.open_mutants())
    for done, _ in enumerate(run.finish(processes), 1):
        print(f"\r{name}: {done} of {number} mutants tried", end="", file=sys.stderr, flush=True)
    if number:
        print(file=sys.stderr)
    counts = Counter(run.outcomes[mutant.key] for mutant in run.mutants)
    survivors = [mutant for mutant in run.mutants if run.outcomes[mutant.key] == "survived"]
    known = equivalents.load().get(name, [])
    real = equivalents.without_reason(survivors, known)
    killed = counts["killed"] + counts["timeout"]
    rate = killed / (killed + len(real)) if killed + len(real) else 1.0
    print(
        f"{name}: {counts['killed']} killed, {counts['timeout']} endless, {len(survivors)} survived, "
        f"of which {len(survivors) - len(real)} are equivalent: {rate:.1%}"
    )
    for mutant in real:
        print("", *differences(mutant), sep="\n  ")
    stale = equivalents.outlived(survivors, known)
    for each in stale:
        print(f"\n  no survivor any more, take it out of equivalents.yml: {each.where}: {each.after}")
    return rate >= NEEDED and not stale


if __name__ == "__main__":
    main()
