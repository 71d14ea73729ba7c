"""The section `provider` of the configuration: which cloud is read, and how."""

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final, Literal, get_args
from urllib.parse import urlsplit

from iometer_exporter.config.section import Section, as_duration, as_number, as_text, kind
from iometer_exporter.config.shard import AutoShard, parse_shard
from iometer_exporter.errors import ConfigError
from iometer_exporter.extras import advice_if_missing
from iometer_exporter.net.addresses import check_host

DEFAULT_URL: Final = "https://provider-api.prod.iometer.cloud/v1/query"

ReadingsMode = Literal["subscribe", "poll", "off"]

READINGS_MODES: tuple[ReadingsMode, ...] = get_args(ReadingsMode)

LARGEST_PAGE: Final = 1000
"""Installations of one call; more would be a long answer for server and event loop."""

_SHORTEST_INTERVAL: Final = 10.0
"""Seconds between two refreshes, so that a slip of the unit does not become a flood of requests."""


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """The provider API to read; `inventory_interval` is in seconds.

    `shard` (i, n) keeps the i-th of n parts of the installations, counted from 1; `own_shard` of
    `config.shard` says which one the name of a pod means.
    """

    url: str = DEFAULT_URL
    token_file: Path | None = None
    secret_file: Path | None = None
    inventory_interval: float = 300.0
    page_size: int = 100
    readings: ReadingsMode = "subscribe"
    shard: tuple[int, int] | AutoShard = (1, 1)


def provider_config(section: Section) -> ProviderConfig:
    """The section as an object; what is wrong is noted with the path of its key."""
    defaults = ProviderConfig()
    config = ProviderConfig(
        url=section.take("url", lambda value: parse_url(as_text(value)), defaults.url),
        token_file=section.take("token_file", _path, None),
        secret_file=section.take("secret_file", _path, None),
        inventory_interval=section.take("inventory_interval", _interval, defaults.inventory_interval),
        page_size=section.take("page_size", as_number(1, LARGEST_PAGE), defaults.page_size),
        readings=section.take("readings", _readings, defaults.readings),
        shard=section.take("shard", parse_shard, defaults.shard),
    )
    section.done()
    return config


def check_extra() -> None:
    """Raise ConfigError, which says what to install, where readings cannot be subscribed to."""
    if (missing := advice_if_missing("provider", "websockets")) is not None:
        raise ConfigError(f"provider: {missing}")


def parse_url(text: str) -> str:
    """The address of the API, if it is one of http or https with a host and no password in it.

    Raises ConfigError, which does not quote a password, for anything else.
    """
    advice = f"write one such as {DEFAULT_URL}"
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError(f"this is no URL, {advice}") from error
    if "@" in parts.netloc:
        raise ConfigError(
            "the URL has a user or password in it, put token and secret into files of their own"
        )
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigError(f"{text!r} is no URL of http or https, {advice}")
    if parts.fragment or not text.isascii() or any(character <= " " for character in text):
        raise ConfigError(f"{text!r} is no URL that can be asked, {advice}")
    check_host(host)
    return text


def cleartext_warning(url: str) -> str | None:
    """A warning if token and secret would travel unencrypted; None for https and loopback."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https" or host == "localhost" or host.endswith(".localhost"):
        return None
    try:
        if ip_address(host).is_loopback:
            return None
    except ValueError:
        # A name.
        pass
    return f"token and secret travel unencrypted to {host}: write https instead of http into provider.url"


def _path(value: object) -> Path:
    if not as_text(value):
        raise ConfigError("is empty, write the path of a file or leave the key out")
    return Path(as_text(value))


def _interval(value: object) -> float:
    seconds = as_duration(value)
    if seconds < _SHORTEST_INTERVAL:
        raise ConfigError(f"is {kind(value)}, expected a duration of {_SHORTEST_INTERVAL:g}s or more")
    return seconds


def _readings(value: object) -> ReadingsMode:
    # What YAML makes of a bare `off` is false.
    for mode in READINGS_MODES:
        if value == mode or (value is False and mode == "off"):
            return mode
    raise ConfigError(f"is {kind(value)}, expected one of {', '.join(READINGS_MODES)}")
