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
    "meter/obis": ["tests/meter/test_obis.py"],
    "meter/models": ["tests/meter/test_models.py"],
    "meter/json_values": ["tests/meter/test_json_values.py", "tests/meter/test_models.py"],
    "meter/json_object": ["tests/meter/test_json_object.py", "tests/meter/test_models.py"],
    "meter/quantities": ["tests/meter/test_quantities.py"],
    "meter/guard": ["tests/meter/test_guard.py"],
    "meter/history": ["tests/meter/test_guard.py"],
    "meter/memory": ["tests/meter/test_memory.py"],
    "bridges/http/answer": ["tests/bridges/test_answer.py"],
    "bridges/http/httptools_reader": ["tests/bridges/test_answer.py"],
    "bridges/http/h11_reader": ["tests/bridges/test_answer.py"],
    "bridges/http/connection": ["tests/bridges/test_connection.py"],
    "bridges/http/device": ["tests/bridges/test_transport.py"],
    "bridges/http/connecting": ["tests/bridges/test_transport.py"],
    "bridges/http/transport": ["tests/bridges/test_transport.py"],
    "bridges/single_flight": ["tests/bridges/test_single_flight.py"],
    "bridges/probed": ["tests/bridges/test_probed.py"],
    "bridges/inventory": ["tests/bridges/test_inventory.py", "tests/bridges/test_fleet.py"],
    "bridges/fleet": ["tests/bridges/test_fleet.py", "tests/bridges/test_probe.py"],
    "bridges/bridge": ["tests/bridges/test_bridge.py", "tests/bridges/test_fleet.py"],
    "bridges/bridge_log": ["tests/bridges/test_bridge.py", "tests/bridges/test_fleet.py"],
    "bridges/live/deadline": ["tests/bridges/test_live_deadline.py"],
    "bridges/live/events": ["tests/bridges/test_live_events.py"],
    "bridges/live/rhythm": ["tests/bridges/test_live_rhythm.py"],
    "bridges/live/distribution": ["tests/bridges/test_live_rhythm.py"],
    "bridges/live/incoming": ["tests/bridges/test_live_incoming.py"],
    "bridges/live/follower": ["tests/bridges/test_live_follower.py", "tests/bridges/test_live.py"],
    "bridges/live/streams": ["tests/bridges/test_live.py"],
    "bridges/discovery/admission": ["tests/bridges/test_admission.py"],
    "bridges/discovery/announcements": ["tests/bridges/test_announcements.py"],
    "bridges/discovery/browser": ["tests/bridges/test_discovery.py"],
    "net/resolver": ["tests/net/test_resolver.py"],
    "state/file": ["tests/state/test_file.py"],
    "state/keeper": ["tests/state/test_keeper.py"],
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
    parser.add_argument(
        "--survivors", action="store_true", help="tests were only added: try those that survived again"
    )
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.modules if name not in MODULES]:
        parser.error(f"{unknown[0]!r} is not a module, take some of {', '.join(MODULES)}")
    good = True
    for name in options.modules or MODULES:
        memory = MEMORY / f"{name.replace('/', '.')}.json"
        if options.again:
            memory.unlink(missing_ok=True)
        try:
            run = Run(source_of(name), MODULES[name], memory, tests_only_grew=options.survivors)
            good &= _judge(name, run, options.processes)
        except NotGreenError as error:
            sys.exit(f"{name}: {error}")
    sys.exit(not good)


def source_of(name: str) -> Path:
    """The file of a module, named by its way in the package: `meter/obis`."""
    return Path("iometer_exporter", f"{name}.py")


def _judge(name: str, run: Run, processes: int) -> bool:
    """Finish the run, print what came of it; whether that is good."""
    number = len(run.open_mutants())
    end = "\n"
    if sys.stderr.isatty():
        end = "\r"
    for done, _ in enumerate(run.finish(processes), 1):
        print(f"{name}: {done} of {number} mutants tried", end=end, file=sys.stderr, flush=True)
    if number and end == "\r":
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
