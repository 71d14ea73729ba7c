"""An application behind a WebGate on a real socket, and the certificates for it."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bcrypt
import trustme
from starlette.types import ASGIApp, Receive, Scope, Send

from iometer_exporter.web.clients import ClientLimits
from iometer_exporter.web.gate import WebGate
from iometer_exporter.web.http_server import HttpServer

PASSWORD = "open-sesame-4711"
HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
USERS = f"basic_auth_users: {{prometheus: {HASH}}}\n"


async def hello(_scope: Scope, _receive: Receive, send: Send) -> None:
    """An application with one metric and one header of its own."""
    headers = [(b"content-type", b"text/plain; version=0.0.4"), (b"x-frame-options", b"DENY")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"hello 1\n"})


class Certificates:
    """An authority for servers, one for clients, and their files in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.servers = trustme.CA()
        self.clients = trustme.CA()
        self.servers.cert_pem.write_to_path(str(folder / "servers.pem"))
        self.clients.cert_pem.write_to_path(str(folder / "clients.pem"))
        self.server = self.issue_server()

    def issue_server(self) -> trustme.LeafCert:
        """A certificate of the server, written over the one before."""
        leaf = self.servers.issue_cert("127.0.0.1", "localhost")
        self.write(leaf, "server")
        return leaf

    def write(self, leaf: trustme.LeafCert, name: str) -> tuple[str, str]:
        """The certificate and its key as files."""
        cert, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        leaf.private_key_pem.write_to_path(str(key))
        cert.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        return str(cert), str(key)

    def trusting(self, client: trustme.LeafCert | None = None) -> ssl.SSLContext:
        """A client's context that trusts the server."""
        context = ssl.create_default_context(cafile=str(self.folder / "servers.pem"))
        if client:
            client.configure_cert(context)
        return context

    def config(self, rest: str = "", more: str = "") -> Path:
        """The web configuration with TLS, some more keys of it, and some more sections."""
        path = self.folder / "web.yml"
        path.write_text(
            "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"
            + "".join(f"  {line}\n" for line in rest.splitlines())
            + more
        )
        return path


@contextmanager
def serving(gate: WebGate | None, app: ASGIApp = hello, limits: ClientLimits | None = None) -> Iterator[int]:
    """The port of the application behind the gate, in a thread of its own."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    server = HttpServer(app, [listening], gate=gate, limits=limits)
    port = listening.getsockname()[1]
    thread = threading.Thread(target=asyncio.run, args=(server.serve(),))
    thread.start()
    try:
        yield port
    finally:
        server.should_exit = True
        thread.join()
