"""Processes of these benchmarks, which answer one line of JSON to each line that they are asked."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from inspect import isawaitable
from typing import IO, Any


class Child:
    """One of them; it answers once it has started."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.pid = process.pid
        assert process.stdin is not None
        assert process.stdout is not None
        self._in: IO[str] = process.stdin
        self._out: IO[str] = process.stdout

    def ask(self, what: str) -> Any:
        """The answer."""
        self._in.write(f"{what}\n")
        self._in.flush()
        return json.loads(self._out.readline())


@contextmanager
def child(module: str, *arguments: str, env: Mapping[str, str] | None = None) -> Iterator[Child]:
    """A module of these benchmarks as a process that does not outlive the block."""
    with subprocess.Popen(
        [sys.executable, "-m", f"benchmarks.{module}", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **(env or {})},
    ) as process:
        try:
            yield Child(process)
        finally:
            process.terminate()


async def answer(questions: Mapping[str, Callable[[], Any]]) -> None:
    """Answer lines on standard input until its end."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        found = questions[line.decode().strip()]()
        print(json.dumps(await found if isawaitable(found) else found), flush=True)
