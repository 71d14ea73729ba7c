"""The exporter's command line in a process that can be measured and stalled.

    python -m benchmarks.stalling REPORT serve ...

SIGUSR1 writes the process's size into the file REPORT as JSON, SIGUSR2 makes everything in it stand
still for a moment, as a starved host does.
"""

import asyncio
import gc
import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Final

from iometer_exporter.cli import main

_STALL: Final = (0.02, 0.25)
"""Seconds, from and to."""


def size() -> dict[str, float]:
    """Resident memory in MB, open descriptors, sockets among them, and tasks of the running loop."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    links = [_target(entry) for entry in Path("/proc/self/fd").iterdir()]
    return {
        "rss": round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1),
        "descriptors": len(links),
        "sockets": sum(link.startswith("socket:") for link in links),
        "tasks": len(asyncio.all_tasks()),
    }


def _target(entry: Path) -> str:
    try:
        return str(entry.readlink())
    except FileNotFoundError:
        # That which lists the folder.
        return ""


def _report(file: Path) -> None:
    part = file.with_suffix(".part")
    part.write_text(json.dumps(size()))
    part.replace(file)


def _stall(_number: int, _frame: FrameType | None) -> None:
    # The handler runs in the thread of the loop, between two of its steps or in its waiting.
    time.sleep(random.uniform(*_STALL))


if __name__ == "__main__":
    report = Path(sys.argv.pop(1))
    signal.signal(signal.SIGUSR1, lambda *_: _report(report))
    signal.signal(signal.SIGUSR2, _stall)
    main()
