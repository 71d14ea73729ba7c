"""`healthcheck`: whether the exporter of this host answers, for containers and supervisors."""

import http.client
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

import click

from iometer_exporter.cli.options import POSITIVE_DURATION, Parsed, option
from iometer_exporter.errors import ConfigError
from iometer_exporter.web.listen import DEFAULT_PORT


@dataclass(frozen=True, slots=True)
class _Place:
    """A URL in the parts that a request needs."""

    url: str
    secure: bool
    host: str
    port: int | None
    path: str


def _parse_url(text: str) -> _Place:
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
    return _Place(text, parts.scheme == "https", parts.hostname, port, path)


@click.command()
@option(
    "--url",
    "place",
    type=Parsed("URL", _parse_url),
    default=f"http://localhost:{DEFAULT_PORT}/-/healthy",
    show_default=True,
    help="What to ask.",
)
@option(
    "--timeout",
    type=POSITIVE_DURATION,
    default="3s",
    show_default=True,
    help="Longest time to wait for the answer.",
)
@option("--insecure", is_flag=True, help="With https, take any certificate, such as a self-signed one.")
def healthcheck(*, place: _Place, timeout: float, insecure: bool) -> None:
    """Ask the running exporter whether it is well."""
    try:
        status = _status(place, timeout, insecure=insecure)
    except ssl.SSLCertVerificationError as error:
        raise click.ClickException(
            f"the certificate of {place.url} is not trusted ({error.verify_message}): "
            "name it as it is issued, or use --insecure on this host"
        ) from error
    except TimeoutError as error:
        raise click.ClickException(f"no answer from {place.url} within {timeout:g} s") from error
    except (OSError, http.client.HTTPException) as error:
        what = getattr(error, "strerror", None) or str(error).strip() or "it speaks no HTTP"
        raise click.ClickException(f"no answer from {place.url}: {what}") from error
    if status == http.client.UNAUTHORIZED:
        raise click.ClickException(
            f"{place.url} asks for a password: start the exporter with --web.auth-exempt-health"
        )
    if status != http.client.OK:
        raise click.ClickException(f"{place.url} answers {status}")


def _status(place: _Place, timeout: float, *, insecure: bool) -> int:
    """The status code of the answer; raises OSError or HTTPException where there is none."""
    # Neither a proxy variable nor a redirect is followed: the process of this host itself is asked.
    connection: http.client.HTTPConnection
    if place.secure:
        context = ssl.create_default_context()
        if insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection(place.host, place.port, timeout=timeout, context=context)
    else:
        connection = http.client.HTTPConnection(place.host, place.port, timeout=timeout)
    try:
        connection.request("GET", place.path, headers={"User-Agent": "iometer-exporter healthcheck"})
        return connection.getresponse().status
    finally:
        connection.close()
