"""The file of `--web.config.file`, exporter-toolkit's web configuration, as one frozen object.

What can be judged from the text alone is judged here; certificates are loaded by `webtls`.
No password hash, key or certificate stands in an error or in the repr of an object.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from iometer_exporter.config.section import (
    Problems,
    Section,
    as_boolean,
    as_text,
    kind,
    load_file,
    one_of,
)
from iometer_exporter.config.web_tls import TlsConfig, parse_tls
from iometer_exporter.config.yaml_text import parse_yaml
from iometer_exporter.errors import ConfigError

HEADERS: Final[Mapping[str, tuple[str, ...]]] = {
    "Content-Security-Policy": (),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-Content-Type-Options": ("nosniff",),
    "X-XSS-Protection": (),
    "Strict-Transport-Security": (),
}

_BCRYPT: Final = re.compile(
    r"\$2[abxy]\$(?:0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}", re.ASCII
)
_SECONDS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_INTERVAL: Final = re.compile(r"(?:\d+(?:\.\d*)?(?:[nuµm]s|[smh]))+", re.ASCII)
_INTERVAL_PART: Final = re.compile(r"(\d+(?:\.\d*)?)([nuµm]s|[smh])", re.ASCII)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """One request every `interval` seconds, and up to `burst` at once."""

    interval: float
    burst: int


@dataclass(frozen=True, slots=True)
class WebConfig:
    """The whole file; `ignored` has a sentence for each key that is accepted and has no effect as written."""

    tls: TlsConfig | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    rate_limit: RateLimit | None = None
    ignored: tuple[str, ...] = ()
    path: Path | None = None


def load_web_config(path: Path) -> WebConfig:
    """The web configuration in the file; raises ConfigError with file and key for what is wrong."""
    config = load_file(path, lambda content: parse_web_config(content, path.parent))
    return replace(config, path=path)


def parse_web_config(content: str, directory: Path) -> WebConfig:
    """The web configuration in a YAML text whose relative paths start at the directory.

    Raises ConfigError with the path of the key for each thing that is wrong.
    """
    problems = Problems()
    section = Section(_parse_yaml(content), "", problems, secret=True)
    tls, ignored = parse_tls(section.child("tls_server_config"), directory)
    http = section.child("http_server_config")
    if http.take("http2", as_boolean, False):
        ignored.append("http_server_config.http2: this server speaks HTTP/1.1 only")
    headers = _headers(http.child("headers"))
    http.done()
    no_users: Mapping[str, str] = {}
    users = section.take("basic_auth_users", _users, no_users)
    rate_limit = _rate_limit(section.child("rate_limit"))
    section.done()
    problems.check()
    return WebConfig(tls=tls, headers=headers, users=users, rate_limit=rate_limit, ignored=tuple(ignored))


def _parse_yaml(content: str) -> object:
    try:
        return parse_yaml(content)
    except ConfigError as error:
        # A password that begins with ! or * is a tag or an alias to YAML, which its error would quote;
        # the error of the parser itself quotes the whole line.
        raise ConfigError(
            re.sub(r"(tag|alias|anchor|with base \d+:|float:) '.*'", r"\1", str(error))
        ) from None


def _headers(section: Section) -> Mapping[str, str]:
    headers = {name: section.take(name, _header(allowed), "") for name, allowed in HEADERS.items()}
    section.done()
    return {name: value for name, value in headers.items() if value}


def _header(allowed: Iterable[str]) -> Callable[[object], str]:
    def convert(value: object) -> str:
        # `X-XSS-Protection: 0` is a number to YAML.
        content = str(value) if type(value) is int else as_text(value)
        if allowed and content:
            return one_of(*allowed)(content)
        if not (content.isascii() and content.isprintable()):
            raise ConfigError(f"is {kind(content)}, expected printable ASCII characters on one line")
        return content

    return convert


def _users(value: object) -> Mapping[str, str]:
    if not isinstance(value, dict):
        raise ConfigError(f"is {kind(value, secret=True)}, expected user names and bcrypt hashes")
    for name, hashed in value.items():
        if not isinstance(name, str):
            raise ConfigError(f"{name}: is not a text, put the user name in quotes")
        if name.startswith("$2"):
            raise ConfigError("a hash stands where a user name is expected, write NAME: HASH")
        if not name or ":" in name:
            raise ConfigError(f"{name!r} is not a user name, it must not be empty or contain a colon")
        if not isinstance(hashed, str) or not _BCRYPT.fullmatch(hashed):
            raise ConfigError(f"{name}: is not a bcrypt hash, make one with iometer-exporter hash-password")
    return value


def _rate_limit(section: Section) -> RateLimit | None:
    interval = section.take("interval", _interval, 0.0)
    burst = section.take("burst", _burst, 0)
    section.done()
    if section.good and interval and not burst:
        section.problems.add(
            f"{section.at('burst')}: is 0, so that every request would be refused, write 1 or more"
        )
    return RateLimit(interval, burst) if interval else None


def _interval(value: object) -> float:
    if value == 0 and not isinstance(value, bool):
        return 0.0
    content = as_text(value).replace("μ", "µ")
    if content == "0":
        return 0.0
    if not _INTERVAL.fullmatch(content):
        raise ConfigError(f"{content!r} is not a duration, write a number and a unit such as 100ms, 1s or 1m")
    return sum(float(number) * _SECONDS[unit] for number, unit in _INTERVAL_PART.findall(content))


def _burst(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ConfigError(f"is {kind(value)}, expected a whole number from 0 on")
    return value
