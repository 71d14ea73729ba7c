"""`healthcheck`: whether the exporter of this host answers, for containers and supervisors."""

import functools
import http.client
import ssl
from pathlib import Path
from typing import Final

import click

from iometer_exporter.cli.options import FILE, POSITIVE_DURATION, Parsed, listen_option, option
from iometer_exporter.cli.web_address import WebAddress, no_answer, parse_web_address
from iometer_exporter.web.listen import DEFAULT_PORT, ListenAddress, local_url

_option: Final = functools.partial(option, command="healthcheck")

_EXAMPLE: Final = f"http://localhost:{DEFAULT_PORT}/-/healthy"


def _parse_url(text: str) -> WebAddress:
    return parse_web_address(text, _EXAMPLE)


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
    url: WebAddress | None,
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
    except (OSError, http.client.HTTPException) as error:
        raise click.ClickException(f"no answer from {url.text}{no_answer(error, timeout)}") from error
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


def _status(url: WebAddress, timeout: float, *, insecure: bool) -> int:
    """The status code of the answer; raises OSError or HTTPException where there is none."""
    context = ssl.create_default_context() if url.secure else None
    if context is not None and insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    connection = url.connection(timeout, context)
    try:
        connection.request("GET", url.path, headers={"User-Agent": "iometer-exporter healthcheck"})
        return connection.getresponse().status
    finally:
        connection.close()
