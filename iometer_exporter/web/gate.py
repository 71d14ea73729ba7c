"""Gate between the network and the application: TLS, rate limit, basic auth and headers.

A server makes one WebGate, wraps its application in it, and asks it for the TLS of each connection. The files
behind it may change at any time: new requests and connections follow them, and what turns bad leaves the last
good state.
"""

import asyncio
import logging
import ssl
import time
from asyncio import Transport
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Final, Literal

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from iometer_exporter.config.web_file import RateLimit, WebConfig, load_web_config
from iometer_exporter.errors import ConfigError
from iometer_exporter.web.clients import group_of
from iometer_exporter.web.tls import Tls, alternative_names, fingerprint

if TYPE_CHECKING:
    from iometer_exporter.web.basic_auth import BasicAuth

_log = logging.getLogger(__name__)

Headers = list[tuple[bytes, bytes]]

_LOCKS: Final = (
    "basic_auth_users",
    "tls_server_config.client_auth_type",
    "tls_server_config.client_allowed_sans",
)
"""Keys that keep clients out: each can be changed while the exporter runs, but not taken away."""

_MAX_REPORTED: Final = 100
"""Refused certificates that are logged, one line each."""


class WebGate:
    """The web configuration at work; raises ConfigError if certificates or keys cannot be used.

    `exempt_paths` need no password; the rate limit holds for them too.
    """

    def __init__(self, config: WebConfig, *, exempt_paths: Collection[str] = ()) -> None:
        self._config = config
        self._seen: object = None
        self._tls = Tls(config.tls) if config.tls else None
        self._exempt_paths = exempt_paths
        self._gates: list[Gate] = []
        self._reported: set[frozenset[str]] = set()
        _warn_ignored(config)

    @property
    def scheme(self) -> str:
        """`https` or `http`."""
        return "https" if self._tls else "http"

    def wrap(self, app: ASGIApp) -> "Gate":
        """The application behind the gate."""
        gate = Gate(app, self._config, exempt_paths=self._exempt_paths, on_request=self.refresh)
        self._gates.append(gate)
        return gate

    @property
    def tls_context(self) -> Callable[[], ssl.SSLContext] | None:
        """TLS of a new connection; None for plain HTTP."""
        tls = self._tls
        if tls is None:
            return None

        def current() -> ssl.SSLContext:
            self.refresh()
            return tls.current()

        return current

    def replace(self, config: WebConfig) -> None:
        """Take another configuration, wholly or not at all; raises ConfigError if it cannot be used."""
        if bool(config.tls) != bool(self._tls):
            raise ConfigError("tls_server_config: TLS goes on or off at a restart only")
        # A file that is being written is empty, or ends early: that must not open the door.
        for key, before, after in zip(_LOCKS, _locks(self._config), _locks(config), strict=True):
            if before and not after:
                raise ConfigError(f"{key}: is gone, and goes off at a restart only")
        if config.tls and self._tls and config.tls != self._tls.config:
            self._tls.replace(config.tls)
        if config.ignored != self._config.ignored:
            _warn_ignored(config)
        self._config = config
        for gate in self._gates:
            gate.replace(config)

    def reload(self) -> None:
        """Read the file again now; raises ConfigError, and keeps what there is, if it cannot be used."""
        if self._config.path is not None:
            self.replace(load_web_config(self._config.path))

    def refresh(self) -> None:
        """Follow the file if it has changed; one that turns bad is one line in the log."""
        path = self._config.path
        if path is None or (seen := fingerprint(path)) == self._seen:
            return
        self._seen = seen
        try:
            config = load_web_config(path)
            if config != self._config:
                self.replace(config)
                _log.info("web configuration read again", extra={"path": path})
        except ConfigError as error:
            _log.error("web configuration cannot be used, the last one stays", extra={"error": error})

    def admits(self, transport: Transport) -> bool:
        """Whether the certificate of the client has a name of `client_allowed_sans`, if that is set."""
        allowed = self._tls.config.client_allowed_sans if self._tls else None
        if allowed is None:
            return True
        names = alternative_names(transport.get_extra_info("peercert"))
        if names & set(allowed):
            return True
        if names not in self._reported and len(self._reported) < _MAX_REPORTED:
            self._reported.add(names)
            _log.warning(
                "client refused, its certificate has no name of client_allowed_sans",
                extra={"names": ",".join(sorted(names))},
            )
        return False


class Gate:
    """An application behind rate limit, basic auth and headers, in the order of exporter-toolkit."""

    def __init__(
        self,
        app: ASGIApp,
        config: WebConfig,
        *,
        exempt_paths: Collection[str] = (),
        on_request: Callable[[], None] = lambda: None,
    ) -> None:
        self._app = app
        self._config = WebConfig()
        self._exempt_paths = frozenset(exempt_paths)
        self._on_request = on_request
        self._bucket: TokenBucket | None = None
        self._auth: BasicAuth | None = None
        self._headers: Headers = []
        self.replace(config)

    def replace(self, config: WebConfig) -> None:
        """Take another configuration from the next request on; what is the same in both keeps its state."""
        if config.rate_limit != self._config.rate_limit:
            self._bucket = TokenBucket(config.rate_limit) if config.rate_limit else None
        if config.users != self._config.users:
            self._auth = _basic_auth(config)
        self._headers = [(name.lower().encode(), value.encode()) for name, value in config.headers.items()]
        self._config = config

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on to the application."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        self._on_request()
        if self._bucket and not self._bucket.take():
            await self._refuse(send, 429, "too many requests, see rate_limit of the web configuration")
            return
        client = _Client(receive)
        match await self._judge(scope, client):
            case "allowed":
                await self._app(scope, client.receive, self._with_headers(send))
            case "refused":
                login = [(b"www-authenticate", b"Basic")]
                await self._refuse(send, 401, "user and password needed, or they are wrong", login)
            case "busy":
                later = [(b"retry-after", b"1")]
                await self._refuse(send, 503, "too many passwords wait to be checked, try again", later)

    async def _judge(self, scope: Scope, client: "_Client") -> Literal["allowed", "refused", "busy", "gone"]:
        if self._auth is None or scope["path"] in self._exempt_paths:
            return "allowed"
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        header = given[0] if given else None
        allowed = self._auth.remembered(header)
        if allowed is None:
            host, _ = scope.get("client") or ("", 0)
            asked = asyncio.ensure_future(self._auth.allows(header, group_of(host)))
            gone = asyncio.ensure_future(client.gone())
            try:
                await asyncio.wait([asked, gone], return_when=asyncio.FIRST_COMPLETED)
                if not asked.done():
                    return "gone"
                allowed = asked.result()
            finally:
                asked.cancel()
                gone.cancel()
        if allowed is None:
            return "busy"
        return "allowed" if allowed else "refused"

    async def _refuse(self, send: Send, status: int, sentence: str, headers: Headers | None = None) -> None:
        body = f"{sentence}\n".encode()
        fields = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
        fields += [*(headers or []), *self._headers]
        await send({"type": "http.response.start", "status": status, "headers": fields})
        await send({"type": "http.response.body", "body": body})

    def _with_headers(self, send: Send) -> Send:
        """`send`, with the configured headers in place of the application's own of the same name."""
        configured = self._headers
        if not configured:
            return send
        names = {name for name, _ in configured}

        async def wrapped(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [field for field in message.get("headers", ()) if field[0].lower() not in names]
                message = {**message, "headers": [*kept, *configured]}
            await send(message)

        return wrapped


class _Client:
    """The client of a request: what it sends, and whether it is still there."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._kept: list[Message] = []

    async def receive(self) -> Message:
        """The next message, as if nobody had looked for the end of the connection before."""
        return self._kept.pop(0) if self._kept else await self._receive()

    async def gone(self) -> None:
        """Return once the client has closed the connection; called once, before anything is received."""
        for _ in range(2):
            message = await self._receive()
            self._kept.append(message)
            if message["type"] == "http.disconnect":
                return
            if message.get("more_body"):
                # Not read on: a body can be without end, and nobody here wants one.
                break
        await asyncio.Event().wait()


class TokenBucket:
    """Lets `burst` requests through at once, and one more every `interval` seconds."""

    def __init__(self, limit: RateLimit, now: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._now = now
        self._tokens = float(limit.burst)
        self._at = now()

    def take(self) -> bool:
        """Whether a request may pass now."""
        now = self._now()
        self._tokens = min(self._limit.burst, self._tokens + (now - self._at) / self._limit.interval)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def _locks(config: WebConfig) -> tuple[bool, bool, bool]:
    """Those of `_LOCKS` that a configuration has."""
    tls = config.tls
    return (
        bool(config.users),
        tls is not None and tls.needs_certificate,
        tls is not None and tls.client_allowed_sans is not None,
    )


def _basic_auth(config: WebConfig) -> "BasicAuth | None":
    if not config.users:
        return None
    # Imported here: bcrypt costs start-up time and memory, and most have no users.
    from iometer_exporter.web.basic_auth import BasicAuth

    return BasicAuth(config.users)


def _warn_ignored(config: WebConfig) -> None:
    for note in config.ignored:
        _log.warning("web configuration has a key without effect", extra={"key": note})
