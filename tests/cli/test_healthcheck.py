"""`healthcheck` against a running exporter, and against everything that is none."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from iometer_exporter.cli import cli
from iometer_exporter.config.web_file import load_web_config
from iometer_exporter.errors import ConfigError
from iometer_exporter.web.gate import WebGate
from tests.commands import Done, run
from tests.processes import exporter, free_port
from tests.rawserver import answering, hanging, response, served
from tests.secured import USERS, Certificates, serving


def healthcheck(*words: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(cli, ["healthcheck", *words], env=env, prog_name="iometer-exporter")


def test_the_running_exporter_is_well_and_the_stopped_one_is_not(tmp_path: Path) -> None:
    with exporter(tmp_path, "--no-discovery") as (process, url):
        assert run("healthcheck", "--url", f"{url}-/healthy") == Done(0, "", "")
        process.stop()
    told = f"Error: no answer from {url}-/healthy: Connection refused\n"
    assert run("healthcheck", "--url", f"{url}-/healthy") == Done(1, "", told)


def test_the_url_comes_from_the_environment_too() -> None:
    with served(answering(response(b"healthy\n"))) as address:
        assert not healthcheck(
            env={"IOMETER_EXPORTER_HEALTHCHECK_URL": f"http://{address}/-/healthy"}
        ).exit_code


@pytest.mark.parametrize("host", ["", "127.0.0.1", "0.0.0.0"])
def test_it_asks_where_the_exporter_listens(host: str) -> None:
    with served(answering(response(b"healthy\n"))) as address:
        listening = f"{host}:{address.port}"
        assert not healthcheck(env={"IOMETER_EXPORTER_WEB_LISTEN_ADDRESS": f"{listening} :1"}).exit_code
    result = healthcheck("--web.listen-address", listening)
    assert result.exit_code == 1
    place = "127.0.0.1" if host == "127.0.0.1" else "localhost"
    assert result.output == (
        f"Error: no answer from http://{place}:{address.port}/-/healthy: Connection refused\n"
    )


def test_it_asks_with_tls_where_the_exporter_has_it(tmp_path: Path) -> None:
    file = Certificates(tmp_path).config(more=USERS)
    with serving(WebGate(load_web_config(file), exempt_paths=("/-/healthy",))) as port:
        env = {"IOMETER_EXPORTER_WEB_LISTEN_ADDRESS": f":{port}"}
        # Its certificate is of another name than localhost.
        assert not healthcheck(env=env | {"IOMETER_EXPORTER_WEB_CONFIG_FILE": str(file)}).exit_code
        assert healthcheck(env=env).exit_code == 1


def test_where_any_port_is_free_there_is_none_to_ask() -> None:
    result = healthcheck("--web.listen-address", "127.0.0.1:0")
    assert isinstance(result.exception, ConfigError)
    assert str(result.exception) == "port 0 is any free one: write the URL to ask"


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (response(b"", status="503 Service Unavailable"), "answers 503"),
        (response(b"", status="302 Found", headers="Location: /-/healthy\r\n"), "answers 302"),
        (
            response(b"", status="401 Unauthorized"),
            "asks for a password: start the exporter with --web.auth-exempt-health",
        ),
    ],
)
def test_only_200_is_well(answer: bytes, text: str) -> None:
    with served(answering(answer)) as address:
        result = healthcheck("--url", f"http://{address}/-/healthy")
    assert (result.exit_code, result.output) == (1, f"Error: http://{address}/-/healthy {text}\n")


@pytest.mark.parametrize(
    ("answer", "text"),
    [(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "SSH-2.0-OpenSSH_9.2"), (b"\r\n", "it speaks no HTTP")],
)
def test_another_server_is_one_sentence(answer: bytes, text: str) -> None:
    with served(answering(answer, keep=False)) as address:
        result = healthcheck("--url", f"http://{address}/")
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: no answer from http://{address}/: {text}")
    assert len(result.output.splitlines()) == 1


def test_a_hung_exporter_is_ill() -> None:
    with served(hanging) as address:
        result = healthcheck("--url", f"http://{address}/", "--timeout", "200ms")
    assert (result.exit_code, result.output) == (1, f"Error: no answer from http://{address}/ within 0.2 s\n")


def test_proxy_variables_are_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = f"http://127.0.0.1:{free_port()}"
    with served(answering(response(b""))) as address:
        env = {"http_proxy": proxy, "HTTP_PROXY": proxy, "no_proxy": ""}
        assert not healthcheck("--url", f"http://{address}/", env=env).exit_code


@pytest.mark.parametrize(
    "url",
    [
        "localhost:10180",
        "ftp://x/",
        "http://",
        "http://x:99999/",
        "http://u:p@x/",
        "http://x/a b",
        "http://[x",
    ],
)
def test_a_wrong_url_is_wrong_usage(url: str) -> None:
    result = healthcheck("--url", url)
    assert result.exit_code == 2
    assert f"{url!r} is no URL to ask, write one such as http://localhost:10180/-/healthy" in result.output


def test_tls_and_basic_auth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificates = Certificates(tmp_path)
    config = load_web_config(certificates.config(more=USERS))
    with serving(WebGate(config, exempt_paths=("/-/healthy",))) as port:
        url = f"https://127.0.0.1:{port}/-/healthy"
        doubted = healthcheck("--url", url)
        assert doubted.exit_code == 1
        assert doubted.output.startswith(f"Error: the certificate of {url} is not trusted (")
        assert doubted.output.endswith("use --insecure on this host\n")
        assert not healthcheck("--url", url, "--insecure").exit_code
        assert healthcheck("--url", f"https://127.0.0.1:{port}/metrics", "--insecure").exit_code == 1
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "servers.pem"))
        assert not healthcheck("--url", url).exit_code
        plain = healthcheck("--url", f"http://127.0.0.1:{port}/")
        assert plain.exit_code == 1


def test_localhost_is_asked_in_both_families() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        listening.listen()
        result = healthcheck("--url", f"http://localhost:{port}/", "--timeout", "200ms")
    assert "within 0.2 s" in result.output


def test_it_is_light() -> None:
    """It runs every half a minute: nothing of the exporter itself is imported."""
    code = (
        "import sys, iometer_exporter.cli.healthcheck; "
        "print({'httpx', 'starlette', 'uvicorn', 'zeroconf', 'yaml', 'prometheus_client'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "set()\n"
