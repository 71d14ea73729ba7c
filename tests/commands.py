"""The command line in this process: what takes another one to show stands in tests of its own."""

import io
import os
import sys
from dataclasses import dataclass

import pytest

from iometer_exporter.cli import main


@dataclass(frozen=True, slots=True)
class Done:
    """What a command has said and the code with which its process would have ended."""

    returncode: int
    stdout: str
    stderr: str


def run(*words: str, env: dict[str, str] | None = None) -> Done:
    """Run a command to its end as the entry point does, with no variables of this program but those given."""
    stdout, stderr = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="") for _ in range(2))
    code: int | str | None = 0
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("IOMETER_")]:
            patch.delenv(name)
        for name, value in (env or {}).items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["iometer-exporter", *words])
        patch.setattr(sys, "stdout", stdout)
        patch.setattr(sys, "stderr", stderr)
        try:
            main()
        except SystemExit as end:
            code = end.code
    assert isinstance(code, int)
    return Done(code, _text(stdout), _text(stderr))


def _text(stream: io.TextIOWrapper) -> str:
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode()
