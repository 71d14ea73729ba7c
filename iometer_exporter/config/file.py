"""The configuration: one frozen object from defaults and a YAML file read strictly.

Unknown keys, wrong types and impossible values are one ConfigError that names the path of each key.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, get_args

from iometer_exporter.config.section import (
    Problems,
    Section,
    as_boolean,
    as_duration,
    as_list,
    as_number,
    as_text,
    as_texts,
    kind,
    load_file,
)
from iometer_exporter.config.values import parse_power
from iometer_exporter.errors import ConfigError
from iometer_exporter.meter.guard import Limits
from iometer_exporter.net.addresses import HTTP_PORT, Address, check_host, parse_address
from iometer_exporter.text import clean

if TYPE_CHECKING:
    from iometer_exporter.config.provider import ProviderConfig

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_PRIVATE_NETWORKS: Final[tuple[Network, ...]] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "127.0.0.0/8",
        "::1/128",
        "169.254.0.0/16",
        "fe80::/10",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "fc00::/7",
    )
)
"""Loopback, link-local and private ranges: where bridges are."""

LARGEST_DISCOVERY: Final = 1000
"""Bridges that mDNS may add at most: more announcements are not kept."""

Live = Literal["off", "auto", "on"]
"""Whether bridges are followed by their event streams; `auto` is for those that may have none."""

LIVE: Final[tuple[Live, ...]] = get_args(Live)

_STEPS: Final = (100, 250, 500, 1000, 2000, 3000, 5000, 10_000, 20_000)

_POWER_BUCKETS: Final = (*(-float(step) for step in reversed(_STEPS)), 0.0, *map(float, _STEPS))

_MOST_BUCKETS: Final = 60
"""Of a distribution: each is a series of each meter."""

_WEB_KEY: Final = re.compile(
    r"""^[{\s"']*(?:tls_server_config|http_server_config|basic_auth_users|rate_limit)["']?\s*:""",
    re.MULTILINE,
)
"""A key of a web configuration; this file has none of them."""

_LABEL_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


@dataclass(frozen=True, slots=True)
class BridgeConfig:
    """A bridge named in the configuration; `labels` go to service discovery only.

    `live` is None for a bridge that is followed as all are.
    """

    address: Address
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    live: Live | None = None


@dataclass(frozen=True, slots=True)
class DiscoveryConfig:
    """How bridges are looked for by mDNS; no interfaces means all, `forget_after` is in seconds.

    At most `limit` discovered bridges are read; those that are configured are not counted. `live` is None
    where they are followed as all are.
    """

    enabled: bool = True
    interfaces: tuple[str, ...] = ()
    forget_after: float = 86400.0
    limit: int = 250
    live: Live | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that can be set in the file; times are in seconds, `max_power` in watts."""

    timeout: float = 10.0
    stale_after: float = 1200.0
    max_power: float = 100_000.0
    reset_after: float = 600.0
    discovery: DiscoveryConfig = DiscoveryConfig()
    bridges: tuple[BridgeConfig, ...] = ()
    probe_allow: tuple[Network, ...] = _PRIVATE_NETWORKS
    """Where `/probe` may ask for bridges that are neither configured nor discovered."""
    provider: "ProviderConfig | None" = None
    state_file: str | None = None
    """Where what guards know is kept across restarts; empty for nowhere, None for the default."""
    live: Live = "off"
    power_buckets: tuple[float, ...] = _POWER_BUCKETS
    """Upper bounds in watts for the distribution of power over events."""

    @property
    def limits(self) -> Limits:
        """What guards may believe."""
        return Limits(self.max_power, self.reset_after)


def parse_state_file(text: str) -> str:
    """The path of a state file, empty for `off`; raises ConfigError for what no file can be named."""
    if not text or clean(text) != text:
        raise ConfigError(f"{text!r} is not a path: write one such as /var/lib/iometer-exporter/state.json")
    return "" if text == "off" else text


def parse_bridge(text: str) -> BridgeConfig:
    """The bridge written as `HOST[:PORT]` or `NAME=HOST[:PORT]`; raises ConfigError for anything else."""
    name, equals, address = text.rpartition("=")
    if equals and not name:
        raise ConfigError(f"{text!r} has no name before the '=', write NAME=HOST[:PORT] or HOST[:PORT]")
    if "," in text:
        raise ConfigError(
            f"{text!r} looks like several bridges, write one; a name with a comma is for the key name of the "
            "configuration file"
        )
    if "=" in name:
        raise ConfigError(
            f"{text!r} has more than one '=', write NAME=HOST[:PORT]; a name with '=' is for the "
            "configuration file"
        )
    try:
        return BridgeConfig(parse_address(address), _printable(name or address))
    except ConfigError as error:
        if (meant := _with_equals(text)) is not None:
            raise ConfigError(f"{error}; did you mean {meant}?") from error
        raise


def _with_equals(text: str) -> str | None:
    """`house:192.168.1.50` with `=` for the colon, if that is a bridge."""
    name, colon, address = text.partition(":")
    if not colon or "=" in text or address.startswith(":"):
        return None
    try:
        parse_address(address)
        check_host(name)
    except ConfigError:
        return None
    return f"{name}={address}"


def parse_bridges(text: str) -> tuple[BridgeConfig, ...]:
    """The bridges in a text, each as `parse_bridge` takes it, separated by commas or spaces.

    Raises ConfigError for what is no bridge, and where a space could as well be part of a name.
    """
    bridges: list[BridgeConfig] = []
    for part in text.strip(", \t\r\n").split(","):
        words = part.split()
        for before, after in pairwise(words):
            # What does not look like an address may be the first word of a name.
            if "=" in after and not {"=", ".", ":"} & set(before):
                raise ConfigError(
                    f"{before!r} before {after!r} is a bridge or part of a name: write NAME=HOST[:PORT] for "
                    "each bridge; a name with a space is for the configuration file"
                )
        bridges += map(parse_bridge, words)
    return tuple(bridges) or (parse_bridge(text),)


def check_names(bridges: Iterable[BridgeConfig]) -> None:
    """Raise ConfigError if two bridges have one name or one address."""
    names: set[str] = set()
    addresses: set[Address] = set()
    for bridge in bridges:
        if bridge.name in names:
            raise ConfigError(f"two bridges are named {bridge.name!r}, give each a name of its own")
        if bridge.address in addresses:
            raise ConfigError(f"two bridges have the address {bridge.address}, remove one")
        names.add(bridge.name)
        addresses.add(bridge.address)


def load_config(path: Path) -> Config:
    """The configuration in the YAML file; raises ConfigError with file and key for what is wrong."""
    return load_file(path, parse_config)


def parse_config(text: str) -> Config:
    """The configuration in a YAML text; an empty text gives the defaults.

    Raises ConfigError with the path of the key for each thing that is wrong.
    """
    problems = Problems()
    config = read_config(text, problems)
    problems.check()
    return config


def read_config(text: str, problems: Problems) -> Config:
    """The configuration as far as the text is right; what is wrong is noted with the path of the key.

    Raises ConfigError for what is no configuration at all.
    """
    if is_web_configuration(text):
        # Before it is read: what is wrong with it could be a password.
        raise ConfigError("is a web configuration, give it as --web.config.file")
    section = Section(_parse_yaml(text), "", problems)
    defaults = Config()
    config = Config(
        timeout=section.take("timeout", _positive_duration, defaults.timeout),
        stale_after=section.take("stale_after", as_duration, defaults.stale_after),
        max_power=section.take("max_power", _power, defaults.max_power),
        reset_after=section.take("reset_after", as_duration, defaults.reset_after),
        discovery=_discovery(section.child("discovery", short=_switch)),
        bridges=_bridges(section),
        probe_allow=_probe_allow(section.child("probe")),
        provider=_provider(section),
        state_file=section.take("state_file", _state_file, defaults.state_file),
        live=section.take("live", _live, defaults.live),
        power_buckets=section.take("power_buckets", _power_buckets, defaults.power_buckets),
    )
    section.done()
    try:
        check_names(config.bridges)
    except ConfigError as error:
        problems.add(*(f"bridges: {problem}" for problem in error.problems))
    return config


def is_web_configuration(text: str) -> bool:
    """Whether the text is that of a file for `--web.config.file`."""
    return _WEB_KEY.search(text) is not None


def _switch(value: object) -> object:
    """`discovery: off` written out."""
    return {"enabled": value} if isinstance(value, bool) else value


def _discovery(section: Section) -> DiscoveryConfig:
    defaults = DiscoveryConfig()
    discovery = DiscoveryConfig(
        enabled=section.take("enabled", as_boolean, defaults.enabled),
        interfaces=section.take("interfaces", as_texts, defaults.interfaces),
        forget_after=section.take("forget_after", as_duration, defaults.forget_after),
        limit=section.take("limit", as_number(1, LARGEST_DISCOVERY), defaults.limit),
        live=section.take("live", _live, defaults.live),
    )
    section.done()
    return discovery


def _probe_allow(section: Section) -> tuple[Network, ...]:
    networks = section.take("allow", _networks, Config().probe_allow)
    section.done()
    return networks


def _networks(value: object) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(text) for text in as_texts(value))
    except ValueError as error:
        raise ConfigError(f"{error}, write a network such as 192.168.0.0/16 or fd00::/8") from error


def _provider(section: Section) -> "ProviderConfig | None":
    # An empty mapping asks for the defaults, with the credentials of the environment.
    given = section.take("provider", lambda _: True, False)
    if not given:
        return None
    # Imported here: few have a provider, and the start-up is that of all.
    from iometer_exporter.config.provider import provider_config

    child = section.child("provider")
    provider = provider_config(child)
    return provider if child.good else None


def _state_file(value: object) -> str:
    # In YAML, off is false.
    return "" if value is False else parse_state_file(as_text(value))


def _live(value: object) -> Live:
    # In YAML, off is false and on is true.
    word = {False: "off", True: "on"}[value] if isinstance(value, bool) else value
    for live in LIVE:
        if word == live:
            return live
    raise ConfigError(f"is {kind(value)}, expected one of {', '.join(LIVE)}")


def _power_buckets(value: object) -> tuple[float, ...]:
    bounds = tuple(map(_signed_power, as_list(value)))
    if not bounds or len(bounds) > _MOST_BUCKETS:
        raise ConfigError(f"has {len(bounds)} bounds, expected 1 to {_MOST_BUCKETS}")
    for before, after in pairwise(bounds):
        if after <= before:
            raise ConfigError(f"{after:g} W follows {before:g} W, write the bounds in ascending order")
    return bounds


def _bridges(section: Section) -> tuple[BridgeConfig, ...]:
    found = (_bridge(item, path, section.problems) for path, item in section.items("bridges"))
    return tuple(bridge for bridge in found if bridge is not None)


def _bridge(item: object, path: str, problems: Problems) -> BridgeConfig | None:
    """The bridge of a mapping, or of a text as `--bridge` takes it; None for one that is wrong."""
    if isinstance(item, str):
        try:
            return parse_bridge(item)
        except ConfigError as error:
            problems.add(*(f"{path}: {problem}" for problem in error.problems))
            return None
    section = Section(item, path, problems)
    host = section.take("host", _host, "")
    port = section.take("port", as_number(1, 65535), HTTP_PORT)
    name = section.take("name", _name, "")
    no_labels: Mapping[str, str] = {}
    labels = section.take("labels", _labels, no_labels)
    live = section.take("live", _live, None)
    section.done()
    if section.good and not host:
        # Where a key is unknown, it may well be this one.
        problems.add(f"{path}: has no host, add one such as host: 192.168.1.50")
    if not host:
        return None
    address = Address(host, port)
    return BridgeConfig(address=address, name=name or str(address), labels=labels, live=live)


def _parse_yaml(text: str) -> object:
    # Imported here: most users have no file, and the start-up is theirs.
    from iometer_exporter.config.yaml_text import parse_yaml

    return parse_yaml(text)


def _name(value: object) -> str:
    if not as_text(value):
        raise ConfigError("is empty, write a name or leave the key out")
    return _printable(as_text(value))


def _printable(text: str) -> str:
    """The text, which becomes a label; raises ConfigError for one that no page could show."""
    if clean(text) != text:
        raise ConfigError(f"{text!r} has characters that cannot be shown, leave them out")
    return text


def _positive_duration(value: object) -> float:
    seconds = as_duration(value)
    if not seconds:
        raise ConfigError("is 0, expected a duration above it such as 10s")
    return seconds


def _power(value: object) -> float:
    return parse_power(str(value) if isinstance(value, int | float) else as_text(value))


def _signed_power(value: object) -> float:
    """Watts of a power, which may be negative; a number without a unit is in watts."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not isfinite(value):
            raise ConfigError(f"is {kind(value)}, expected a power such as -5kW")
        return float(value)
    text = as_text(value)
    return -parse_power(text[1:]) if text.startswith("-") else parse_power(text)


def _host(value: object) -> str:
    check_host(as_text(value))
    return as_text(value)


def _labels(value: object) -> Mapping[str, str]:
    if not isinstance(value, dict):
        raise ConfigError(f"is {kind(value)}, expected keys and values")
    for name, text in value.items():
        if not _LABEL_NAME.fullmatch(as_text(name)):
            raise ConfigError(f"{name!r} is not a label name, use letters, digits and underscores")
        if not isinstance(text, str):
            raise ConfigError(f"{name}: is {kind(text)}, expected a text (put it in quotes)")
        _printable(text)
    return value
