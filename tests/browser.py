"""A real browser, spoken to as its own developer tools do, and what it says of a page."""

import itertools
import json
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from websockets.sync.client import ClientConnection, connect

from tests.conftest import require_program
from tests.waiting import eventually

_FLAGS: Final = (
    "--headless",
    "--hide-scrollbars",  # their width is the machine's
    "--no-sandbox",  # as root, and in containers
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--remote-debugging-port=0",
    "about:blank",
)

_SECONDS: Final = 30.0

_LOOK: Final = Path(__file__).with_name("browser_look.js")


@dataclass(frozen=True)
class Look:
    """A page as it is laid out: widths in CSS pixels, and texts whose contrast is below WCAG AA."""

    title: str
    width: float
    viewport: float
    sticking_out: Sequence[str]
    faint: Sequence[str]
    columns: int
    used: float
    """Part of the viewport's width from the first card to the last, 0 to 1."""


@dataclass
class Browser:
    """One tab of a running browser; errors and requests gather until they are asked for."""

    connection: ClientConnection
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    _ids: Iterator[int] = field(default_factory=itertools.count)
    _session: str = ""

    def open_tab(self) -> None:
        """Begin with an empty tab."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime", "Security"):
            self.call(f"{domain}.enable")

    def go(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        """Load the page at the address."""
        self.call("Network.setExtraHTTPHeaders", headers=dict(headers or {}))
        failure = self.call("Page.navigate", url=url).get("errorText")
        assert not failure, failure
        self._wait_for("Page.loadEventFired")

    def forget(self) -> None:
        """Begin anew: no errors, no requests, and none to come from a page that loads itself again."""
        self.go("about:blank")
        self.errors.clear()
        self.requests.clear()

    def look(self, *, width: int, dark: bool = False) -> Look:
        """The page as it is in a window of so many CSS pixels, with light or dark colours."""
        window = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **window)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        answer = self.call("Runtime.evaluate", expression=_LOOK.read_text(), returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return Look(**answer["result"]["value"])

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer of the browser to a command of the DevTools protocol."""
        number = next(self._ids)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self.connection.send(json.dumps(message))
        while True:
            answer = self._next()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                result = answer["result"]
                assert isinstance(result, dict)
                return result

    def _wait_for(self, event: str) -> None:
        while self._next().get("method") != event:
            pass

    def _next(self) -> dict[str, Any]:
        message = json.loads(self.connection.recv(timeout=_SECONDS))
        assert isinstance(message, dict)
        parameters = message.get("params", {})
        match message.get("method"):
            case "Log.entryAdded" if parameters["entry"]["level"] in ("error", "warning"):
                self.errors.append(parameters["entry"]["text"])
            case "Runtime.consoleAPICalled" | "Runtime.exceptionThrown":
                self.errors.append(json.dumps(parameters)[:500])
            case "Network.requestWillBeSent":
                self.requests.append(parameters["request"]["url"])
        return message


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A browser of its own for as long as the block; its profile is in the folder."""
    output = folder / "browser.log"
    command = [require_program("chromium"), f"--user-data-dir={folder / 'profile'}", *_FLAGS]
    with output.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
    try:

        def address() -> str | None:
            assert process.poll() is None, output.read_text(errors="replace")
            found = re.search(r"DevTools listening on (ws://\S+)", output.read_text(errors="replace"))
            return found[1] if found else None

        with connect(str(eventually(address)), max_size=None, proxy=None) as connection:
            tab = Browser(connection)
            tab.open_tab()
            yield tab
            tab._session = ""
            tab.call("Browser.close")
            process.wait(_SECONDS)
    finally:
        process.kill()
        process.wait()
