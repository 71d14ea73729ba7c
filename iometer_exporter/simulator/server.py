"""The TCP server of one simulated bridge."""

import asyncio
import errno
import os
import socket
from typing import Final

from iometer_exporter.errors import StartError
from iometer_exporter.simulator.bridge import SimulatedBridge
from iometer_exporter.simulator.connection import Connection

_ADVICE: Final = {
    errno.EADDRINUSE: "it is in use; stop the program that uses it or choose another port",
    errno.EACCES: "it needs more rights; choose a port above 1023",
    errno.EPERM: "it needs more rights; choose a port above 1023",
    errno.EADDRNOTAVAIL: "this machine has no such address; choose one of its own",
}


class BridgeServer:
    """Serves a bridge from `start` to `aclose`."""

    def __init__(self, bridge: SimulatedBridge, *, latency: float = 0.0) -> None:
        """Answer for a bridge, each time after `latency` seconds."""
        self.bridge = bridge
        self.latency = latency
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> None:
        """Listen (port 0: on a free one); raises StartError where that is impossible."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(self._connection, host or None, port)
        except socket.gaierror as error:
            raise StartError(f"{host!r} is not an address of this machine: {error.strerror}") from error
        except OSError as error:
            # asyncio packs the reason into a text of its own, with its number save for the one that it skips.
            number = error.errno or errno.EADDRNOTAVAIL
            advice = _ADVICE.get(number, os.strerror(number))
            raise StartError(f"port {port} of {host!r} cannot be listened on: {advice}") from error
        # The address rather than the name: `localhost` may be two addresses, with a port each.
        self.bridge.host, self.bridge.port = self._server.sockets[0].getsockname()[:2]

    async def aclose(self) -> None:
        """Close the port and all connections, and wait until nothing runs any more."""
        if self._server is not None:
            self._server.close()
            await asyncio.gather(*(connection.aclose() for connection in tuple(self._connections)))
            await self._server.wait_closed()
            self._server = None

    def _connection(self) -> Connection:
        connection = Connection(self.bridge, latency=self.latency, on_lost=self._connections.discard)
        self._connections.add(connection)
        return connection
