"""What the process of a household loads: one bridge, and neither TLS, nor a file, nor discovery."""

import subprocess
import sys
from typing import Final

from tests.rawserver import answering, response, served

SCRAPED: Final = """
import asyncio, socket, sys
import iometer_exporter.cli.serve
from iometer_exporter.config.file import Config, DiscoveryConfig, parse_bridge
from iometer_exporter.web.server import running

async def main(bridge):
    config = Config(bridges=(parse_bridge(bridge),), discovery=DiscoveryConfig(enabled=False))
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    async with running(lambda: config, [listening]):
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        writer.write(b"GET /metrics HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n")
        page = await reader.read()
        writer.close()
    assert b"\\niometer_endpoint_up{" in page, page
    assert b"\\nprocess_open_fds " in page, page

asyncio.run(main(sys.argv[1]))
print(*sys.modules)
"""

UNWANTED: Final = {
    *("ariadne", "bcrypt", "gql", "graphql", "httpcore", "httpx", "websockets", "yaml", "zeroconf"),
    *("difflib", "rich", "segno"),
    *(
        f"iometer_exporter.{name}"
        for name in (
            *("bridges.diagnosis", "bridges.discovery.browser", "bridges.discovery.mdns"),
            *("bridges.http.h11_reader", "config.provider", "config.web_file", "config.web_tls"),
            *("config.yaml_text", "provider", "simulator", "state", "web.basic_auth", "web.gate"),
            *("web.landing", "web.tls"),
        )
    ),
}
"""Modules that are loaded where they are needed, and cost others their start-up time and memory."""


def test_a_household_loads_no_more_than_it_needs() -> None:
    with served(answering(response(b"{}"))) as address:
        done = subprocess.run(
            [sys.executable, "-c", SCRAPED, str(address)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert "iometer_exporter.bridges.http.transport" in loaded
    assert loaded & UNWANTED == set()
