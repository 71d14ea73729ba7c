"""A real Alertmanager, and a webhook that remembers what it is told."""

import http.server
import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import require_program
from tests.processes import free_port, get, is_ready, started
from tests.waiting import eventually


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where it listens, and the alerts received so far."""

    url: str
    alerts: list[dict[str, Any]] = field(default_factory=list)

    def received(self) -> dict[tuple[str, str], dict[str, Any]]:
        """The alerts by name and bridge."""
        return {(alert["labels"]["alertname"], alert["labels"]["bridge"]): alert for alert in self.alerts}


@contextmanager
def webhook() -> Iterator[Webhook]:
    """A webhook on a free port of this host."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            hook.alerts.extend(body["alerts"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hook = Webhook(f"http://127.0.0.1:{server.server_port}/")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def alertmanager(folder: Path, config: Path) -> Iterator[str]:
    """An Alertmanager with this configuration, as `host:port`."""
    address = f"127.0.0.1:{free_port()}"
    command = [require_program("prometheus-alertmanager"), f"--config.file={config}"]
    command += [f"--storage.path={folder / 'alertmanager'}", f"--web.listen-address={address}"]
    command += ["--cluster.listen-address=", "--log.level=warn"]
    with started(command, folder / "alertmanager.log"):
        eventually(lambda: is_ready(f"http://{address}/"))
        yield address


def post_alerts(address: str, alerts: list[dict[str, str]]) -> None:
    """Tell Alertmanager of alerts with these labels, all firing from now on."""
    request = urllib.request.Request(
        f"http://{address}/api/v2/alerts",
        json.dumps([{"labels": labels} for labels in alerts]).encode(),
        {"Content-Type": "application/json"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=15) as answer:
        assert answer.status == 200


def get_alerts(address: str, query: str = "") -> list[dict[str, Any]]:
    """The alerts that Alertmanager knows."""
    found = json.loads(get(f"http://{address}/api/v2/alerts{query}"))
    assert isinstance(found, list)
    return found
