"""What tests share: programs that a machine may lack, and a quiet httpx."""

import logging
import os
import shutil
from collections.abc import Iterator

import pytest

_PACKAGES = {
    "amtool": "prometheus-alertmanager",
    "openssl": "openssl",
    "prometheus": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "promtool": "prometheus",
    "systemd-analyze": "systemd",
}

IN_CI = os.environ.get("CI") == "true"


def require_program(name: str) -> str:
    """Path of a program; where it is missing the test is skipped, and fails in CI."""
    path = shutil.which(name)
    if path is None:
        message = f"the program {name!r} is not installed (Debian package: {_PACKAGES[name]})"
        if IN_CI:
            pytest.fail(message)
        pytest.skip(message)
    return path


@pytest.fixture(autouse=True)
def _logging() -> Iterator[None]:
    """A quiet httpx as in the program, and what a command run in this process sets up undone again."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    yield
    root.setLevel(level)
    root.handlers[:] = handlers
