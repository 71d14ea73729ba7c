"""Web addresses that somebody has written on the command line, and the connection to one."""

import http.client
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from iometer_exporter.errors import ConfigError


@dataclass(frozen=True, slots=True)
class WebAddress:
    """A URL in the parts that a request needs."""

    text: str
    secure: bool
    host: str
    port: int | None
    path: str

    def __str__(self) -> str:
        return self.text

    def connection(self, timeout: float, context: ssl.SSLContext | None = None) -> http.client.HTTPConnection:
        """A connection, which opens with the first request; the context is for https, the time in seconds.

        Neither a proxy variable nor a redirect is followed: this address is asked, and no other.
        """
        if self.secure:
            return http.client.HTTPSConnection(self.host, self.port, timeout=timeout, context=context)
        return http.client.HTTPConnection(self.host, self.port, timeout=timeout)


def parse_web_address(text: str, example: str) -> WebAddress:
    """The parts of a URL of http or https without a password; raises ConfigError for anything else."""
    advice = f"{text!r} is no URL to ask, write one such as {example}"
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
    return WebAddress(text, parts.scheme == "https", parts.hostname, port, path)


def no_answer(error: OSError | http.client.HTTPException, timeout: float) -> str:
    """Why nobody answers, in words that follow the address."""
    if isinstance(error, TimeoutError):
        return f" within {timeout:g} s"
    return f": {getattr(error, 'strerror', None) or str(error).strip() or 'it speaks no HTTP'}"
