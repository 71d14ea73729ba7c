"""Meters that bridges serve already, as a file or the page of an exporter names them."""

import http.client
import io
import re
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from iometer_exporter import __version__
from iometer_exporter.cli.web_address import WebAddress, no_answer, parse_web_address
from iometer_exporter.config.section import load_file
from iometer_exporter.errors import ConfigError, IOmeterError
from iometer_exporter.text import FirstFew, clean
from iometer_exporter.web.listen import DEFAULT_PORT

_EXAMPLE: Final = f"http://localhost:{DEFAULT_PORT}/metrics"

_LONGEST_LINE: Final = 1 << 16
"""Bytes of a line of the page; no family has one that is near it."""

_OF_A_BRIDGE: Final = re.compile(r'[{,]bridge="')
_LABEL: Final = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"', re.ASCII)
_ESCAPED: Final = re.compile(r"\\(.)")


def parse_source(text: str) -> Path | WebAddress:
    """The file or the page that the option names; raises ConfigError for a URL that cannot be asked."""
    if re.match(r"https?:", text, re.IGNORECASE):
        return parse_web_address(text, _EXAMPLE)
    return Path(text)


def served_meters(source: Path | WebAddress, timeout: float) -> frozenset[str]:
    """The numbers that the source names, at least one; a page has so many seconds to go on.

    Raises ConfigError for what is wrong with a file, IOmeterError for what is wrong with a page.
    """
    if isinstance(source, Path):
        return load_file(source, _numbers_of_list)
    try:
        return _numbers_of_page(_lines(source, timeout), source.text)
    except ssl.SSLCertVerificationError as error:
        raise IOmeterError(
            f"the certificate of {source.text} is not trusted ({error.verify_message}): name an authority of "
            "your own in SSL_CERT_FILE"
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise IOmeterError(f"no answer from {source.text}{no_answer(error, timeout)}") from error


def _numbers_of_list(text: str) -> frozenset[str]:
    """The numbers, one a line; raises ConfigError where a line has none or there are no lines."""
    numbers = set()
    for count, line in enumerate(text.splitlines(), 1):
        number = line.partition("#")[0].strip()
        if len(number.split()) > 1 or clean(number) != number:
            raise ConfigError(
                f"line {count}: {number!r} is not the number of one meter, write it as the label meter has "
                "it, such as 1ISK0050439202"
            )
        if number:
            numbers.add(number)
    if not numbers:
        raise ConfigError("has no number of a meter, write one on each line")
    return frozenset(numbers)


def _lines(address: WebAddress, timeout: float) -> Iterator[str]:
    """The lines of the page, read one after the other: that of a fleet may be large."""
    # Imported here: the certificates are those that the provider API is believed with.
    from iometer_exporter.provider.api.tls import tls_context

    connection = address.connection(timeout, tls_context() if address.secure else None)
    try:
        headers = {"Accept": "text/plain; version=0.0.4", "User-Agent": f"iometer-exporter/{__version__}"}
        connection.request("GET", address.path, headers=headers)
        response = connection.getresponse()
        if response.status != http.client.OK:
            raise IOmeterError(_bad_status(address.text, response.status))
        body = io.BufferedReader(response, _LONGEST_LINE)
        while line := body.readline(_LONGEST_LINE):
            if not line.endswith(b"\n") and len(line) == _LONGEST_LINE:
                raise IOmeterError(_no_page(address.text))
            yield line.decode(errors="replace")
    finally:
        connection.close()


def _numbers_of_page(lines: Iterator[str], url: str) -> frozenset[str]:
    """The meters of bridges, with a warning for a bridge that shows none.

    Raises IOmeterError for what is no page of an exporter, and where nobody shows one.
    """
    # Imported here: it is needed for no other command.
    from iometer_exporter.metrics.families import BUILD_INFO, UP

    is_exporter = False
    bridges: set[str] = set()
    meters: dict[str, str] = {}
    """The bridge by the number of its meter."""
    for line in lines:
        is_exporter = is_exporter or line.startswith(f"{BUILD_INFO.name}{{")
        if line[0] == "#" or not _OF_A_BRIDGE.search(line):
            continue
        labels = {name: _ESCAPED.sub(_unescaped, text) for name, text in _LABEL.findall(line)}
        bridge, number = labels.get("bridge"), labels.get("meter")
        if bridge is None:
            # It stands in a value.
            continue
        if line.startswith(f"{UP.name}{{"):
            bridges.add(bridge)
        if number:
            meters[number] = bridge
    if not is_exporter:
        raise IOmeterError(_no_page(url))
    silent = FirstFew()
    silent.add(*(clean(bridge) for bridge in sorted(bridges - set(meters.values()))))
    if silent.count:
        click.echo(f"Warning: {url} shows no meter of {silent}, whose readings are not left out", err=True)
    if not meters:
        raise IOmeterError(f"{url} shows no bridge with a meter: there is nothing to leave out")
    return frozenset(meters)


def _unescaped(match: re.Match[str]) -> str:
    return "\n" if match[1] == "n" else match[1]


def _bad_status(url: str, status: int) -> str:
    if status == http.client.UNAUTHORIZED:
        return f"{url} asks for a password: write the numbers of its meters into a file instead"
    return f"{url} answers {status}, write the address of an exporter's page such as {_EXAMPLE}"


def _no_page(url: str) -> str:
    return f"{url} is no page of iometer-exporter, write its address with the path, such as {_EXAMPLE}"
