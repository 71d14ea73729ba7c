"""The page in a real browser: it fits, can be read, complains of nothing and loads nothing from elsewhere."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path

import pytest

from devtools.landing import everyday_glances, localized, page_of, pages_to_look_at
from iometer_exporter.web.landing.language import LANGUAGES, choose_language
from iometer_exporter.web.landing.page import Page, headers_of, render_page
from tests.browser import Browser, browser
from tests.processes import COMMAND, eventually, exporter, get, started

pytestmark = pytest.mark.end_to_end

WIDTHS = (360, 390, 1600)

BAD = """<!doctype html><html><head><style>p { color: #999; background: #fff; }</style></head>
<body><p>too faint to read</p><div style="width: 2000px">too wide</div><img src="http://127.0.0.1:9/nowhere.png">
<script>console.log("a script runs")</script></body></html>"""


@contextmanager
def served(pages: dict[str, Page | str]) -> Iterator[str]:
    """The pages at their paths, with the headers that the exporter gives them; a text without any."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = pages[self.path]
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            if isinstance(page, str):
                body = page
            else:
                language = localized(choose_language(self.headers.get("Accept-Language", "")))
                body = render_page(page, language)
                for name, value in headers_of(language).items():
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests of this file."""
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


def check(tab: Browser, url: str, own: str) -> None:
    """Look at the address in every width, light and dark, in both languages."""
    tab.forget()
    for language in LANGUAGES:
        tab.go(url, {"Accept-Language": language.code})
        for dark, width in product((False, True), WIDTHS):
            look = tab.look(width=width, dark=dark)
            seen = f"{url}, {language.code}, {width}, {'dark' if dark else 'light'}"
            assert (look.viewport, look.width) == (width, width), f"scrolls sideways: {seen}"
            assert list(look.sticking_out) == [], seen
            assert list(look.faint) == [], seen
    assert tab.errors == []
    assert tab.requests
    assert [each for each in tab.requests if not each.startswith((own, "data:image/svg+xml,"))] == []


def test_pages_of_every_kind_fit_and_can_be_read(tab: Browser) -> None:
    pages: dict[str, Page | str] = {f"/{name}": page for name, page in pages_to_look_at(quick=True)}
    with served(pages) as own:
        for path in pages:
            check(tab, own + path, own)


def test_a_wide_window_is_used(tab: Browser) -> None:
    house, pump, workshop = everyday_glances(quick=True)
    pages: dict[str, Page | str] = {"/1": page_of([house]), "/3": page_of([house, pump, workshop])}
    with served(pages) as own:
        looks = []
        for path in pages:
            tab.go(own + path)
            looks.append(tab.look(width=1600))
    one, three = looks
    assert (one.columns, three.columns) == (1, 3)
    assert min(one.used, three.used) > 0.95
    assert one.title.endswith("\u00b7 House")


def test_the_running_exporter_shows_its_page(tab: Browser, tmp_path: Path) -> None:
    faults = ("three-phase@1", "tariffs@2", "pin-missing@3", "detached@4", "hang@5")
    words = [word for fault in faults for word in ("--fault", fault)]
    simulate = [*COMMAND, "simulate", "--port", "0", "--bridges", "5", *words]
    with started(simulate, tmp_path / "simulator.log") as simulator:
        simulator.wait_for(r"(?s)(http://\S+.*){5}")
        targets = [
            line.partition("http://")[2] for line in simulator.text().splitlines() if "http://" in line
        ]
        bridges = [word for i, at in enumerate(targets) for word in ("--bridge", f"b{i}={at.split()[0]}")]
        with exporter(tmp_path, "--no-discovery", *bridges) as (_, url):
            check(tab, url, url)


def test_the_page_follows_streams_without_a_script(tab: Browser, tmp_path: Path) -> None:
    """Where nothing is fetched, it shows the newest event each time that it is loaded."""
    simulate = [*COMMAND, "simulate", "--port", "0", "--bridges", "2", "--firmware", "stream"]
    with started([*simulate, "--fault", "disconnected@2"], tmp_path / "simulator.log") as simulator:
        simulator.wait_for(r"(?s)(http://\S+.*){2}")
        targets = re.findall(r"http://([\d.:]+)", simulator.text())
        bridges = [word for i, at in enumerate(targets) for word in ("--bridge", f"b{i}={at}")]
        with exporter(tmp_path, "--no-discovery", "--live", "on", *bridges) as (_, url):
            eventually(lambda: values(url, "iometer_stream_up") == ["1.0"] * 4)
            check(tab, url, url)
            shown: set[bytes] = set()

            def has_moved_on() -> bool:
                page = get(url)
                assert b"<script" not in page.lower()
                # The time of the reading, and how long ago that was.
                shown.update(re.findall(rb"(\d\d:\d\d:\d\d)[^<]*ago", page))
                return len(shown) >= 4

            eventually(has_moved_on)
            assert values(url, "iometer_scrape_duration_seconds") == ["0.0"] * 4


def values(url: str, metric: str) -> list[str]:
    """The values of a metric in a scrape."""
    return re.findall(rf"(?m)^{metric}{{.*}} (\S+)$", get(f"{url}metrics").decode())


def test_a_bad_page_is_seen_to_be_bad(tab: Browser) -> None:
    tab.forget()
    with served({"/": BAD}) as own:
        tab.go(f"{own}/")
        look = tab.look(width=390)
    assert look.width > look.viewport
    assert look.sticking_out == ["div.: too wide"]
    assert [text.partition(" ")[2] for text in look.faint] == ["p.: too faint to read"]
    assert any("a script runs" in error for error in tab.errors)
    assert "http://127.0.0.1:9/nowhere.png" in tab.requests
