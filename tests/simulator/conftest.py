"""What the simulator's tests share: a clock that stands still, and clients that speak bytes."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import pytest

from iometer_exporter.simulator import SimulatedBridge, Simulation, parse_fault


class Clock:
    """A clock that goes only when told to."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Ten in the evening of a winter day."""
    return Clock(datetime(2026, 1, 15, 21, 0, tzinfo=UTC).timestamp())


class Start(Protocol):
    """Starts a simulation on free ports that ends with the test."""

    def __call__(self, *faults: str, bridges: int = 1, **options: Any) -> Awaitable[SimulatedBridge]: ...


@pytest.fixture
async def start(clock: Clock) -> AsyncIterator[Start]:
    """Starts a simulation whose first bridge is given, its faults written as on the command line."""
    async with AsyncExitStack() as stack:

        async def begin(*faults: str, bridges: int = 1, **options: Any) -> SimulatedBridge:
            simulation = Simulation(
                port=0,
                bridges=bridges,
                faults=[parse_fault(fault) for fault in faults],
                **({"clock": clock} | options),
            )
            await stack.enter_async_context(simulation)
            return simulation.bridges[0]

        yield begin


@dataclass
class Answer:
    """A response as it came over the wire."""

    status: int
    body: bytes
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def document(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Client:
    """One connection to a bridge."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, text: str) -> None:
        """Send text with its line ends as HTTP wants them."""
        self.writer.write(text.replace("\n", "\r\n").encode())

    def get(self, path: str, *more: str) -> None:
        """Send a GET."""
        self.send("\n".join([f"GET {path} HTTP/1.1", "Host: bridge", *more, "", ""]))

    async def head(self) -> Answer:
        """Read the head of a response."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.rstrip().split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in lines)
        return Answer(int(first.split()[1]), b"", fields)

    async def answer(self) -> Answer:
        """Read a whole response."""
        answer = await self.head()
        answer.body = await self.reader.readexactly(int(answer.fields["content-length"]))
        return answer

    async def chunk(self) -> bytes:
        """Read a chunk of a chunked body."""
        size = int(await self.reader.readline(), 16)
        return (await self.reader.readexactly(size + 2))[:-2]

    async def ended(self) -> bool:
        """Whether the bridge closes the connection without another byte."""
        async with asyncio.timeout(2):
            return await self.reader.read(1) == b""

    async def close(self) -> None:
        """Close the connection."""
        self.writer.close()
        await self.writer.wait_closed()


Connect = Callable[[SimulatedBridge], Awaitable[Client]]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Opens connections that are closed with the test."""
    clients: list[Client] = []

    async def begin(bridge: SimulatedBridge) -> Client:
        client = Client(*await asyncio.open_connection(bridge.host, bridge.port))
        clients.append(client)
        return client

    yield begin
    for client in clients:
        client.writer.close()


async def fetch(bridge: SimulatedBridge, path: str) -> Answer:
    """GET on a connection of its own."""
    client = Client(*await asyncio.open_connection(bridge.host, bridge.port))
    try:
        client.get(path, "Connection: close")
        return await client.answer()
    finally:
        await client.close()


def values(reading: Any) -> dict[str, float]:
    """The registers of a reading by their hexadecimal code, as in `01.08.00`."""
    return {
        register["obis"].removeprefix("01-00:").removesuffix("*ff"): register["value"]
        for register in reading["meter"]["reading"]["registers"]
    }


def stamp(reading: Any) -> float:
    """The time of a reading, in unix seconds."""
    return datetime.fromisoformat(reading["meter"]["reading"]["time"]).timestamp()
