"""Addresses that people give for the page to link to."""

from urllib.parse import urlsplit

from iometer_exporter.errors import ConfigError
from iometer_exporter.text import clean


def parse_dashboard_url(text: str) -> str:
    """The address of dashboards as a browser can follow it; raises ConfigError for anything else.

    A path, such as `/grafana`, is one on the host that serves the page. Empty is none.
    """
    text = text.strip()
    if not text or (text.startswith("/") and not text.startswith("//") and _is_plain(text)):
        return text
    try:
        parts = urlsplit(text)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or not _is_plain(text):
        raise ConfigError(
            f"{text!r} is no address of a web page, write one such as https://grafana.example/dashboards"
        )
    if parts.password is not None:
        raise ConfigError("an address with a password would be shown to everybody who sees the page")
    return text


def _is_plain(text: str) -> bool:
    return clean(text) == text and not any(character.isspace() or character in '<>"\\' for character in text)
