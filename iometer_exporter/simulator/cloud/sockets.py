"""Subscriptions, over graphql-transport-ws."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

from ariadne.asgi.handlers import GraphQLTransportWSHandler
from ariadne.types import Operation
from graphql import GraphQLError, OperationType
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from iometer_exporter.simulator.cloud.cloud import Cloud
from iometer_exporter.simulator.cloud.plan import NeedsExecutor, RootField
from iometer_exporter.simulator.cloud.queries import Documents
from iometer_exporter.simulator.cloud.schema import scheduled

_BAD_REQUEST: Final = 4400
_FORBIDDEN: Final = 4403
_TURN: Final = 4
"""Messages that are sent before others get a turn; of more for a client that is gone, asyncio complains."""

_encode: Final = json.JSONEncoder(separators=(",", ":")).encode

Message = dict[str, Any]
"""The payload of a message that carries a result."""


class SocketHandler(GraphQLTransportWSHandler):
    """Serves sockets whose clients are known, and feeds subscriptions by their plans."""

    def __init__(
        self,
        cloud: Cloud,
        documents: Documents,
        *,
        knows: Callable[[str], bool],
        cut: Callable[[WebSocket], None],
    ) -> None:
        """Serve those whose Authorization is known; `cut` ends a socket without a word."""
        super().__init__(connection_init_wait_timeout=timedelta(seconds=10))
        self._cloud = cloud
        self._documents = documents
        self._knows = knows
        self._cut = cut
        self._waiting: set[asyncio.Task[Any]] = set()

    async def aclose(self) -> None:
        """Stop waiting for clients that have not said who they are."""
        for task in self._waiting:
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)

    async def handle_websocket(self, websocket: WebSocket) -> None:
        """Serve a socket until it is closed, by whomever."""
        # The client may be gone at any time.
        with suppress(RuntimeError, OSError):
            try:
                await super().handle_websocket(websocket)
            except (ValueError, LookupError, TypeError, AttributeError, GraphQLError):
                await websocket.close(_BAD_REQUEST, "Bad Request")

    async def handle_connection_init_timeout(self, websocket: WebSocket, client_context: Any) -> None:
        """Close a socket whose client does not say who it is."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 (ariadne makes a task of this)
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)
        with suppress(RuntimeError, OSError):
            await super().handle_connection_init_timeout(websocket, client_context)

    async def handle_websocket_connection_init_message(
        self, websocket: WebSocket, message: dict[str, Any], client_context: Any
    ) -> None:
        """Acknowledge a client that is known by the payload or by the header of its request."""
        payload = message.get("payload")
        given = payload.get("Authorization") if isinstance(payload, dict) else None
        if not self._knows(str(given or websocket.headers.get("authorization", ""))):
            await websocket.close(_FORBIDDEN, "Forbidden")
            return
        await super().handle_websocket_connection_init_message(websocket, message, client_context)

    async def handle_websocket_subscribe(
        self, websocket: WebSocket, data: Any, operation_id: str, client_context: Any
    ) -> None:
        """Start an operation."""
        known = client_context.connection_acknowledged and operation_id not in client_context.operations
        try:
            if not known:
                raise NeedsExecutor("not allowed")
            (field,) = self._documents.plan(data, OperationType.SUBSCRIPTION)
        except (NeedsExecutor, GraphQLError):
            await super().handle_websocket_subscribe(websocket, data, operation_id, client_context)
            return
        messages = self._messages(field)
        client_context.operations[operation_id] = Operation(operation_id, data.get("operationName"), messages)
        client_context.operation_tasks[operation_id] = asyncio.create_task(
            self._feed(websocket, messages, operation_id)
        )

    async def _feed(self, websocket: WebSocket, messages: AsyncGenerator[Message, None], id: str) -> None:
        """Send results until the socket is gone or the client has had enough."""
        with suppress(WebSocketDisconnect, RuntimeError, OSError):
            count = 0
            async for payload in messages:
                with self._cloud.busy():
                    text = _encode({"type": "next", "id": id, "payload": payload})
                await websocket.send({"type": "websocket.send", "text": text})
                if websocket.application_state is WebSocketState.DISCONNECTED:
                    return
                count += 1
                if count % _TURN == 0:
                    await asyncio.sleep(0)
                faults = self._cloud.faults
                if "disconnect" in faults.kinds and count >= faults.messages_per_socket:
                    self._cut(websocket)
                    return

    async def _messages(self, field: RootField) -> AsyncGenerator[Message, None]:
        cloud, project = self._cloud, field.project
        if project is None:
            return
        kind = "subscription" if field.name == "readings" else "scheduled"
        async for arrivals in cloud.live(field.arguments.get("start_time")):
            for arrival in arrivals:
                if kind == "subscription":
                    with cloud.busy():
                        results = [project(cloud.reading(arrival))]
                else:
                    codes = field.arguments.get("obis_codes")
                    results = [project(reading) for reading in scheduled(cloud, arrival, codes)]
                if "graphql-errors" in cloud.faults.kinds and cloud.faults.hits(arrival.home):
                    # In addition to the reading, which is not lost.
                    error = {"message": "a reading could not be decoded", "path": [field.key]}
                    yield {"data": None, "errors": [error]}
                for result in results:
                    cloud.sent[kind] += 1
                    yield {"data": {field.key: result}}
