"""The floor under every exporter: requests sent and answers received with nothing but asyncio.

It parses no more than it needs to see where an answer ends, and throws the answers away.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self, cast

_HEAD_END: Final = b"\r\n\r\n"
_LAST_CHUNK: Final = b"\r\n0\r\n\r\n"
_PATIENCE: Final = 120.0


@dataclass(frozen=True)
class Target:
    """A document: where, and under which path."""

    port: int
    path: str
    host: str = "127.0.0.1"

    def request(self) -> bytes:
        """The bytes that ask for it."""
        return f"GET {self.path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n\r\n".encode()


class _Round:
    """All answers of a round: done when each has come."""

    def __init__(self, awaited: int) -> None:
        self._awaited = awaited
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def one_has_come(self) -> None:
        self._awaited -= 1
        if not self._awaited:
            self.done.set_result(None)

    def fail(self, reason: str) -> None:
        if not self.done.done():
            self.done.set_exception(RuntimeError(reason))


class _Client(asyncio.Protocol):
    """A connection that asks for one document whenever it is told to."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._request = target.request()
        self._received = b""
        self._round: _Round | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self._round is not None:
            self._round.fail(f"{self.target} has closed the connection before it answered")

    def ask(self, round_: _Round) -> None:
        assert self.transport is not None
        self._round = round_
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, blank, body = self._received.partition(_HEAD_END)
        if blank and _is_whole(head.lower(), body):
            self._received = b""
            round_, self._round = self._round, None
            if round_ is None:
                return
            if b" 200 " in head.partition(b"\r\n")[0]:
                round_.one_has_come()
            else:
                round_.fail(f"{self.target} answers {head[:40]!r}: {body[:200]!r}")


def _is_whole(head: bytes, body: bytes) -> bool:
    _, found, rest = head.partition(b"content-length:")
    if found:
        return len(body) >= int(rest.partition(b"\r\n")[0])
    return body.endswith(_LAST_CHUNK) or body == _LAST_CHUNK[2:]


class Floor:
    """Asks for all targets at once, over connections that are kept as long as the other side keeps them."""

    def __init__(self, targets: Sequence[Target]) -> None:
        """A client for each target; none is connected yet."""
        self._clients = [_Client(target) for target in targets]
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        self._runner.__enter__()
        return self

    def __exit__(self, *reason: object) -> None:
        for client in self._clients:
            if client.transport is not None:
                client.transport.abort()
        self._runner.run(asyncio.sleep(0))  # closes what was aborted
        self._runner.close()

    def fetch(self) -> float:
        """Seconds until all answers are there; raises RuntimeError where one is not 200."""
        return self._runner.run(self._fetch())

    async def _fetch(self) -> float:
        started = time.perf_counter()
        round_ = _Round(len(self._clients))
        unconnected = [client for client in self._clients if client.transport is None]
        for client in self._clients:
            if client.transport is not None:
                client.ask(round_)
        if unconnected:
            await asyncio.gather(*(self._connect(client, round_) for client in unconnected))
        await asyncio.wait_for(round_.done, _PATIENCE)
        took = time.perf_counter() - started
        # Lets those see it whose connection the other side has closed.
        await asyncio.sleep(0.02)
        return took

    async def _connect(self, client: _Client, round_: _Round) -> None:
        target = client.target
        await asyncio.get_running_loop().create_connection(lambda: client, target.host, target.port)
        client.ask(round_)
