"""The gate in front of the GraphQL server: who may ask, and what goes wrong."""

import asyncio
import base64
import binascii
import hmac
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final
from urllib.parse import unquote

import segno
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.utils import ClientDisconnected

from iometer_exporter.simulator.cloud.cloud import Cloud

PATH: Final = "/v1/query"
"""Path of the API."""

STATISTICS: Final = "/simulator"
"""Path at which the simulator tells, without any token, what it has done so far."""

_QR_CODE: Final = "/v1/qrcode/"
_HTML: Final = "<!DOCTYPE html><html><head><title>Gateway</title></head><body>Please wait.</body></html>"


class Credentials:
    """The token and the secret that are valid at present."""

    def __init__(self, token: str, secret: str) -> None:
        self.token = token
        self.secret = secret

    def knows(self, authorization: str) -> bool:
        """Whether this is the Authorization of somebody who has both."""
        scheme, _, encoded = authorization.partition(" ")
        try:
            given = base64.b64decode(encoded.strip(), validate=True)
        except binascii.Error:
            return False
        expected = f"{self.token}:{self.secret}".encode()
        return scheme.lower() == "basic" and hmac.compare_digest(given, expected)


class Gate:
    """The ASGI application."""

    def __init__(self, app: ASGIApp, cloud: Cloud, *, knows: Callable[[str], bool]) -> None:
        self._app = app
        self._cloud = cloud
        self._knows = knows
        self.statuses: Counter[int] = Counter()
        """HTTP answers by status."""
        self._asked = 0
        self.open()

    def open(self) -> None:
        """Serve, or serve again."""
        self._closing = asyncio.Event()

    def close(self) -> None:
        """Let slow answers end at once."""
        self._closing.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or serve a socket."""
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        else:
            response = await self._early(scope)
            answer = self._counted(send)
            # Whoever leaves while asking waits for no answer.
            with suppress(ClientDisconnect):
                await (response or self._app)(scope, receive, answer)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = Headers(scope=scope).get("authorization")
        refused = "no-sockets" in self._cloud.faults.kinds or scope["path"] != PATH
        if refused or (given is not None and not self._knows(given)):
            status = 503 if refused else 401
            await PlainTextResponse("no socket for you", status)(scope, receive, send)
            # uvicorn takes a plain answer for a handshake that was forgotten, and says so as an error.
            raise ClientDisconnected
        await self._app(scope, receive, send)

    async def _early(self, scope: Scope) -> Response | None:
        """The answer to a request that does not come through."""
        path, faults = scope["path"], self._cloud.faults
        if path == STATISTICS:
            return JSONResponse(self._statistics())
        if path.startswith(_QR_CODE):
            return _qr_code(unquote(path.removeprefix(_QR_CODE)))
        if path != PATH:
            return PlainTextResponse("404 page not found", 404)
        if "slow" in faults.kinds:
            with suppress(TimeoutError):
                async with asyncio.timeout(faults.slow_seconds):
                    await self._closing.wait()
        if not self._knows(Headers(scope=scope).get("authorization", "")):
            body = {"errors": [{"message": "unauthorized"}]}
            return JSONResponse(body, 401, {"WWW-Authenticate": 'Basic realm="provider"'})
        self._asked += 1
        if self._asked % faults.every == 0:
            if "rate-limit" in faults.kinds:
                return PlainTextResponse("too many requests", 429, {"Retry-After": faults.retry_after})
            if "http-500" in faults.kinds:
                return PlainTextResponse("internal server error", 500)
            if "garbage" in faults.kinds:
                return HTMLResponse(_HTML)
        return None

    def _counted(self, send: Send) -> Send:
        async def counting(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.statuses[message["status"]] += 1
            await send(message)

        return counting

    def _statistics(self) -> dict[str, Any]:
        return {
            "busy_seconds": self._cloud.busy_seconds,
            "cpu_seconds": time.process_time(),
            "sent": self._cloud.sent,
            "statuses": self.statuses,
        }


def _qr_code(token: str) -> Response:
    """The picture that the relative URL of a registration token leads to."""
    picture = segno.make(f"iometer://register?token={token}", micro=False).svg_inline(scale=4)
    return Response(picture, media_type="image/svg+xml")
