"""The HTTP application: paths, answers and status codes."""

import asyncio
import gzip
import logging
import math
import time
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, aclosing
from typing import Final

from prometheus_client import PlatformCollector, ProcessCollector
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from iometer_exporter.bridges.samples import add_bridges, probe_samples
from iometer_exporter.errors import ConfigError, ProbeTargetError
from iometer_exporter.exporter import Exporter
from iometer_exporter.metrics.exposition import TEXT, chunks, render
from iometer_exporter.metrics.library import LibraryFamilies
from iometer_exporter.metrics.lines import Heads, Lines
from iometer_exporter.metrics.negotiation import accepts_gzip, choose_format
from iometer_exporter.net.addresses import parse_address
from iometer_exporter.web.service_discovery import bridge_groups, probe_groups

_log = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[Response]]

_TIMEOUT_HEADER: Final = "X-Prometheus-Scrape-Timeout-Seconds"

_SCRAPE_MARGIN_SECONDS: Final = 0.5
"""Seconds of the scraper's timeout kept back for encoding and the way home."""

_LEAST_TIMEOUT_SECONDS: Final = 0.25
"""Seconds: every scraper has as much, most have 10. Of what fails within less only its own client is told."""

_NO_TIMEOUT_SECONDS: Final = 0.01
"""Seconds: nobody who names less can be answered in time, so that it counts as none named."""

_PAGE_SECONDS: Final = 0.3
"""Seconds that a person waits for bridges; those that take longer are shown as they were last seen."""

_GZIP_LEVEL: Final = 1
"""Level 6 takes two to three times as long, for a tenth less of one bridge and a fifth less of a fleet."""

_GZIP_FROM_BYTES: Final = 1024

_GZIP: Final = 16 + zlib.MAX_WBITS

_CHUNK_BYTES: Final = 64 * 1024
"""Bytes of a fleet's page that are sent before other requests get their turn."""

_TURNS: Final = 4
"""Turns that others get then: a probe needs a dozen, and should not wait for a dozen chunks."""

_ZIPPED_CHUNK_BYTES: Final = 1024 * 1024
"""Bytes that are compressed at a time, in a thread."""

_ZIPPERS: Final = 2
"""Threads for that, of their own: those that all share can be busy with names that do not resolve."""

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

_NO_LIFECYCLE: Final = "reloading by HTTP is off: start with --web.enable-lifecycle, or send SIGHUP"


def create_app(exporter: Exporter, *, lifecycle: bool = False, dashboard_url: str = "") -> Starlette:
    """The ASGI application of the exporter; `lifecycle` allows to reload it by HTTP.

    The page for people links to `dashboard_url`, if there is one.
    """
    handlers = _Handlers(exporter, lifecycle=lifecycle, dashboard_url=dashboard_url)
    return Starlette(
        routes=[
            Route("/", _guarded(handlers.landing)),
            Route("/metrics", _guarded(handlers.metrics)),
            Route("/probe", _guarded(handlers.probe)),
            Route("/sd", _guarded(handlers.service_discovery)),
            Route("/-/healthy", handlers.healthy),
            Route("/-/ready", handlers.ready),
            Route("/-/reload", _guarded(handlers.reload), methods=["POST"]),
        ],
        exception_handlers={HTTPException: _explain},
    )


def scrape_budget(header: str | None, configured: float) -> float:
    """Seconds that a scrape may take, by `X-Prometheus-Scrape-Timeout-Seconds` and the configuration."""
    scraper = _scrapers_timeout(header)
    if scraper is None:
        return configured
    return min(configured, max(scraper - _SCRAPE_MARGIN_SECONDS, scraper / 2))


def is_impatient(header: str | None) -> bool:
    """Whether a client waits for less time than any scraper does, by the same header.

    What a bridge does not answer in so little time is no fault of the bridge: it is not counted, or anybody
    could make the counters rise and the log grow.
    """
    scraper = _scrapers_timeout(header)
    return scraper is not None and scraper < _LEAST_TIMEOUT_SECONDS


def _scrapers_timeout(header: str | None) -> float | None:
    """Seconds; None if the header is none that could be kept to."""
    try:
        scraper = float(header or "")
    except ValueError:
        return None
    return scraper if math.isfinite(scraper) and scraper >= _NO_TIMEOUT_SECONDS else None


class _Handlers:
    def __init__(self, exporter: Exporter, *, lifecycle: bool, dashboard_url: str) -> None:
        self._exporter = exporter
        self._lifecycle = lifecycle
        self._dashboard_url = dashboard_url
        self._zippers = ThreadPoolExecutor(_ZIPPERS, "gzip")
        self._writers = ThreadPoolExecutor(1, "page")
        self._heads = Heads()
        """Of what says nothing of a bridge."""
        # Without a registry: nothing of this process stands on a global one.
        self._process = LibraryFamilies([ProcessCollector(registry=None), PlatformCollector(registry=None)])

    async def metrics(self, request: Request) -> Response:
        exporter = self._exporter
        deadline, count_timeouts = self._deadline(request)
        snapshots = await exporter.fleet.scrape(deadline, count_timeouts=count_timeouts)
        lines = Lines()
        add_bridges(lines, snapshots, now=time.time(), stale_after=exporter.config.stale_after)
        lines.add([((), exporter.samples())], self._heads)
        text_format = choose_format(request.headers.get("Accept", ""))
        parts, provider = (lines, self._process.lines()), exporter.provider
        if provider is None:
            return _compressed(request, render(parts, text_format), text_format.content_type)
        pieces = await provider.page(parts, text_format, local=exporter.fleet.meters)
        return _streamed(request, pieces, text_format.content_type, self._zippers, provider.pace.scrape)

    async def probe(self, request: Request) -> Response:
        target = _one_parameter(request, "target", "/probe?target=192.168.1.50")
        started = time.perf_counter()
        deadline, count_timeouts = self._deadline(request)
        snapshot = await self._exporter.fleet.probe(target, deadline, count_timeouts=count_timeouts)
        duration = time.perf_counter() - started
        lines = Lines()
        add_bridges(lines, [snapshot], now=time.time(), stale_after=self._exporter.config.stale_after)
        lines.add([((), probe_samples(success=snapshot.up, duration=duration))], self._heads)
        if request.query_params.get("debug") == "true":
            # Imported here, as is the page for people: a scraper asks for neither.
            from iometer_exporter.bridges.diagnosis import probe_log

            told = probe_log(snapshot, target=target, duration=duration)
            return PlainTextResponse("\n".join([*told, "", render([lines], TEXT).decode()]))
        text_format = choose_format(request.headers.get("Accept", ""))
        return _compressed(request, render([lines], text_format), text_format.content_type)

    async def service_discovery(self, request: Request) -> Response:
        form = request.query_params.get("form", "")
        if form not in ("", "probe"):
            raise HTTPException(400, "form is either left out or 'probe': write /sd or /sd?form=probe")
        if not self._exporter.is_discovered:
            # An empty list would delete every target; after an error Prometheus keeps the last one.
            raise HTTPException(503, f"not ready: {self._exporter.not_ready_reason}")
        bridges = await self._exporter.fleet.known()
        if form == "probe":
            scheme = request.url.scheme
            groups = probe_groups(bridges, exporter=_own_address(request, scheme), scheme=scheme)
        else:
            groups = bridge_groups(bridges)
        return JSONResponse(groups)

    async def landing(self, request: Request) -> Response:
        # Imported here: the page is for people, and a scraper never asks for it.
        from iometer_exporter.web.landing.language import choose_language
        from iometer_exporter.web.landing.page import Page, headers_of, render_page

        exporter = self._exporter
        config, fleet, provider = exporter.config, exporter.fleet, exporter.provider
        page = Page(
            glances=await fleet.look(_PAGE_SECONDS),
            now=time.time(),
            stale_after=config.stale_after,
            discovery=config.discovery.enabled,
            is_searching=not exporter.is_discovered,
            is_limited=fleet.limited,
            loaded_at=exporter.loaded_at,
            reload_error=exporter.reload_error,
            provider=provider.summary() if provider is not None else None,
            dashboard_url=self._dashboard_url,
        )
        language = choose_language(request.headers.get("Accept-Language", ""))

        def write() -> Response:
            answer = _compressed(request, render_page(page, language).encode(), "text/html; charset=utf-8")
            answer.headers.update(headers_of(language))
            return answer

        # Hundreds of bridges take a tenth of a second: scrapes get their turns meanwhile.
        return await asyncio.get_running_loop().run_in_executor(self._writers, write)

    async def reload(self, _request: Request) -> Response:
        if not self._lifecycle:
            raise HTTPException(403, _NO_LIFECYCLE)
        try:
            await self._exporter.reload()
        except ConfigError as error:
            raise HTTPException(500, f"configuration not reloaded, the old one stays: {error}") from error
        return PlainTextResponse("configuration reloaded\n")

    async def healthy(self, _request: Request) -> Response:
        return PlainTextResponse("healthy\n")

    async def ready(self, _request: Request) -> Response:
        if reason := self._exporter.not_ready_reason:
            raise HTTPException(503, f"not ready: {reason}")
        return PlainTextResponse("ready\n")

    def _deadline(self, request: Request) -> tuple[float, bool]:
        """Time by the loop's clock at which the answer to this scrape is due, and whether timeouts count."""
        header = request.headers.get(_TIMEOUT_HEADER)
        budget = scrape_budget(header, self._exporter.config.timeout)
        return asyncio.get_running_loop().time() + budget, not is_impatient(header)


def _one_parameter(request: Request, name: str, example: str) -> str:
    values = request.query_params.getlist(name)
    if len(values) != 1 or not values[0]:
        raise HTTPException(400, f"one parameter {name!r} is needed, such as {example}")
    return values[0]


def _own_address(request: Request, scheme: str) -> str:
    """Address at which the client reaches this exporter, as `host:port`: the one it asked itself."""
    try:
        return parse_address(request.headers.get("Host", ""), _DEFAULT_PORTS[scheme]).with_port
    except ConfigError as error:
        raise HTTPException(400, f"header Host: {error}") from error


def _compressed(request: Request, body: bytes, content_type: str) -> Response:
    headers = {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}
    if len(body) >= _GZIP_FROM_BYTES and accepts_gzip(request.headers.get("Accept-Encoding", "")):
        body = gzip.compress(body, _GZIP_LEVEL, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return Response(body, headers=headers)


def _streamed(
    request: Request,
    pieces: Sequence[bytes],
    content_type: str,
    zippers: ThreadPoolExecutor,
    scraping: Callable[[], AbstractContextManager[None]],
) -> Response:
    """An answer that may be large: sent, and compressed, so that other requests get their turn.

    It is sent within the context `scraping`, so that background work rests meanwhile.
    """
    headers = {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}
    if accepts_gzip(request.headers.get("Accept-Encoding", "")):
        headers["Content-Encoding"] = "gzip"
        return StreamingResponse(_within(scraping, _zipped(pieces, zippers)), headers=headers)
    headers["Content-Length"] = str(sum(map(len, pieces)))
    return StreamingResponse(_within(scraping, _in_turns(pieces)), headers=headers)


async def _within(
    scraping: Callable[[], AbstractContextManager[None]], body: AsyncGenerator[bytes, None]
) -> AsyncIterator[bytes]:
    with scraping():
        async with aclosing(body):
            async for chunk in body:
                yield chunk


async def _in_turns(pieces: Sequence[bytes]) -> AsyncGenerator[bytes, None]:
    for chunk in chunks(pieces, _CHUNK_BYTES):
        yield chunk
        for _ in range(_TURNS):
            await asyncio.sleep(0)


async def _zipped(pieces: Sequence[bytes], zippers: ThreadPoolExecutor) -> AsyncGenerator[bytes, None]:
    """The pieces as gzip, compressed in a thread."""
    loop = asyncio.get_running_loop()
    compressor = zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP)
    for chunk in chunks(pieces, _ZIPPED_CHUNK_BYTES):
        if zipped := await loop.run_in_executor(zippers, compressor.compress, chunk):
            yield zipped
    yield compressor.flush()


def _guarded(handler: Handler) -> Handler:
    """The handler, with the last guard: a fault of this program is one log line and a plain 500."""

    async def guarded(request: Request) -> Response:
        try:
            return await handler(request)
        except HTTPException:
            raise
        except ProbeTargetError as error:
            raise HTTPException(400, str(error)) from error
        except Exception as error:
            _log.exception("request failed, please report this", extra={"path": request.url.path})
            text = f"internal error ({type(error).__name__}), the log of the exporter tells more\n"
            return PlainTextResponse(text, status_code=500)

    return guarded


async def _explain(request: Request, error: Exception) -> Response:
    """A sentence for what cannot be answered."""
    assert isinstance(error, HTTPException)  # noqa: S101 (it is registered for nothing else)
    sentences = {
        404: "there is nothing here, see / for what there is",
        405: f"{request.method} is not allowed here, use {error.headers and error.headers.get('Allow')}",
    }
    text = sentences.get(error.status_code, error.detail)
    return PlainTextResponse(f"{text}\n", error.status_code, error.headers)
