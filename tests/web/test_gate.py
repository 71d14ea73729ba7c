import asyncio
import base64
import datetime
import ipaddress
import logging
import os
import ssl
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import bcrypt
import httpx
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from starlette.types import Message, Scope

from iometer_exporter.config import web_tls as tlsconfig
from iometer_exporter.config.web_file import RateLimit, WebConfig, load_web_config, parse_web_config
from iometer_exporter.errors import ConfigError
from iometer_exporter.web import basic_auth as webauth
from iometer_exporter.web import tls as webtls
from iometer_exporter.web.basic_auth import BasicAuth, FairQueue
from iometer_exporter.web.clients import Client
from iometer_exporter.web.gate import Gate, TokenBucket, WebGate
from iometer_exporter.web.http_server import HttpServer
from tests.conftest import require_program
from tests.properties import examples
from tests.secured import HASH, PASSWORD, USERS, Certificates, hello, serving

CLIENTS = "client_auth_type: RequireAndVerifyClientCert\nclient_ca_file: clients.pem\n"


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


def gate_of(path: Path, **options: Any) -> WebGate:
    return WebGate(load_web_config(path), **options)


def get(port: int, context: ssl.SSLContext, **options: Any) -> httpx.Response:
    with httpx.Client(verify=context, trust_env=False) as client:
        return client.get(f"https://127.0.0.1:{port}/metrics", **options)


def refused(port: int, context: ssl.SSLContext) -> bool:
    """Whether the server ends the connection before it answers."""
    with pytest.raises((httpx.TransportError, ssl.SSLError)) as caught:
        get(port, context)
    return not isinstance(caught.value, httpx.TimeoutException)


def serial_of(port: int, context: ssl.SSLContext) -> object:
    with httpx.Client(verify=context, trust_env=False) as client:
        stream = client.get(f"https://127.0.0.1:{port}/").extensions["network_stream"]
        certificate = stream.get_extra_info("ssl_object").getpeercert()
    return certificate["serialNumber"]


def basic(user: str, password: str) -> bytes:
    return b"Basic " + base64.b64encode(f"{user}:{password}".encode())


async def ask(
    gate: Gate, path: str = "/metrics", authorization: bytes | None = None
) -> tuple[int, dict[bytes, bytes], bytes]:
    """Status, headers and body of an answer."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    headers = [(b"authorization", authorization)] if authorization is not None else []
    await gate({"type": "http", "path": path, "headers": headers}, receive, send)
    start, body = sent
    assert len(start["headers"]) == len(dict(start["headers"])), "a header stands twice"
    return start["status"], dict(start["headers"]), body["body"]


def counted(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The hashes that bcrypt is asked about."""
    asked: list[bytes] = []
    check = bcrypt.checkpw

    def checkpw(password: bytes, hashed: bytes) -> bool:
        asked.append(hashed)
        return check(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", checkpw)
    return asked


def self_signed(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, *names: x509.GeneralName) -> bytes:
    """A certificate that is its own authority, valid for an hour."""
    now = datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "self")])
    builder = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 7)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(names or [x509.DNSName("localhost")]), critical=False)
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def private(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, password: bytes = b"") -> bytes:
    """The key in PEM form."""
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


# TLS


def test_tls_without_a_client_certificate(certificates: Certificates) -> None:
    gate = gate_of(certificates.config())
    assert gate.scheme == "https"
    with serving(gate) as port:
        answer = get(port, certificates.trusting())
        assert (answer.status_code, answer.text) == (200, "hello 1\n")
        assert refused(port, ssl.create_default_context())
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{port}/", trust_env=False, verify=False)


def test_an_empty_file_is_plain_http(tmp_path: Path) -> None:
    (tmp_path / "web.yml").write_text("")
    gate = gate_of(tmp_path / "web.yml")
    assert gate.scheme == "http"
    with serving(gate) as port:
        assert httpx.get(f"http://127.0.0.1:{port}/", trust_env=False, verify=False).text == "hello 1\n"


def test_a_client_certificate_is_needed_and_verified(certificates: Certificates) -> None:
    now = datetime.datetime.now(datetime.UTC)
    expired = certificates.clients.issue_cert("old.example.org", not_after=now - datetime.timedelta(days=1))
    with serving(gate_of(certificates.config(CLIENTS))) as port:
        assert get(port, certificates.trusting(certificates.clients.issue_cert("a.example.org"))).is_success
        assert refused(port, certificates.trusting())
        assert refused(port, certificates.trusting(trustme.CA().issue_cert("a.example.org")))
        assert refused(port, certificates.trusting(expired))


@pytest.mark.parametrize(
    ("rest", "none", "known", "unknown"),
    [
        ("", True, True, True),
        ("client_auth_type: RequestClientCert", True, True, True),
        ("client_auth_type: RequestClientCert\nclient_ca_file: clients.pem", True, True, False),
        ("client_auth_type: VerifyClientCertIfGiven\nclient_ca_file: clients.pem", True, True, False),
        ("client_auth_type: RequireAnyClientCert\nclient_ca_file: clients.pem", False, True, False),
        ("client_auth_type: RequireClientCert\nclient_ca_file: clients.pem", False, True, False),
        ("client_auth_type: RequireAndVerifyClientCert", False, False, False),
    ],
)
def test_who_gets_in_by_client_auth_type(
    certificates: Certificates, rest: str, none: bool, known: bool, unknown: bool
) -> None:
    contexts = [
        certificates.trusting(),
        certificates.trusting(certificates.clients.issue_cert("a.example.org")),
        certificates.trusting(trustme.CA().issue_cert("a.example.org")),
    ]
    with serving(gate_of(certificates.config(rest))) as port:
        for context, admitted in zip(contexts, (none, known, unknown), strict=True):
            if admitted:
                assert get(port, context).is_success
            else:
                assert refused(port, context)


def test_only_certificates_with_an_allowed_name(
    certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        seen.append(scope)
        await hello(scope, receive, send)

    issue = certificates.clients.issue_cert
    config = certificates.config(
        CLIENTS + "client_allowed_sans: [good.example.org, 10.0.0.9, me@example.org]"
    )
    with serving(gate_of(config), app) as port:
        for name in ("good.example.org", "10.0.0.9", "me@example.org"):
            assert get(port, certificates.trusting(issue("other.example.org", name))).is_success
        del seen[:]
        for name in ("bad.example.org", "10.0.0.8", "you@example.org", "*.example.org"):
            assert refused(port, certificates.trusting(issue(name)))
        assert refused(port, certificates.trusting(issue("bad.example.org")))
        assert refused(port, certificates.trusting(issue(common_name="good.example.org")))
    assert not seen
    lines = [record for record in caplog.records if "client refused" in record.message]
    assert [record.__dict__["names"] for record in lines] == [
        "bad.example.org",
        "10.0.0.8",
        "you@example.org",
        "*.example.org",
        "",
    ]


async def test_nothing_is_read_from_a_client_that_is_refused(certificates: Certificates) -> None:
    class Connected(asyncio.Transport):
        closing = False

        def is_closing(self) -> bool:
            return self.closing

        def close(self) -> None:
            self.closing = True

        abort = close

    gate = gate_of(certificates.config(CLIENTS + "client_allowed_sans: [a]"))
    server = HttpServer(hello, [], gate=gate)
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup()
    client = Client("")
    protocol = server._connection(client)
    protocol.connection_made(Connected())
    protocol.data_received(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
    assert not server.server_state.tasks
    server.force_exit = True
    await server.shutdown()


@pytest.mark.parametrize(
    "name",
    ["spiffe://home/prometheus", "2001:db8::1", "198.51.100.7", "a@example.org", "a.example.org"],
)
def test_every_kind_of_name_and_a_certificate_that_is_its_own_authority(
    certificates: Certificates, name: str
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = self_signed(
        key,
        x509.UniformResourceIdentifier("spiffe://home/prometheus"),
        x509.IPAddress(ipaddress.ip_address("2001:db8::1")),
        x509.IPAddress(ipaddress.ip_address("::ffff:198.51.100.7")),
        x509.RFC822Name("a@example.org"),
        x509.DNSName("a.example.org"),
        x509.DirectoryName(x509.Name([])),
    )
    (certificates.folder / "clients.pem").write_bytes("Zähler\n".encode() + pem)
    own = certificates.folder / "own.pem"
    own.write_bytes(pem + private(key))
    context = certificates.trusting()
    context.load_cert_chain(own)
    with serving(gate_of(certificates.config(f"{CLIENTS}client_allowed_sans: ['{name}']"))) as port:
        assert get(port, context).is_success


def test_names_that_are_no_addresses_stay_as_they_are() -> None:
    assert webtls.alternative_names(None) == frozenset()
    assert webtls.alternative_names({"subjectAltName": (("IP Address", "<invalid>"),)}) == {"<invalid>"}


@pytest.mark.parametrize(
    ("rest", "version", "works"),
    [
        ("", ssl.TLSVersion.TLSv1_2, True),
        ("", ssl.TLSVersion.TLSv1_1, False),
        ("min_version: TLS13", ssl.TLSVersion.TLSv1_2, False),
        ("min_version: TLS13", ssl.TLSVersion.TLSv1_3, True),
        ("max_version: TLS12", ssl.TLSVersion.TLSv1_3, False),
        ("min_version: TLS10", ssl.TLSVersion.TLSv1, True),
        ("min_version: TLS11\nmax_version: TLS11", ssl.TLSVersion.TLSv1_1, True),
        ("cipher_suites: [TLS_AES_128_GCM_SHA256]", ssl.TLSVersion.TLSv1_2, False),
        ("cipher_suites: [TLS_AES_128_GCM_SHA256]", ssl.TLSVersion.TLSv1_3, True),
    ],
)
def test_versions(certificates: Certificates, rest: str, version: ssl.TLSVersion, works: bool) -> None:
    gate = gate_of(certificates.config(rest))
    context = certificates.trusting()
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    with serving(gate) as port:
        if works:
            assert get(port, context).is_success
        else:
            assert refused(port, context)


SUITES = "[TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]"


@pytest.mark.parametrize(
    ("rest", "offered", "cipher"),
    [
        (
            "cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA]",
            "DEFAULT:@SECLEVEL=0",
            "ECDHE-ECDSA-AES256-SHA",
        ),
        (
            f"cipher_suites: {SUITES}",
            "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384",
            "ECDHE-ECDSA-AES256-GCM-SHA384",
        ),
        (
            f"prefer_server_cipher_suites: false\ncipher_suites: {SUITES}",
            "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384",
            "ECDHE-ECDSA-AES128-GCM-SHA256",
        ),
    ],
)
def test_cipher_suites(certificates: Certificates, rest: str, offered: str, cipher: str) -> None:
    context = certificates.trusting()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(offered)
    with (
        serving(gate_of(certificates.config(rest))) as port,
        httpx.Client(verify=context, trust_env=False) as client,
    ):
        stream = client.get(f"https://127.0.0.1:{port}/").extensions["network_stream"]
        assert stream.get_extra_info("ssl_object").cipher()[0] == cipher


def test_one_curve(certificates: Certificates) -> None:
    context = certificates.trusting()
    context.set_ecdh_curve("secp384r1")
    with serving(gate_of(certificates.config("curve_preferences: [CurveP256]"))) as port:
        assert get(port, certificates.trusting()).is_success
        assert refused(port, context)
    with serving(gate_of(certificates.config("curve_preferences: [X25519, CurveP384]"))) as port:
        assert get(port, context).is_success


@pytest.mark.parametrize("memory", [True, False])
def test_certificate_key_and_authority_in_the_file_itself(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch, memory: bool
) -> None:
    if not memory:
        monkeypatch.delattr(os, "memfd_create")
    read = {
        key: (certificates.folder / file).read_text()
        for key, file in {"cert": "server.pem", "key": "server.key", "client_ca": "clients.pem"}.items()
    }
    lines = "".join(f"  {key}: {text!r}\n".replace("'", '"') for key, text in read.items())
    path = certificates.folder / "inline.yml"
    path.write_text(f"tls_server_config:\n  client_auth_type: RequireAndVerifyClientCert\n{lines}")
    with serving(gate_of(path)) as port:
        assert refused(port, certificates.trusting())
        assert get(port, certificates.trusting(certificates.clients.issue_cert("a.example.org"))).is_success


def test_an_idle_connection_does_not_hold_up_the_stop(certificates: Certificates) -> None:
    with httpx.Client(verify=certificates.trusting(), trust_env=False) as client:
        with serving(gate_of(certificates.config())) as port:
            assert client.get(f"https://127.0.0.1:{port}/").is_success
            at = time.monotonic()
        assert time.monotonic() - at < 1.5


def test_a_request_under_way_is_answered_before_the_stop(certificates: Certificates) -> None:
    started = threading.Event()

    async def slow(scope: Scope, receive: Any, send: Any) -> None:
        started.set()
        await asyncio.sleep(0.5)
        await hello(scope, receive, send)

    with ThreadPoolExecutor() as pool:
        with serving(gate_of(certificates.config()), slow) as port:
            answer = pool.submit(get, port, certificates.trusting())
            assert started.wait(10)
        assert answer.result().text == "hello 1\n"


# TLS files that are bad


def unusable(certificates: Certificates, rest: str = "") -> str:
    with pytest.raises(ConfigError) as caught:
        gate_of(certificates.config(rest))
    return str(caught.value).replace(f"{certificates.folder}/", "")


def test_files_that_cannot_be_used_name_their_key(certificates: Certificates) -> None:
    folder = certificates.folder
    key = (folder / "server.key").read_text()
    (folder / "server.key").unlink()
    assert unusable(certificates) == (
        "tls_server_config.key_file: cannot read server.key: No such file or directory"
    )
    (folder / "server.key").write_text("x")
    no_key = (
        "tls_server_config.key_file: holds no private key in PEM form that fits tls_server_config.cert_file"
    )
    assert unusable(certificates) == no_key
    certificates.write(certificates.servers.issue_cert("other.example.org"), "other")
    (folder / "server.key").write_text((folder / "other.key").read_text())
    assert unusable(certificates) == no_key
    other = certificates.servers.issue_cert("a.example.org", key_type=trustme.KeyType.RSA)
    (folder / "server.key").write_bytes(other.private_key_pem.bytes())
    assert unusable(certificates) == no_key
    (folder / "server.key").write_bytes(private(ec.generate_private_key(ec.SECP256R1()), b"geheim"))
    assert unusable(certificates) == (
        "tls_server_config.key_file: the key is encrypted, give one without a password"
    )
    (folder / "server.key").write_text(key)
    no_ca = "tls_server_config.client_ca_file: holds no certificate in PEM form"
    (folder / "clients.pem").write_text("x")
    assert unusable(certificates, CLIENTS) == no_ca
    (folder / "clients.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    assert unusable(certificates, CLIENTS) == no_ca
    (folder / "clients.pem").unlink()
    assert unusable(certificates, CLIENTS) == (
        "tls_server_config.client_ca_file: cannot read clients.pem: No such file or directory"
    )
    (folder / "server.pem").write_text("")
    assert unusable(certificates) == "tls_server_config.cert_file: holds no certificate in PEM form"


def test_what_openssl_lacks_is_told(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(webtls._CURVES, "X25519", "no-such-curve")
    assert unusable(certificates, "curve_preferences: [X25519]") == (
        "tls_server_config.curve_preferences: OpenSSL has no X25519 here"
    )
    monkeypatch.setitem(tlsconfig.CIPHERS, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "no-such-suite")
    assert unusable(certificates, "cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]") == (
        "tls_server_config.cipher_suites: OpenSSL has none of them here"
    )


def test_a_key_that_is_too_weak_is_told(certificates: Certificates) -> None:
    key = rsa.generate_private_key(65537, 1024)
    (certificates.folder / "server.pem").write_bytes(self_signed(key))
    (certificates.folder / "server.key").write_bytes(private(key))
    assert unusable(certificates) == (
        "tls_server_config.cert_file: is not taken by OpenSSL (ee key too small)"
    )


def test_a_file_that_goes_away_while_it_is_loaded_is_told(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load_cert_chain(*_: object) -> None:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", load_cert_chain)
    assert unusable(certificates) == (
        "tls_server_config.key_file: cannot be loaded: No such file or directory"
    )


# Files that change


def test_a_certificate_is_rotated_while_running(
    certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "iometer_exporter")
    context = certificates.trusting()
    with serving(gate_of(certificates.config())) as port:
        first = serial_of(port, context)
        assert serial_of(port, context) == first
        certificates.issue_server()
        second = serial_of(port, context)
        assert second != first
        (certificates.folder / "server.pem").write_text("broken")
        assert {serial_of(port, context) for _ in range(3)} == {second}
        (certificates.folder / "server.key").unlink()
        assert serial_of(port, context) == second
        certificates.issue_server()
        assert serial_of(port, context) not in (first, second)
    assert [(record.levelname, record.message) for record in caplog.records if "TLS" in record.message] == [
        ("INFO", "TLS files changed, new connections use the new ones"),
        ("ERROR", "TLS files cannot be used, those loaded before stay"),
        ("ERROR", "TLS files cannot be used, those loaded before stay"),
        ("INFO", "TLS files changed, new connections use the new ones"),
    ]


def test_an_authority_that_is_taken_away_ends_the_trust(certificates: Certificates) -> None:
    client = certificates.trusting(certificates.clients.issue_cert("a.example.org"))
    other = trustme.CA()
    with serving(gate_of(certificates.config(CLIENTS))) as port:
        assert get(port, client).is_success
        other.cert_pem.write_to_path(str(certificates.folder / "clients.pem"))
        assert refused(port, client)
        assert get(port, certificates.trusting(other.issue_cert("b.example.org"))).is_success


def test_the_file_itself_is_followed(certificates: Certificates, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "iometer_exporter")
    context = certificates.trusting()
    with serving(gate_of(certificates.config())) as port:
        assert get(port, context).status_code == 200
        certificates.config(more=USERS)
        assert get(port, context).status_code == 401
        assert get(port, context, auth=("prometheus", PASSWORD)).status_code == 200
        certificates.config(more="basic_auth_users: {prometheus: geheim}\n")
        assert [get(port, context).status_code for _ in range(3)] == [401, 401, 401]
        (certificates.folder / "web.yml").write_text(USERS)
        assert get(port, context).status_code == 401
        certificates.config("min_version: TLS13", more="http_server_config: {http2: true}\n" + USERS)
        assert get(port, context, auth=("prometheus", PASSWORD)).status_code == 200
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        assert refused(port, context)
    lines = [(record.levelname, record.message) for record in caplog.records if "web conf" in record.message]
    assert lines == [
        ("INFO", "web configuration read again"),
        ("ERROR", "web configuration cannot be used, the last one stays"),
        ("ERROR", "web configuration cannot be used, the last one stays"),
        ("WARNING", "web configuration has a key without effect"),
        ("INFO", "web configuration read again"),
    ]
    errors = [str(record.__dict__["error"]) for record in caplog.records if record.levelname == "ERROR"]
    assert errors[0].endswith(
        "basic_auth_users: prometheus: is not a bcrypt hash, make one with iometer-exporter hash-password"
    )
    assert errors[1] == "tls_server_config: TLS goes on or off at a restart only"


@pytest.mark.parametrize(
    ("before", "rest", "users"),
    [
        ("basic_auth_users", "", False),
        ("tls_server_config.client_auth_type", "", True),
        ("tls_server_config.client_auth_type", "client_auth_type: VerifyClientCertIfGiven", True),
        ("tls_server_config.client_allowed_sans", CLIENTS, True),
    ],
)
def test_what_keeps_clients_out_is_not_taken_away(
    certificates: Certificates, caplog: pytest.LogCaptureFixture, before: str, rest: str, users: bool
) -> None:
    """The file is cut short, as it is while an editor writes it, and then whole again."""
    full = CLIENTS + "client_allowed_sans: [a.example.org]" if "tls" in before else ""
    gate = gate_of(certificates.config(full, USERS))
    certificates.config(rest, USERS if users else "")
    gate.refresh()
    gate.refresh()
    assert gate._config.users
    certificates.config(full, USERS + "rate_limit: {interval: 1s, burst: 10}\n")
    gate.refresh()
    assert gate._config.rate_limit
    [record] = caplog.records
    assert record.getMessage() == "web configuration cannot be used, the last one stays"
    assert str(record.__dict__["error"]) == f"{before}: is gone, and goes off at a restart only"


WHOLE = f"""\
rate_limit: {{interval: 1ms, burst: 1000000}}
http_server_config: {{headers: {{X-Frame-Options: deny}}}}
basic_auth_users:
  prometheus: {HASH}
  another: {HASH}
""".encode()


@examples(25, suppress_health_check=(HealthCheck.function_scoped_fixture,))
@given(
    content=st.one_of(
        st.binary(max_size=200),
        st.integers(0, len(WHOLE)).map(lambda end: WHOLE[:end]),
        st.integers(0, len(WHOLE)).map(lambda end: WHOLE[:end] + bytes(len(WHOLE) - end)),
    )
)
async def test_whatever_becomes_of_the_file_nobody_gets_in_without_a_password(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "web.yml"
    path.write_bytes(WHOLE)
    gate = gate_of(path)
    wrapped = gate.wrap(hello)
    path.write_bytes(content)
    assert (await ask(wrapped))[0] == 401
    path.write_bytes(WHOLE)
    # The clock of a file system can be slower than this test.
    gate._seen = None
    assert (await ask(wrapped, authorization=basic("prometheus", PASSWORD)))[0] == 200


def test_an_empty_file_does_not_open_the_door(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "web.yml"
    path.write_text(USERS)
    with serving(gate_of(path)) as port, httpx.Client(trust_env=False, verify=False) as client:
        url = f"http://127.0.0.1:{port}/"
        assert client.get(url).status_code == 401
        path.write_text("")
        assert [client.get(url).status_code for _ in range(3)] == [401] * 3
        assert client.get(url, auth=("prometheus", PASSWORD)).status_code == 200
        path.write_text(USERS.replace("prometheus", "other"))
        assert client.get(url, auth=("prometheus", PASSWORD)).status_code == 401
        assert client.get(url, auth=("other", PASSWORD)).status_code == 200
    assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 1


@pytest.mark.end_to_end
def test_tls_is_not_negotiated_again(certificates: Certificates) -> None:
    """With TLS 1.2 a client could ask for a new handshake, at the server's cost, as often as it likes."""
    config = load_web_config(certificates.config()).tls
    assert config is not None
    # OpenSSL from version 3 on refuses it by itself, others do not.
    assert webtls.build_context(config).options & ssl.OP_NO_RENEGOTIATION
    require_program("openssl")
    with serving(gate_of(certificates.config())) as port:
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_2", "-quiet", "-no_ign_eof"]
        result = subprocess.run(command, input=b"R\n", capture_output=True, timeout=60)
    assert b"no renegotiation" in result.stderr, result.stderr


def test_a_new_configuration_is_taken_wholly_or_not_at_all(certificates: Certificates) -> None:
    gate = gate_of(certificates.config())
    good = load_web_config(certificates.config("min_version: TLS13", USERS))
    bad = parse_web_config("tls_server_config: {cert_file: c, key_file: k}\n" + USERS, certificates.folder)
    with pytest.raises(ConfigError, match="cannot read"):
        gate.replace(bad)
    with pytest.raises(ConfigError, match="TLS goes on or off"):
        gate.replace(WebConfig())
    with pytest.raises(ConfigError, match="TLS goes on or off"):
        WebGate(WebConfig()).replace(good)
    gate.replace(good)


def test_what_is_ignored_is_said_once(certificates: Certificates, caplog: pytest.LogCaptureFixture) -> None:
    gate = gate_of(certificates.config(more="http_server_config: {http2: true}\n"))
    gate.replace(load_web_config(certificates.config(more="http_server_config: {http2: true}\n" + USERS)))
    assert [record.__dict__["key"] for record in caplog.records] == [
        "http_server_config.http2: this server speaks HTTP/1.1 only"
    ]


# Rate limit


def test_a_bucket_lets_a_burst_through_and_then_one_an_interval() -> None:
    at = 0.0
    bucket = TokenBucket(RateLimit(2.0, 3), lambda: at)
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    at = 1.9
    assert not bucket.take()
    at = 2.1
    assert [bucket.take() for _ in range(2)] == [True, False]
    at = 1000.0
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]


async def test_too_many_requests_are_told_so_before_any_password_is_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = counted(monkeypatch)
    config = WebConfig(
        users={"prometheus": HASH}, rate_limit=RateLimit(3600.0, 2), headers={"X-Frame-Options": "deny"}
    )
    gate = Gate(hello, config, exempt_paths=("/-/healthy",))
    for _ in range(2):
        assert (await ask(gate))[0] == 401
    status, headers, body = await ask(gate, "/-/healthy", basic("prometheus", PASSWORD))
    assert status == 429
    assert headers[b"x-frame-options"] == b"deny"
    assert body == b"too many requests, see rate_limit of the web configuration\n"
    assert not asked
    gate.replace(WebConfig(rate_limit=RateLimit(3600.0, 2)))
    assert (await ask(gate))[0] == 429
    gate.replace(WebConfig())
    assert (await ask(gate))[0] == 200


# Basic auth


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (None, 401),
        (b"", 401),
        (b"Basic", 401),
        (b"Basic !", 401),
        (b"Basic " + base64.b64encode(b"prometheus"), 401),
        (b"Bearer " + base64.b64encode(f"prometheus:{PASSWORD}".encode()), 401),
        (b"Basic " + base64.b64encode(b"\xff\xfe:x"), 401),
        (basic("prometheus", PASSWORD), 200),
        (basic("prometheus", PASSWORD).replace(b"Basic", b"bAsIc"), 200),
        (basic("prometheus", PASSWORD + "x"), 401),
        (basic("prometheus", ""), 401),
        (basic("prometheus", "a\0b"), 401),
        (basic("Prometheus", PASSWORD), 401),
        (basic("nobody", PASSWORD), 401),
    ],
)
async def test_who_may_see_the_application(authorization: bytes | None, status: int) -> None:
    gate = Gate(hello, WebConfig(users={"prometheus": HASH}))
    found, headers, body = await ask(gate, authorization=authorization)
    assert found == status
    if status == 401:
        assert headers[b"www-authenticate"] == b"Basic"
        assert body == b"user and password needed, or they are wrong\n"


async def test_long_passwords_count_as_far_as_bcrypt_looks() -> None:
    users = {"a": bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode()}
    assert await BasicAuth(users).allows(basic("a", "x" * 80))
    assert not await BasicAuth(users).allows(basic("a", "x" * 71))


async def test_exempt_paths_are_open_and_exact() -> None:
    gate = Gate(hello, WebConfig(users={"a": HASH}), exempt_paths=("/-/healthy", "/-/ready"))
    paths = ["/-/healthy", "/-/ready", "/metrics", "/-/healthy/", "/-/healthy/../metrics", "/-/Ready"]
    assert [(await ask(gate, path))[0] for path in paths] == [200, 200, 401, 401, 401, 401]


async def test_verdicts_are_remembered_good_and_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = counted(monkeypatch)
    gate = Gate(hello, WebConfig(users={"prometheus": HASH}))
    good, bad = basic("prometheus", PASSWORD), basic("prometheus", "wrong")
    answers = await asyncio.gather(*(ask(gate, authorization=given) for given in [good, bad] * 5))
    assert [status for status, _, _ in answers] == [200, 401] * 5
    assert len(asked) == 2
    gate.replace(WebConfig(users={"prometheus": HASH}, headers={"X-Frame-Options": "deny"}))
    assert (await ask(gate, authorization=good))[0] == 200
    assert len(asked) == 2
    gate.replace(WebConfig(users={"prometheus": bcrypt.hashpw(b"new", bcrypt.gensalt(4)).decode()}))
    assert (await ask(gate, authorization=good))[0] == 401
    assert (await ask(gate, authorization=basic("prometheus", "new")))[0] == 200


async def test_guesses_do_not_push_out_who_knows_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = counted(monkeypatch)
    auth = BasicAuth({"prometheus": HASH})
    assert not await auth.allows(basic("prometheus", "first"))
    assert await auth.allows(basic("prometheus", PASSWORD))
    for number in range(150):
        assert not await auth.allows(basic("prometheus", str(number)))
    assert await auth.allows(basic("prometheus", PASSWORD))
    assert len(asked) == 152
    assert len(auth._verdicts) == webauth._MAX_VERDICTS


async def test_the_oldest_goes_where_all_verdicts_are_good() -> None:
    hashed = bcrypt.hashpw(b"", bcrypt.gensalt(4)).decode()
    auth = BasicAuth({str(number): hashed for number in range(101)})
    for number in range(101):
        assert await auth.allows(basic(str(number), ""))
    assert len(auth._verdicts) == webauth._MAX_VERDICTS


async def test_an_unknown_user_costs_what_a_known_one_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = counted(monkeypatch)
    auth = BasicAuth({"a": HASH, "b": bcrypt.hashpw(b"x", bcrypt.gensalt(5)).decode()})
    assert not await auth.allows(basic("nobody", "x"))
    assert [hashed[:7] for hashed in asked] == [b"$2b$05$"]
    assert not await BasicAuth({}).allows(basic("nobody", "x"))


async def test_the_loop_runs_on_and_one_password_is_checked_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    users = {"a": bcrypt.hashpw(b"x", bcrypt.gensalt(10)).decode()}
    running = most = 0
    check = bcrypt.checkpw

    def checkpw(password: bytes, hashed: bytes) -> bool:
        nonlocal running, most
        running += 1
        most = max(most, running)
        result = check(password, hashed)
        running -= 1
        return result

    monkeypatch.setattr(bcrypt, "checkpw", checkpw)
    auth = BasicAuth(users)
    checks = asyncio.gather(*(auth.allows(basic("a", str(number))) for number in range(4)))
    beats = 0
    while not checks.done():
        await asyncio.sleep(0.001)
        beats += 1
    assert most == 1
    assert beats > 20


def test_groups_take_turns_and_the_newest_of_a_group_is_first() -> None:
    queue: FairQueue[str] = FairQueue(10)
    for item in ("a1", "a2", "a3", "b1", "c1", "b2"):
        assert queue.push(item[0], item) is None
    queue.remove("a", "a2")
    queue.remove("a", "a2")
    queue.remove("z", "z1")
    assert [queue.pop() for _ in range(len(queue))] == ["a3", "b2", "c1", "a1", "b1"]


def test_what_is_too_much_is_the_oldest_of_the_largest_group() -> None:
    queue: FairQueue[str] = FairQueue(4)
    dropped = [queue.push(item[0], item) for item in ("a1", "b1", "a2", "a3", "a4", "b2", "c1", "c2")]
    assert dropped == [None, None, None, None, "a1", "a2", "a3", "b1"]
    assert len(queue) == 4


class HeldBcrypt:
    """Lets a check through each time it is told to, and knows what was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[bytes] = []
        self.go_on = threading.Semaphore(0)
        self.check = bcrypt.checkpw
        monkeypatch.setattr(bcrypt, "checkpw", self)

    def __call__(self, password: bytes, hashed: bytes) -> bool:
        self.asked.append(password)
        assert self.go_on.acquire(timeout=60)
        return self.check(password, hashed)


def request_of(group: str, authorization: bytes) -> Scope:
    return {"type": "http", "path": "/", "headers": [(b"authorization", authorization)], "client": (group, 1)}


async def send_to(gate: Gate, scope: Scope, receive: Any) -> list[Message]:
    """What the gate sends."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await gate(scope, receive, send)
    return sent


async def there() -> Message:
    """A client that has sent its request."""
    return {"type": "http.request", "body": b""}


async def settled(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 (the condition is anybody's)
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("honest", ["192.168.1.9", "192.168.1.1"], ids=["another address", "the same"])
async def test_a_login_is_not_held_up_by_hundreds_of_wrong_ones(
    monkeypatch: pytest.MonkeyPatch, honest: str
) -> None:
    held = HeldBcrypt(monkeypatch)
    gate = Gate(hello, WebConfig(users={"prometheus": HASH}))
    wrong = [
        asyncio.create_task(
            send_to(gate, request_of("192.168.1.1", basic("prometheus", f"wrong{number}")), there)
        )
        for number in range(400)
    ]
    await settled(lambda: sum(task.done() for task in wrong) >= 400 - 64 - 1)
    # Too many to wait: they are told so at once, and when to come again.
    refused = [task.result()[0] for task in wrong if task.done()]
    assert {start["status"] for start in refused} == {503}
    assert all((b"retry-after", b"1") in start["headers"] for start in refused)
    login = asyncio.create_task(send_to(gate, request_of(honest, basic("prometheus", PASSWORD)), there))
    for _ in range(4):
        held.go_on.release()
    start, _ = await asyncio.wait_for(login, 60)
    assert start["status"] == 200
    assert PASSWORD.encode() in held.asked[:4]
    for task in wrong:
        task.cancel()
    await asyncio.gather(*wrong, return_exceptions=True)
    held.go_on.release(100)


async def test_nobody_is_checked_who_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    held = HeldBcrypt(monkeypatch)
    gate = Gate(hello, WebConfig(users={"prometheus": HASH}))
    gone = asyncio.Event()

    def leaving() -> Callable[[], Awaitable[Message]]:
        messages = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> Message:
            if messages:
                return messages.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        return receive

    requests = [
        asyncio.create_task(send_to(gate, request_of("a", basic("prometheus", f"wrong{number}")), leaving()))
        for number in range(50)
    ]
    await settled(lambda: len(held.asked) == 1)
    gone.set()
    assert await asyncio.wait_for(asyncio.gather(*requests), 60) == [[]] * 50
    login = asyncio.create_task(send_to(gate, request_of("a", basic("prometheus", PASSWORD)), there))
    held.go_on.release(2)
    assert (await asyncio.wait_for(login, 60))[0]["status"] == 200
    assert len(held.asked) == 2


async def test_what_was_received_while_a_password_waited_reaches_the_application() -> None:
    bodies: list[bytes] = []

    async def echo(_scope: Scope, receive: Any, send: Any) -> None:
        for _ in range(3):
            bodies.append((await receive()).get("body", b"-"))
        await hello(_scope, receive, send)

    def sending(*messages: Message) -> Callable[[], Awaitable[Message]]:
        left = list(messages)

        async def receive() -> Message:
            return left.pop(0) if left else {"type": "http.disconnect"}

        return receive

    gate = Gate(echo, WebConfig(users={"prometheus": HASH}))
    first = {"type": "http.request", "body": b"one", "more_body": True}
    second = {"type": "http.request", "body": b"two", "more_body": True}
    await send_to(gate, request_of("a", basic("prometheus", PASSWORD)), sending(first, second))
    assert bodies == [b"one", b"two", b"-"]


async def test_whoever_waits_too_long_is_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webauth, "_LONGEST_WAIT_SECONDS", 0.05)
    held = HeldBcrypt(monkeypatch)
    auth = BasicAuth({"prometheus": HASH})
    assert await asyncio.gather(*(auth.allows(basic("a", str(number))) for number in range(3))) == [None] * 3
    assert len(auth._queue) == 0
    held.go_on.release(3)


async def test_a_fault_of_bcrypt_ends_one_check_only(monkeypatch: pytest.MonkeyPatch) -> None:
    check = bcrypt.checkpw

    def faulty(password: bytes, hashed: bytes) -> bool:
        if password == b"fault":
            raise ValueError("Invalid salt")
        return check(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", faulty)
    auth = BasicAuth({"prometheus": HASH})
    given = [basic("prometheus", "fault"), basic("prometheus", PASSWORD)]
    fault, good = await asyncio.gather(*map(auth.allows, given), return_exceptions=True)
    assert isinstance(fault, ValueError)
    assert good is True


async def test_names_that_do_not_resolve_do_not_delay_a_login() -> None:
    """The threads that all share are all busy; the one for passwords is not among them."""
    release = threading.Event()
    loop = asyncio.get_running_loop()
    busy = [loop.run_in_executor(None, release.wait, 60) for _ in range(64)]
    try:
        async with asyncio.timeout(30):
            assert await BasicAuth({"prometheus": HASH}).allows(basic("prometheus", PASSWORD))
    finally:
        release.set()
        await asyncio.gather(*busy)


async def test_no_secret_is_kept_in_the_clear() -> None:
    auth = BasicAuth({"prometheus": HASH})
    await auth.allows(basic("prometheus", PASSWORD))
    assert PASSWORD not in repr(vars(auth))
    assert base64.b64encode(PASSWORD.encode()).decode()[:8] not in repr(vars(auth))


# Headers and other scopes


async def test_configured_headers_are_on_every_answer_in_place_of_the_applications_own() -> None:
    gate = Gate(hello, WebConfig(headers={"X-Frame-Options": "sameorigin", "X-XSS-Protection": "0"}))
    _, headers, _ = await ask(gate)
    assert headers == {
        b"content-type": b"text/plain; version=0.0.4",
        b"x-frame-options": b"sameorigin",
        b"x-xss-protection": b"0",
    }
    gate.replace(WebConfig(headers={"X-XSS-Protection": "0"}, users={"a": HASH}))
    status, headers, _ = await ask(gate)
    assert (status, headers[b"x-xss-protection"]) == (401, b"0")


async def test_a_websocket_does_not_get_past_and_the_lifespan_does() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError

    gate = Gate(hello, WebConfig(users={"a": HASH}))
    await gate({"type": "websocket", "path": "/", "headers": []}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]
    await gate({"type": "lifespan"}, receive, send)
    assert len(sent) == 3


# Secrets and costs


def test_no_secret_is_printed_whatever_happens(
    certificates: Certificates, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    key = (certificates.folder / "server.key").read_text()
    gate = gate_of(certificates.config(more=USERS))
    context = certificates.trusting()
    bodies = []
    with serving(gate) as port:
        for auth in (None, ("prometheus", PASSWORD), ("prometheus", "wrong-password"), (PASSWORD, "")):
            answer = get(port, context, auth=auth)
            bodies.append(f"{answer.text}{answer.headers}")
        (certificates.folder / "server.key").write_text(key.replace("\n", "\nx", 1))
        get(port, context)
        (certificates.folder / "web.yml").write_text(f"basic_auth_users: {{a: {HASH}x, b: {PASSWORD}}}\n")
        get(port, context)
    printed = capfd.readouterr()
    records = "\n".join(str(record.__dict__) for record in caplog.records)
    everything = f"{caplog.text}{records}{printed.out}{printed.err}{bodies}{gate._config}{vars(gate)}"
    assert "cannot be used" in everything
    for secret in (PASSWORD, "wrong-password", HASH, key.splitlines()[1]):
        assert secret not in everything


def test_bcrypt_is_loaded_for_users_only() -> None:
    program = (
        "import sys; from iometer_exporter.web.gate import Gate, WebGate; "
        "from iometer_exporter.config.web_file import WebConfig; WebGate(WebConfig()).wrap(None); "
        "assert 'bcrypt' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
