"""What the pages for users show: examples, and commands as somebody types them from top to bottom.

The commands of a page run in one shell, in a network of their own where the addresses and ports of the page
are free: what is written there is what runs. Bash does it, so that variables and jobs are those of a reader.
"""

import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.processes import CLEAN_ENVIRONMENT

ROOT: Final = Path(__file__).parent.parent
PAGES: Final = [*sorted(ROOT.glob("README*.md")), *sorted((ROOT / "docs").glob("*.md"))]


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    text: str

    @property
    def where(self) -> str:
        """Page and line at which it begins."""
        return f"{self.page}:{self.line}"


@dataclass(frozen=True, slots=True)
class Step:
    """A command of a page, and what the page says that it prints: None where it says nothing."""

    where: str
    command: str
    output: str | None

    @property
    def serves(self) -> bool:
        """Whether it goes on until it is stopped."""
        pattern = r"(\S*/)?iometer-exporter (serve|demo|simulate)\b"
        return self.output is None and bool(re.match(pattern, self.command))


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a step; the code is None where it never ended."""

    output: str
    code: int | None


def blocks() -> list[Block]:
    """The fenced blocks of all pages."""
    found = []
    for page in PAGES:
        text = page.read_text()
        for block in re.finditer(r"^( *)```(\w*)\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL):
            line = text.count("\n", 0, block.start()) + 1
            found.append(Block(page.name, line, block[2], re.sub(f"^{block[1]}", "", block[3], flags=re.M)))
    return found


def steps(page: str) -> list[Step]:
    """The commands of a page: all lines of an `sh` block, and what follows a `$` in a `console` block."""
    found = []
    for block in blocks():
        if block.page == page and block.language == "sh":
            found += [Step(block.where, line, None) for line in _joined(block.text).splitlines()]
        elif block.page == page and block.language == "console":
            for part in re.split(r"^\$ ", _joined(block.text), flags=re.M)[1:]:
                command, _, output = part.partition("\n")
                found.append(Step(block.where, command, output))
    return found


def _joined(text: str) -> str:
    """The text with lines put together that end with a backslash."""
    return re.sub(r"\\\n *", "", text)


_VARYING: Final = (
    (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?(?:\+00:00|Z| [A-Z]{3,4})?", "TIME"),
    (r"\b\d+ (?:s|min|h|d)(?: \d+ (?:s|min|h))*\b", "DURATION"),
    (r"\(\d\.\d{3} s\)|after \d\.\d{3} s", "DURATION"),
    (r"(?<=_seconds )\d\.\d+(?:e[-+]\d+)?", "SECONDS"),
    (r"\d+\.\d{4}\b(?!\.)", "ENERGY"),
    (r"(?<=\} )\d\.\d+e\+\d+", "VALUE"),
    (r"(?<=^iometer_power_watts\{)(.*\} )-?\d+\.0", r"\1WATTS"),
    (r"-?\d+(  W|  ?dBm| W\b)", r"N\1"),
    (r"127\.0\.0\.1:(?!18[01]8)\d{4,5}", "127.0.0.1:PORT"),
    (r"(?<=TIME  )\S+  meter .*(?=  received)", "READING"),
    (r"(?<=, of )(?:home-\d{6}|[\da-f-]{36})$", "home-N"),
    (r"median of \d+|^\d{4,} readings of", "N"),
    (r"eyJ[\w.-]+", "TOKEN"),
    (r"\$2[aby]\$10\$[./\w]{53}", "HASH"),
    (r" {2,}|—", "  "),
    (r" +$", ""),
    (r"(?<=\[y/N\]: )y\n", ""),
    # Said where it takes more than a moment, as on a busy machine.
    (r"^(?:Looking for bridges|Asking .+) …\n", ""),
)
"""What differs between two runs, and what stands for it in a comparison."""


def normalised(text: str) -> str:
    """A text without what differs between two runs."""
    for pattern, stand_in in _VARYING:
        text = re.sub(pattern, stand_in, text, flags=re.M)
    return text.strip("\n")


def agrees(shown: str, printed: str) -> bool:
    """Whether what a page shows was printed. A line `…` stands for any lines, within a line for any text."""
    lines = [
        r"[\s\S]*?" if line == "…" else ".*".join(map(re.escape, line.split("…")))
        for line in normalised(shown).splitlines()
    ]
    return bool(re.fullmatch("\n".join(lines), normalised(printed)))


_SHELL: Final = r"""
set -u
# Nothing outside the folder of the page is written to.
mount --bind "$HOME" "$HOME" && mount -o remount,bind,ro / && cd "$HOME"
ip link set lo up multicast on
for address in 192.168.1.{10,50,51}; do ip address add $address/24 dev lo; done
ip route add 224.0.0.0/4 dev lo
server=
# serve STEP COMMAND: starts it and waits until it says that it serves.
serve() {
  : >"$results/$1.out"
  eval "exec ${2%&}" >>"$results/$1.out" 2>&1 </dev/null &
  server=$!
  until [[ $(<"$results/$1.out") =~ started|https?:// ]]; do
    kill -0 $server 2>/dev/null || { wait $server; echo $? >"$results/$1.code"; server=; return; }
    sleep 0.05
  done
}
# stop STEP: ends what `serve` has started.
stop() {
  [[ $server ]] || return
  kill $server; wait $server; echo $? >"$results/$1.code"; server=
}
# run STEP COMMAND ANSWER: runs it in this shell.
run() { eval "$2" >"$results/$1.out" 2>&1 <<<"$3"; echo $? >"$results/$1.code"; }
"""


def script(scene: Sequence[str], todo: Sequence[Step]) -> str:
    """The shell script that sets the scene and does the steps; a server runs until the next one starts."""
    lines = [_SHELL]
    lines += [f"serve scene{index} {shlex.quote(command)}" for index, command in enumerate(scene)]
    lines.append("server=")
    running = None
    for index, step in enumerate(todo):
        if step.serves:
            lines += [f"stop {running}"] if running is not None else []
            lines.append(f"serve {index} {shlex.quote(step.command)}")
            running = index
        else:
            answer = "y" if "[y/N]" in (step.output or "") else "secret"
            lines.append(f"run {index} {shlex.quote(step.command)} {answer}")
    lines += [f"stop {running}"] if running is not None else []
    return "\n".join(lines)


def perform(scene: Sequence[str], todo: Sequence[Step], home: Path, timeout: float) -> list[Done]:
    """Do the steps of a page in a folder that looks like a checkout; what came of each."""
    results = home / ".results"
    results.mkdir()
    environment = CLEAN_ENVIRONMENT | {
        "HOME": str(home),
        "TMPDIR": str(home),
        "PATH": f"{home / '.venv' / 'bin'}:{CLEAN_ENVIRONMENT['PATH']}",
        "TZ": "Europe/Berlin",
        "IOMETER_EXPORTER_DISCOVER_TIMEOUT": "2s",
        "results": str(results),
    }
    command = [*NAMESPACE, "bash", "-c", script(scene, todo)]
    with (results / "shell.log").open("wb") as log:
        subprocess.run(
            command, cwd=home, env=environment, stdout=log, stderr=log, timeout=timeout, check=False
        )
    said = (results / "shell.log").read_text()
    assert not said, said
    return [_done(results, index) for index in range(len(todo))]


NAMESPACE: Final = [
    *("unshare", "--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--kill-child"),
    "--mount-proc",
]
"""Runs a command in a network of its own; its processes end with it."""


def skip_without_namespaces() -> None:
    """Skip the test where the machine allows no network of its own."""
    tried = subprocess.run([*NAMESPACE, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"this machine allows no network of its own: {tried.stderr.strip()}")


def _done(results: Path, index: int) -> Done:
    output, code = results / f"{index}.out", results / f"{index}.code"
    return Done(
        output.read_text() if output.exists() else "", int(code.read_text()) if code.exists() else None
    )


def checkout(home: Path) -> None:
    """Make the folder look like a checkout in which README's first command was run."""
    for entry in ROOT.iterdir():
        if entry.name == "prometheus":
            # Its own copy: a command of the pages writes to it.
            subprocess.run(["cp", "-r", entry, home], check=True)
        elif not entry.name.startswith("."):
            (home / entry.name).symlink_to(entry)
    programs = home / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("python", "python3", "iometer-exporter"):
        arguments = "-m iometer_exporter " if name == "iometer-exporter" else ""
        (programs / name).write_text(f'#!/bin/sh\nexec {sys.executable} {arguments}"$@"\n')
        (programs / name).chmod(0o755)
    (home / "iometer").symlink_to(home / ".venv")
