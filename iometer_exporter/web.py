"""The HTTP application: paths, answers and status codes."""

import asyncio
import gzip
import logging
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from prometheus_client import PlatformCollector, ProcessCollector
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from iometer_exporter.config import Config
from iometer_exporter.exposition import accepts_gzip, choose_format, render
from iometer_exporter.fleet import Fleet
from iometer_exporter.landing import landing_page
from iometer_exporter.metrics import BridgeCollector, ExporterCollector

_log = logging.getLogger(__name__)

Page = Callable[[Request], Awaitable[Response]]

_SCRAPE_MARGIN: Final = 0.5
"""Seconds of the scraper's timeout kept back for encoding and the way home."""

_PAGE_TIMEOUT: Final = 3.0
"""Seconds that a person waits for a hung bridge."""

_GZIP_LEVEL: Final = 6
"""Level 9 costs three times as much and saves 3 %."""

_GZIP_FROM: Final = 1024

_SECURITY_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True, slots=True)
class Exporter:
    """What the application serves; `loaded_at` is the Unix time at which the configuration was read."""

    config: Config
    fleet: Fleet
    loaded_at: float
    is_ready: Callable[[], bool]


def create_app(exporter: Exporter) -> Starlette:
    """The ASGI application of the exporter."""
    pages = _Pages(exporter)
    return Starlette(
        routes=[
            Route("/", _guarded(pages.landing)),
            Route("/metrics", _guarded(pages.metrics)),
            Route("/-/healthy", pages.healthy),
            Route("/-/ready", pages.ready),
        ],
        exception_handlers={HTTPException: _explain},
    )


def scrape_budget(header: str | None, configured: float) -> float:
    """Seconds that a scrape may take, by `X-Prometheus-Scrape-Timeout-Seconds` and the configuration."""
    try:
        scraper = float(header or "")
    except ValueError:
        return configured
    if not (math.isfinite(scraper) and scraper > 0):
        return configured
    return min(configured, max(scraper - _SCRAPE_MARGIN, scraper / 2))


class _Pages:
    def __init__(self, exporter: Exporter) -> None:
        self._exporter = exporter
        # Without a registry: nothing of this process stands on a global one.
        self._process = (ProcessCollector(registry=None), PlatformCollector(registry=None))

    async def metrics(self, request: Request) -> Response:
        config, fleet = self._exporter.config, self._exporter.fleet
        budget = scrape_budget(request.headers.get("X-Prometheus-Scrape-Timeout-Seconds"), config.timeout)
        snapshots = await fleet.scrape(asyncio.get_running_loop().time() + budget)
        collectors = (
            BridgeCollector(snapshots, now=time.time(), stale_after=config.stale_after),
            ExporterCollector(
                bridges=fleet.counts, reload_successful=True, reload_timestamp=self._exporter.loaded_at
            ),
            *self._process,
        )
        text_format = choose_format(request.headers.get("Accept", ""))
        return _compressed(request, render(collectors, text_format), text_format.content_type)

    async def landing(self, _request: Request) -> Response:
        config, fleet = self._exporter.config, self._exporter.fleet
        budget = min(config.timeout, _PAGE_TIMEOUT)
        snapshots = await fleet.scrape(asyncio.get_running_loop().time() + budget)
        page = landing_page(
            snapshots, now=time.time(), stale_after=config.stale_after, discovery=config.discovery.enabled
        )
        return HTMLResponse(page, headers=_SECURITY_HEADERS)

    async def healthy(self, _request: Request) -> Response:
        return PlainTextResponse("healthy\n")

    async def ready(self, _request: Request) -> Response:
        if self._exporter.is_ready():
            return PlainTextResponse("ready\n")
        return PlainTextResponse("not ready: the first discovery round is under way\n", status_code=503)


def _compressed(request: Request, body: bytes, content_type: str) -> Response:
    headers = {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}
    if len(body) >= _GZIP_FROM and accepts_gzip(request.headers.get("Accept-Encoding", "")):
        body = gzip.compress(body, _GZIP_LEVEL, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return Response(body, headers=headers)


def _guarded(page: Page) -> Page:
    """The page, with the last guard: a fault of this program is one log line and a plain 500."""

    async def guarded(request: Request) -> Response:
        try:
            return await page(request)
        except HTTPException:
            raise
        except Exception as error:
            _log.exception("request failed, please report this", extra={"path": request.url.path})
            text = f"internal error ({type(error).__name__}), the log of the exporter tells more\n"
            return PlainTextResponse(text, status_code=500)

    return guarded


async def _explain(request: Request, error: Exception) -> Response:
    """A sentence for a path or method that does not exist."""
    status = error.status_code if isinstance(error, HTTPException) else 400
    headers = error.headers if isinstance(error, HTTPException) else None
    sentences = {
        404: "there is nothing here, see / for what there is",
        405: f"{request.method} is not allowed here, use GET",
    }
    return PlainTextResponse(f"{sentences.get(status, 'bad request')}\n", status, headers)
