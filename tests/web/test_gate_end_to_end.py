"""A real Prometheus scrapes through TLS, client certificate and password."""

import base64
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from iometer_exporter.config.web_file import load_web_config
from iometer_exporter.web.gate import WebGate
from tests.conftest import require_program
from tests.processes import exporter, prometheus
from tests.secured import HASH, PASSWORD, USERS, Certificates, serving
from tests.waiting import eventually

pytestmark = pytest.mark.end_to_end

REST = """\
client_auth_type: RequireAndVerifyClientCert
client_ca_file: clients.pem
client_allowed_sans: [prometheus.example.org]
min_version: TLS13
"""
MORE = USERS + "http_server_config: {headers: {X-Content-Type-Options: nosniff}}\n"


def job(name: str, port: int, tls: dict[str, str], password: str = PASSWORD) -> str:
    files = ", ".join(f"{key}: {value}" for key, value in tls.items())
    return (
        f"  - job_name: {name}\n"
        "    scheme: https\n"
        f"    tls_config: {{{files}}}\n"
        f"    basic_auth: {{username: prometheus, password: {password}}}\n"
        f"    static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n"
    )


def files(certificates: Certificates, name: str, *identities: str) -> dict[str, str]:
    cert, key = certificates.write(certificates.clients.issue_cert(*identities), name)
    return {"ca_file": str(certificates.folder / "servers.pem"), "cert_file": cert, "key_file": key}


def test_prometheus_gets_in_with_everything_and_not_with_less(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    good = files(certificates, "good", "prometheus.example.org")
    gate = WebGate(load_web_config(certificates.config(REST, MORE)))
    with serving(gate) as port:
        jobs = {
            "secure": job("secure", port, good),
            "nobody": job("nobody", port, {"ca_file": good["ca_file"]}),
            "stranger": job("stranger", port, files(certificates, "bad", "grafana.example.org")),
            "guess": job("guess", port, good, password="wrong"),
        }
        with prometheus(tmp_path, f"127.0.0.1:{port}", extra="".join(jobs.values())) as server:
            eventually(lambda: len(server.values("up", by="job")) == 5)
            assert server.values("up", by="job") == {
                "iometer": 0,
                "secure": 1,
                "nobody": 0,
                "stranger": 0,
                "guess": 0,
            }
            assert server.values('hello{job!=""}', by="job") == {"secure": 1}
            # Both sides read the certificates again: neither is restarted for a new one.
            certificates.issue_server()
            files(certificates, "good", "prometheus.example.org")
            eventually(lambda: server.query('count_over_time(up{job="secure"}[1m]) >= 4'))
            assert server.query('min_over_time(up{job="secure"}[1m]) == 0') == []


def test_the_file_is_one_that_prometheus_itself_takes(tmp_path: Path) -> None:
    # Debian's Prometheus is older than this key.
    rest = REST.replace("client_allowed_sans: [prometheus.example.org]\n", "")
    path = Certificates(tmp_path).config(rest, MORE)
    command = [require_program("promtool"), "check", "web-config", str(path)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_the_exporter_itself_behind_the_gate(tmp_path: Path) -> None:
    """`serve` with TLS, a client certificate and a password, scraped by a real Prometheus."""
    certificates = Certificates(tmp_path)
    web = certificates.config(REST, MORE)
    options = ["--no-discovery", "--bridge", "house=127.0.0.1:1", "--web.config.file", str(web)]
    options += ["--web.auth-exempt-health", "--web.enable-lifecycle"]
    good = files(certificates, "good", "prometheus.example.org")
    with exporter(tmp_path, *options, pattern=r"address=https://127.0.0.1:(\d+)/") as (process, port):
        secure = job("secure", int(port), good)
        with prometheus(tmp_path, "127.0.0.1:1", extra=secure) as server:
            eventually(lambda: server.query('iometer_up{job="secure",bridge="house"}'))
            assert server.query('up{job="secure"} == 0') == []
        process.popen.send_signal(signal.SIGHUP)
        process.wait_for("configuration reloaded")
        web.write_text("basic_auth_user: {}\n")
        process.popen.send_signal(signal.SIGHUP)
        process.wait_for("not reloaded, the old one stays: .*did you mean 'basic_auth_users'")
        assert process.stop() == 0
    assert PASSWORD not in process.text()
    assert "$2" not in process.text()


def test_no_secret_is_printed_anywhere(tmp_path: Path) -> None:
    """Every endpoint, right and wrong passwords, good and bad reloads, at the most talkative log level."""
    certificates = Certificates(tmp_path)
    web = certificates.config(more=MORE)
    key = (tmp_path / "server.key").read_text().splitlines()[1]
    options = ["--no-discovery", "--bridge", "house=127.0.0.1:1", "--web.config.file", str(web)]
    options += ["--web.enable-lifecycle", "--log.level", "debug"]
    seen: list[str] = []
    with exporter(tmp_path, *options, pattern=r"address=(https://\S+)/") as (process, url):
        trusting = certificates.trusting()

        def ask(path: str, password: str, method: str = "GET") -> None:
            login = base64.b64encode(f"prometheus:{password}".encode()).decode()
            request = urllib.request.Request(
                f"{url}{path}", method=method, headers={"Authorization": f"Basic {login}"}
            )
            try:
                with urllib.request.urlopen(request, context=trusting) as answer:
                    seen.append(f"{answer.status} {answer.headers} {answer.read().decode()}")
            except urllib.error.HTTPError as error:
                seen.append(f"{error.code} {error.headers} {error.read().decode()}")

        for path in ("/", "/metrics", "/sd", "/sd?form=probe", "/probe?target=house", "/nothing"):
            ask(path, PASSWORD)
            ask(path, "wrong-guess-0815")
        ask("/probe?target=house&debug=true", PASSWORD)
        ask("/-/reload", PASSWORD, "POST")
        # A password where a hash belongs is refused, and not quoted.
        web.write_text(web.read_text().replace(HASH, PASSWORD))
        ask("/-/reload", PASSWORD, "POST")
        assert process.stop() == 0
    assert [text[:3] for text in seen[:4]] == ["200", "401", "200", "401"]
    assert seen[-1].startswith("500")
    printed = process.text() + "".join(seen)
    for secret in (PASSWORD, HASH, "wrong-guess-0815", key):
        assert secret not in printed
