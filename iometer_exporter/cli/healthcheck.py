"""`healthcheck`: whether the exporter of this host answers, for containers and supervisors."""

import functools
import http.client
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import click

from iometer_exporter.cli.options import FILE, POSITIVE_DURATION, Parsed, listen_option, option
from iometer_exporter.errors import ConfigError
from iometer_exporter.web.listen import DEFAULT_PORT, ListenAddress, local_url

_option: Final = functools.partial(option, command="healthcheck")


@dataclass(frozen=True, slots=True)
class _Url:
    """A URL in the parts that a request needs."""

    text: str
    secure: bool
    host: str
    port: int | None
    path: str


def _parse_url(text: str) -> _Url:
    advice = f"{text!r} is no URL to ask, write one such as http://localhost:{DEFAULT_PORT}/-/healthy"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ConfigError(advice) from error
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise ConfigError(advice)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not path.isascii() or any(character <= " " for character in path):
        raise ConfigError(advice)
    return _Url(text, parts.scheme == "https", parts.hostname, port, path)


@click.command()
@_option(
    "--url",
    type=Parsed("URL", _parse_url),
    default=None,
    help="What to ask.  [default: /-/healthy where the exporter listens]",
)
@_option(
    "--timeout",
    type=POSITIVE_DURATION,
    default="3s",
    show_default=True,
    help="Longest time to wait for the answer.",
)
@_option("--insecure", is_flag=True, help="With https, take any certificate, such as a self-signed one.")
@listen_option(f":{DEFAULT_PORT}", "Where the exporter listens; the first is asked.")
@option(
    "--web.config.file",
    "web_config_file",
    type=FILE,
    default=None,
    help="Web configuration of the exporter; https if it has TLS.",
)
def healthcheck(
    *,
    url: _Url | None,
    timeout: float,
    insecure: bool,
    listen_addresses: tuple[ListenAddress, ...],
    web_config_file: Path | None,
) -> None:
    """Ask the running exporter whether it is well.

    Without --url it is asked on this host, where the variables of `serve` say that it listens, and may have
    any certificate: it is issued for other names than this host's own.
    """
    if url is None:
        url = _parse_url(f"{local_url(listen_addresses[0], _scheme(web_config_file))}-/healthy")
        insecure = True
    try:
        status = _status(url, timeout, insecure=insecure)
    except ssl.SSLCertVerificationError as error:
        raise click.ClickException(
            f"the certificate of {url.text} is not trusted ({error.verify_message}): "
            "name it as it is issued, or use --insecure on this host"
        ) from error
    except TimeoutError as error:
        raise click.ClickException(f"no answer from {url.text} within {timeout:g} s") from error
    except (OSError, http.client.HTTPException) as error:
        what = getattr(error, "strerror", None) or str(error).strip() or "it speaks no HTTP"
        raise click.ClickException(f"no answer from {url.text}: {what}") from error
    if status == http.client.UNAUTHORIZED:
        raise click.ClickException(
            f"{url.text} asks for a password: start the exporter with --web.auth-exempt-health"
        )
    if status != http.client.OK:
        raise click.ClickException(f"{url.text} answers {status}")


def _scheme(web_config_file: Path | None) -> str:
    if web_config_file is None:
        return "http"
    # Imported here, with YAML: it runs every half a minute, mostly without such a file.
    from iometer_exporter.config.web_file import load_web_config

    return "https" if load_web_config(web_config_file).tls else "http"


def _status(url: _Url, timeout: float, *, insecure: bool) -> int:
    """The status code of the answer; raises OSError or HTTPException where there is none."""
    # Neither a proxy variable nor a redirect is followed: the process of this host itself is asked.
    connection: http.client.HTTPConnection
    if url.secure:
        context = ssl.create_default_context()
        if insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection(url.host, url.port, timeout=timeout, context=context)
    else:
        connection = http.client.HTTPConnection(url.host, url.port, timeout=timeout)
    try:
        connection.request("GET", url.path, headers={"User-Agent": "iometer-exporter healthcheck"})
        return connection.getresponse().status
    finally:
        connection.close()
