"""The configuration: one frozen object from defaults and a YAML file read strictly.

An unknown key, a wrong type or an impossible value is a ConfigError that names the path of the key.
"""

import difflib
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from iometer_exporter.errors import ConfigError
from iometer_exporter.units import HTTP_PORT, Address, check_host, parse_address, parse_duration, parse_power

T = TypeVar("T")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LABEL_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


@dataclass(frozen=True, slots=True)
class BridgeConfig:
    """A bridge named in the configuration; `labels` go to service discovery only."""

    address: Address
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DiscoveryConfig:
    """How bridges are looked for by mDNS; no interfaces means all, `forget_after` is in seconds."""

    enabled: bool = True
    interfaces: tuple[str, ...] = ()
    forget_after: float = 86400.0


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that can be set in the file; times are in seconds, `max_power` in watts."""

    timeout: float = 10.0
    stale_after: float = 1200.0
    max_power: float = 100_000.0
    reset_after: float = 600.0
    discovery: DiscoveryConfig = DiscoveryConfig()
    bridges: tuple[BridgeConfig, ...] = ()


def parse_bridge(text: str) -> BridgeConfig:
    """The bridge written as `HOST[:PORT]` or `NAME=HOST[:PORT]`; raises ConfigError for anything else."""
    name, equals, address = text.rpartition("=")
    if equals and not name:
        raise ConfigError(f"{text!r} has no name before the '=', write NAME=HOST[:PORT] or HOST[:PORT]")
    return BridgeConfig(parse_address(address), name or address)


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
    try:
        return parse_config(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text") from error
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def parse_config(text: str) -> Config:
    """The configuration in a YAML text; an empty text gives the defaults.

    Raises ConfigError with the path of the key for what is wrong.
    """
    section = _Section.of(_parse_yaml(text), "")
    defaults = Config()
    config = Config(
        timeout=section.take("timeout", _positive_duration, defaults.timeout),
        stale_after=section.take("stale_after", _duration, defaults.stale_after),
        max_power=section.take("max_power", _power, defaults.max_power),
        reset_after=section.take("reset_after", _duration, defaults.reset_after),
        discovery=_discovery(section.child("discovery")),
        bridges=tuple(_bridge(child) for child in section.children("bridges")),
    )
    section.done()
    try:
        check_names(config.bridges)
    except ConfigError as error:
        raise ConfigError(f"bridges: {error}") from error
    return config


def _discovery(section: "_Section") -> DiscoveryConfig:
    defaults = DiscoveryConfig()
    discovery = DiscoveryConfig(
        enabled=section.take("enabled", _boolean, defaults.enabled),
        interfaces=section.take("interfaces", _texts, defaults.interfaces),
        forget_after=section.take("forget_after", _duration, defaults.forget_after),
    )
    section.done()
    return discovery


def _bridge(section: "_Section") -> BridgeConfig:
    host = section.take("host", _host, None)
    if host is None:
        raise ConfigError(f"{section.path}: has no host, add one such as host: 192.168.1.50")
    address = Address(host, section.take("port", _port, HTTP_PORT))
    bridge = BridgeConfig(
        address=address,
        name=section.take("name", _name, str(address)),
        labels=section.take("labels", _labels, {}),
    )
    section.done()
    return bridge


class _Section:
    """A mapping of the file; keys are taken one by one, and what is left at the end is unknown."""

    def __init__(self, values: dict[Any, Any], path: str) -> None:
        self.path = path
        self._values = values
        self._known: list[str] = []

    @classmethod
    def of(cls, value: object, path: str) -> "_Section":
        if value is None:
            value = {}
        if not isinstance(value, dict):
            where = f"{path}: is" if path else "the file holds"
            raise ConfigError(f"{where} {_kind(value)}, expected keys and values")
        return cls(value, path)

    def take(self, key: str, convert: Callable[[Any], T], default: T) -> T:
        self._known.append(key)
        value = self._values.get(key)
        if value is None:
            return default
        try:
            return convert(value)
        except ConfigError as error:
            raise ConfigError(f"{self._at(key)}: {error}") from error

    def child(self, key: str) -> "_Section":
        self._known.append(key)
        return _Section.of(self._values.get(key), self._at(key))

    def children(self, key: str) -> list["_Section"]:
        self._known.append(key)
        items = self._values.get(key)
        if items is None:
            return []
        if not isinstance(items, list):
            raise ConfigError(f"{self._at(key)}: is {_kind(items)}, expected a list")
        return [_Section.of(item, f"{self._at(key)}[{index}]") for index, item in enumerate(items)]

    def done(self) -> None:
        for key in self._values:
            if key not in self._known:
                nearest = difflib.get_close_matches(str(key), self._known, n=1, cutoff=0.0)
                raise ConfigError(f"{self._at(key)}: unknown key, did you mean {nearest[0]!r}?")

    def _at(self, key: object) -> str:
        return f"{self.path}.{key}" if self.path else str(key)


def _parse_yaml(text: str) -> object:
    # Imported here: most users have no file, and the start-up is theirs.
    from iometer_exporter.yamlfile import parse_yaml

    return parse_yaml(text)


def _kind(value: object) -> str:
    """What a YAML value is, in words for an error message."""
    if isinstance(value, str):
        return f"the text {value!r}"
    if isinstance(value, bool | int | float):
        return f"the value {str(value).lower()}"
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    return f"a {type(value).__name__}"


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"is {_kind(value)}, expected a text (put it in quotes)")
    return value


def _name(value: object) -> str:
    if not _text(value):
        raise ConfigError("is empty, write a name or leave the key out")
    return _text(value)


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"is {_kind(value)}, expected true or false")
    return value


def _duration(value: object) -> float:
    # A bare 0 needs no unit; any other number would leave open which one is meant.
    return parse_duration(str(value) if isinstance(value, int | float) else _text(value))


def _positive_duration(value: object) -> float:
    seconds = _duration(value)
    if not seconds:
        raise ConfigError("is 0, expected a duration above it such as 10s")
    return seconds


def _power(value: object) -> float:
    return parse_power(str(value) if isinstance(value, int | float) else _text(value))


def _host(value: object) -> str:
    check_host(_text(value))
    return _text(value)


def _port(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 65535:
        raise ConfigError(f"is {_kind(value)}, expected a number from 1 to 65535")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ConfigError(f"is {_kind(value)}, expected a list")
    return tuple(_text(item) for item in value)


def _labels(value: object) -> Mapping[str, str]:
    if not isinstance(value, dict):
        raise ConfigError(f"is {_kind(value)}, expected keys and values")
    for name, text in value.items():
        if not _LABEL_NAME.fullmatch(_text(name)):
            raise ConfigError(f"{name!r} is no label name, use letters, digits and underscores")
        if not isinstance(text, str):
            raise ConfigError(f"{name}: is {_kind(text)}, expected a text (put it in quotes)")
    return value
