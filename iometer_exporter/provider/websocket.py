"""gql's WebSocket transport made strict: one subprotocol, no proxies and redirects, exact numbers."""

import asyncio
import logging
from typing import Any, Final

from gql.transport.common.adapters.websockets import WebSocketsAdapter
from gql.transport.exceptions import TransportConnectionFailed, TransportProtocolError, TransportQueryError
from gql.transport.websockets import WebsocketsTransport
from graphql import ExecutionResult
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from iometer_exporter.provider.transport import decode, tls_context

SUBPROTOCOL: Final = "graphql-transport-ws"

LARGEST_MESSAGE: Final = 4 * 1024 * 1024
"""Bytes of one message; a reading has about two thousand."""

_BATCH: Final = 64
"""Messages that are taken in a row, some 3 ms of work."""

_REST: Final = 0.002
"""Seconds without messages after that: a backlog of a day takes minutes, in which scrapes and bridges are to
be served as at any other time. It waits in the network meanwhile, for gql would keep it in memory."""

_GOODBYE: Final = 0.5
"""Seconds that the other side has to say goodbye before the connection is cut."""

_CLOSED_AFTER: Final = 5.0
"""Seconds after which gql stops to wait for that; sooner it would leave the connection open."""

_SILENT: Final = logging.getLogger("iometer_exporter.provider.websocket.frames")
_SILENT.setLevel(logging.CRITICAL)
"""websockets logs headers and messages, credentials among them, at debug level."""


class _Connect(connect):
    def process_redirect(self, exc: Exception) -> Exception:
        # Elsewhere the credentials have no business.
        return exc


class _Adapter(WebSocketsAdapter):
    _received = 0

    async def receive(self) -> str:
        self._received += 1
        if self._received % _BATCH == 0:
            await asyncio.sleep(_REST)
        return await super().receive()

    async def connect(self) -> None:
        try:
            self.websocket = await _Connect(
                self.url,
                additional_headers=self.headers,
                subprotocols=[Subprotocol(SUBPROTOCOL)],
                **self.connect_args,
            )
        except Exception as error:
            raise TransportConnectionFailed("Connect failed") from error
        assert self.websocket.response is not None  # noqa: S101 (there is one after the handshake)
        self._response_headers = self.websocket.response.headers


class SocketTransport(WebsocketsTransport):
    """A socket of its own for one subscription; `timeout` in seconds is that of the way to its start."""

    def __init__(
        self, url: str, headers: dict[str, str], init_payload: dict[str, str], timeout: float
    ) -> None:
        super().__init__(
            url,
            init_payload=init_payload,
            connect_timeout=timeout,
            ack_timeout=timeout,
            close_timeout=_CLOSED_AFTER,
            subprotocols=[SUBPROTOCOL],
        )
        self.adapter = _Adapter(
            url,
            headers=headers,
            connect_args={
                "ssl": tls_context() if url.startswith("wss:") else None,
                "proxy": None,
                "max_size": LARGEST_MESSAGE,
                "open_timeout": timeout,
                "close_timeout": _GOODBYE,
                "user_agent_header": headers.get("User-Agent"),
                "logger": _SILENT,
            },
        )
        self.adapter.subprotocols = [SUBPROTOCOL]

    def _parse_answer(self, answer: str) -> tuple[str, int | None, ExecutionResult | None]:
        # Anything else that this raised would end the task that receives, and the subscription would wait
        # for ever; and gql's own way rounds the numbers and quotes what the other side sent.
        try:
            message: Any = decode(answer)
            if self.subprotocol != SUBPROTOCOL:
                raise TransportProtocolError("another subprotocol")
            return self._parse_answer_graphqlws(message)
        except TransportQueryError:
            raise
        except Exception as error:
            raise TransportProtocolError("no message of graphql-transport-ws") from error
