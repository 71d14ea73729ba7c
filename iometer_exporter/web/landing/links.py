"""Addresses that the page links to: the dashboards that people name, and the documentation."""

from functools import cache
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


@cache
def documentation_url() -> str:
    """Where the package says that its documentation is (`project.urls`); empty if it does not."""
    # Imported here: the command line has no need of it.
    from importlib import metadata

    try:
        urls = metadata.metadata("iometer-exporter").get_all("Project-URL") or []
    except metadata.PackageNotFoundError:
        return ""
    named = (url.partition(",") for url in urls)
    return next((url.strip() for name, _, url in named if name.strip().lower() == "documentation"), "")


def _is_plain(text: str) -> bool:
    return clean(text) == text and not any(character.isspace() or character in '<>"\\' for character in text)
