"""Configuration files as a start would take them: what it would refuse, and what it would warn of."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from iometer_exporter.config.file import Config, is_web_configuration, read_config
from iometer_exporter.config.section import Problems, load_file
from iometer_exporter.errors import ConfigError

if TYPE_CHECKING:
    from iometer_exporter.config.provider import ProviderConfig

NOTHING_TO_SERVE = (
    "nothing to serve: no bridge is configured and discovery is off, start the exporter with "
    "--bridge ADDRESS or --discovery"
)


@dataclass(frozen=True, slots=True)
class Checked:
    """A good file: what it says in a few words, and a sentence for each thing that will not be as meant."""

    summary: str
    warnings: tuple[str, ...]


def check_file(path: Path, environ: Mapping[str, str] = os.environ) -> Checked:
    """Read a configuration or a web configuration, and the files that it names.

    Raises ConfigError with file and key for each thing that a start would refuse.
    """
    if load_file(path, is_web_configuration):
        return _check_web_config(path)
    config = check_config(path, environ)
    discovery = "on" if config.discovery.enabled else "off"
    provider = _provider(config.provider, environ) if config.provider else ""
    bridges = "1 bridge" if len(config.bridges) == 1 else f"{len(config.bridges)} bridges"
    return Checked(
        f"{bridges} configured, discovery {discovery}{provider}",
        tuple(_warnings(config)),
    )


def check_config(path: Path, environ: Mapping[str, str] = os.environ) -> Config:
    """The configuration, after a look at the credentials that it names; raises ConfigError for all faults."""

    def parse(text: str) -> Config:
        problems = Problems()
        config = read_config(text, problems)
        if config.provider is not None:
            # Imported here: few have a provider, and the start-up is that of all.
            from iometer_exporter.config.provider import check_extra
            from iometer_exporter.provider.api import credentials

            with problems.noted():
                check_extra()
            with problems.noted():
                credentials.load(config.provider, environ)
        problems.check()
        return config

    return load_file(path, parse)


def is_empty(config: Config) -> bool:
    """Whether there is nothing to read, and nothing that could be found."""
    return not config.bridges and not config.discovery.enabled and config.provider is None


def _check_web_config(path: Path) -> Checked:
    # Imported here, as whoever has no such file does without.
    from iometer_exporter.config.web_file import load_web_config
    from iometer_exporter.web.tls import build_context

    config = load_web_config(path)
    if config.tls is not None:
        tls = config.tls
        load_file(path, lambda _: build_context(tls))
    users = "1 user" if len(config.users) == 1 else f"{len(config.users)} users"
    return Checked(f"a web configuration, TLS {'on' if config.tls else 'off'}, {users}", config.ignored)


def _provider(provider: "ProviderConfig", environ: Mapping[str, str]) -> str:
    """Where the API is, and which shard this host has: the file is good for all pods, and it may be none."""
    # Imported here: few have a provider, and the start-up is that of all.
    from iometer_exporter.config.shard import AutoShard, own_shard, pod_name

    text, shard = f", provider API at {provider.url}", provider.shard
    if not isinstance(shard, AutoShard):
        return text
    name = pod_name(environ)
    try:
        number, count = own_shard(shard, environ)
    except ConfigError:
        return f"{text}, shard auto/{shard.count} (the name {name!r} is none of its pods)"
    return f"{text}, shard {number}/{count} by the name {name!r}"


def _warnings(config: Config) -> Iterator[str]:
    if is_empty(config):
        yield NOTHING_TO_SERVE
    if config.provider is not None:
        from iometer_exporter.config.provider import cleartext_warning

        if (warning := cleartext_warning(config.provider.url)) is not None:
            yield warning
    if config.state_file and (warning := _state_file_warning(Path(config.state_file))) is not None:
        yield f"state_file: {warning}"


def _state_file_warning(path: Path) -> str | None:
    """Why nothing could be kept at the path, as far as this user can tell."""
    folder = path.absolute().parent
    if not folder.is_dir():
        return f"there is no folder {folder}, nothing can be kept until there is"
    if path.exists() and not path.is_file():
        return f"{path} is not a regular file, nothing can be kept in it"
    if not os.access(folder, os.W_OK):
        return f"this user may not write into {folder}; the exporter must be allowed to"
    return None
