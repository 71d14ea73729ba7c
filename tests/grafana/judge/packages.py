"""Installs Grafana's packages for the tests, once for each state of the lock file.

Run it as `python3 tests/grafana/judge/packages.py`; nothing but Python's own library, node and npm is needed.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
CACHE: Final = HERE.parent.parent.parent / ".cache"
"""Of the checkout; in no commit."""

_FILES: Final = ("package.json", "package-lock.json", ".npmrc")


def modules() -> Path:
    """The folder of the packages that the lock file names; it is there once they are installed."""
    digest = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in _FILES))
    return CACHE / f"grafana-{digest.hexdigest()[:16]}"


def install() -> None:
    """Install the packages where they are missing; raises CalledProcessError."""
    if modules().exists():
        return
    CACHE.mkdir(exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(dir=CACHE))
    try:
        for name in _FILES:
            shutil.copy(HERE / name, unfinished)
        subprocess.run(["npm", "ci"], cwd=unfinished, check=True)
        # At once, so that nobody finds a half of them.
        os.rename(unfinished, modules())
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


if __name__ == "__main__":
    install()
