"""A provider's cloud that serves on a port."""

import asyncio
import logging
import os
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import uvicorn
from ariadne.asgi import GraphQL
from starlette.websockets import WebSocket

from iometer_exporter.errors import ConfigError, StartError
from iometer_exporter.simulator.cloud.cloud import Cloud
from iometer_exporter.simulator.cloud.faults import Faults, provider_faults
from iometer_exporter.simulator.cloud.fleet import Fleet
from iometer_exporter.simulator.cloud.gate import PATH, Credentials, Gate
from iometer_exporter.simulator.cloud.identity import SECRET, TOKEN
from iometer_exporter.simulator.cloud.queries import Documents, QueryHandler
from iometer_exporter.simulator.cloud.schema import executable_schema
from iometer_exporter.simulator.cloud.sockets import SocketHandler

_BACKLOG_CONNECTIONS: Final = 512
_ENDING_SECONDS: Final = 2.0
"""For answers under way to end once their connections are closed."""


class ProviderSimulation:
    """A provider's cloud that serves from `async with` on until its end, and again in the next one.

    All that a test asks for can be changed while it serves: `faults.kinds` (names of PROVIDER_FAULTS) and
    the other fields of `faults`, `fleet.size`, `fleet.hidden`, and the valid `credentials`.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        installations: int = 50,
        seed: int = 1,
        interval: int = 900,
        token: str = TOKEN,
        secret: str = SECRET,
        faults: Iterable[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        """A fleet whose meters are read every `interval` seconds; raises ConfigError for what cannot be.

        Without late ones, a reading is received `cloud.arrivals.delay(index)` seconds after its time.
        """
        if installations < 0:
            raise ConfigError(f"{installations} installations cannot be, simulate 0 or more")
        if not 1 <= interval <= 86_400:
            raise ConfigError(f"readings every {interval} s cannot be, choose 1 to 86400 s")
        if not token or not secret or ":" in token:
            raise ConfigError("token and secret may not be empty, and the token may have no colon")
        self.host = host
        self.port = port
        self.credentials = Credentials(token, secret)
        self.faults: Faults = provider_faults(faults)
        self.cloud = Cloud(
            installations=installations, seed=seed, interval=interval, faults=self.faults, clock=clock
        )
        schema = executable_schema()
        documents = Documents(schema, self.cloud)
        self._sockets = SocketHandler(self.cloud, documents, knows=self._knows, cut=self._cut)
        # The errors that clients make are theirs.
        silent = logging.Logger("graphql", logging.CRITICAL + 1)
        app = GraphQL(
            schema,
            context_value=self.cloud,
            execute_get_queries=True,
            logger=silent,
            http_handler=QueryHandler(self.cloud, documents),
            websocket_handler=self._sockets,
        )
        self._gate = Gate(app, self.cloud, knows=self._knows)
        self._server: uvicorn.Server | None = None

    @property
    def fleet(self) -> Fleet:
        """The installations, and which of them there are."""
        return self.cloud.fleet

    @property
    def url(self) -> str:
        """Address for queries; the address of the socket is the same with ws instead of http."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}{PATH}"

    @property
    def sent(self) -> Counter[str]:
        """Readings given out so far, by `query`, `subscription` and `scheduled`."""
        return self.cloud.sent

    @property
    def statuses(self) -> Counter[int]:
        """HTTP answers so far, by status."""
        return self._gate.statuses

    @property
    def busy_seconds(self) -> float:
        """Seconds spent so far on making answers and messages."""
        return self.cloud.busy_seconds

    @property
    def open_sockets(self) -> int:
        """Number of open sockets."""
        return len(self._connections("websocket"))

    @property
    def refuse_sockets(self) -> bool:
        """Whether new sockets are refused."""
        return "no-sockets" in self.faults.kinds

    @refuse_sockets.setter
    def refuse_sockets(self, refuse: bool) -> None:
        (self.faults.kinds.add if refuse else self.faults.kinds.discard)("no-sockets")

    def cut_sockets(self) -> int:
        """Cut all open sockets without a word; how many these were."""
        connections = self._connections("websocket")
        for connection in connections:
            connection.transport.abort()
        return len(connections)

    def revoke(self) -> None:
        """From now on token and secret are not valid; open sockets are cut."""
        self.faults.kinds.add("unauthorized")
        self.cut_sockets()

    def jump(self, seconds: float) -> None:
        """Put the cloud's clock forward, or back."""
        self.cloud.offset += seconds
        self.wake()

    def wake(self) -> None:
        """Let all subscriptions look at the clock now, and not in a moment."""
        self.cloud.wake()

    def energy_import_wh(self, index: int, place: int, time: float) -> float:
        """True import in Wh of a meter of an installation at a unix time, to 0.1 Wh."""
        return self.fleet.meter(index, place).load.import_tenths(time) / 10

    def energy_export_wh(self, index: int, place: int, time: float) -> float:
        """True export in Wh of a meter of an installation at a unix time, to 0.1 Wh."""
        return self.fleet.meter(index, place).load.export_tenths(time) / 10

    def power_watts(self, index: int, place: int, time: float) -> int:
        """True grid power in W of a meter of an installation at a unix time; negative while it exports."""
        return self.fleet.meter(index, place).load.power_watts(time)

    async def __aenter__(self) -> "ProviderSimulation":
        listening = _listen(self.host, self.port)
        self.host, self.port = listening.getsockname()[:2]
        self._gate.open()
        config = uvicorn.Config(
            self._gate,
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=75,
            ws="websockets-sansio",
            ws_per_message_deflate=False,
        )
        config.load()
        self._server = uvicorn.Server(config)
        self._server.lifespan = config.lifespan_class(config)
        # Its own loop would do no more than wait to be stopped, and takes a while over that.
        await self._server.startup(sockets=[listening])
        return self

    async def __aexit__(self, *_: object) -> None:
        server, self._server = self._server, None
        if server is None:
            return
        for listening in server.servers:
            listening.close()
        self._gate.close()
        for connection in tuple(server.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        if server.server_state.tasks:
            await asyncio.wait(server.server_state.tasks, timeout=_ENDING_SECONDS)
        await self._sockets.aclose()
        for listening in server.servers:
            await listening.wait_closed()

    def _knows(self, authorization: str) -> bool:
        return "unauthorized" not in self.faults.kinds and self.credentials.knows(authorization)

    def _cut(self, websocket: WebSocket) -> None:
        for connection in self._connections("websocket"):
            if connection.scope is websocket.scope:
                connection.transport.abort()

    def _connections(self, kind: str) -> Sequence[Any]:
        """The connections to uvicorn that have got as far as a request of this kind."""
        every: Iterable[Any] = self._server.server_state.connections if self._server else ()
        return [each for each in every if (getattr(each, "scope", None) or {}).get("type") == kind]


def describe_provider(simulation: ProviderSimulation) -> list[str]:
    """Lines for a person: address, token and secret, and what to write into a configuration."""
    token, secret = simulation.credentials.token, simulation.credentials.secret
    return [
        f"{simulation.url}  {simulation.cloud.name} with {simulation.fleet.size} installations",
        f"token {token}  secret {secret}",
        "",
        "For the exporter, in its environment:",
        f"  IOMETER_EXPORTER_PROVIDER_TOKEN={token}",
        f"  IOMETER_EXPORTER_PROVIDER_SECRET={secret}",
        "and in its configuration:",
        "  provider:",
        f"    url: {simulation.url}",
    ]


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens (port 0: on a free one); raises StartError where that is impossible."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # asyncio sends without delay only where the protocol is named.
        listening = socket.socket(family, kind, socket.IPPROTO_TCP)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(_BACKLOG_CONNECTIONS)
        except BaseException:
            listening.close()
            raise
        return listening
    except socket.gaierror as error:
        raise StartError(f"{host!r} is not an address of this machine: {error.strerror}") from error
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise StartError(
            f"port {port} of {host!r} cannot be listened on: {reason}; choose another one"
        ) from error
