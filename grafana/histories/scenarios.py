"""The history of any scenario; `python -m grafana.histories.scenarios NAME FOLDER` writes one."""

import sys
import time
from pathlib import Path

from grafana.histories import history, provider
from grafana.histories.history import History
from grafana.histories.plan import EVERY, Scenario


def write(scenario: Scenario, folder: Path) -> History:
    """Write the blocks of a scenario of homes, or of a provider; raises MissingProgramError."""
    if scenario.households:
        return history.write(scenario, folder)
    return provider.write(scenario, folder)


def _main(name: str, folder: str) -> None:
    started = time.monotonic()
    written = write(EVERY[name], Path(folder))
    print(f"{written.samples} samples of {name} in {time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    _main(*sys.argv[1:])
