"""Which part of the installations an exporter keeps: as the file says it, and as the name of its pod does."""

import os
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from iometer_exporter.config.section import as_text, kind
from iometer_exporter.errors import ConfigError

LARGEST_SHARDS: Final = 1024

POD_NAME_VARIABLE: Final = "IOMETER_EXPORTER_POD_NAME"
"""Where the host name is not the pod's, such as in the network of the node."""

_SHARD: Final = re.compile(r"(auto|[1-9][0-9]{0,3})/([1-9][0-9]{0,3})", re.ASCII)

_ORDINAL: Final = re.compile(r".+-(0|[1-9][0-9]{0,8})", re.ASCII)
"""What a StatefulSet appends to its own name: a number without zeros before it."""


@dataclass(frozen=True, slots=True)
class AutoShard:
    """One of `count` shards, which the name of the pod says."""

    count: int


def parse_shard(value: object) -> tuple[int, int] | AutoShard:
    """The number of the shard, from 1 on, and how many there are; raises ConfigError for what is neither."""
    match = _SHARD.fullmatch(as_text(value))
    count = int(match[2]) if match else 0
    if match and count <= LARGEST_SHARDS:
        if match[1] == "auto":
            return AutoShard(count)
        if int(match[1]) <= count:
            return int(match[1]), count
    raise ConfigError(
        f"is {kind(value)}, expected i/n such as 2/8, the part of this exporter and how many there are, "
        f"at most {LARGEST_SHARDS}; or auto/8, where the pods of a StatefulSet are numbered"
    )


def own_shard(
    shard: tuple[int, int] | AutoShard,
    environ: Mapping[str, str] = os.environ,
    host_name: Callable[[], str] = socket.gethostname,
) -> tuple[int, int]:
    """The shard of this process: its number, from 1 on, and how many there are.

    Raises ConfigError where the name of the pod should say it and does not.
    """
    if not isinstance(shard, AutoShard):
        return shard
    name = pod_name(environ, host_name)
    # A host may be called by its full name, of which the pod's is the first part.
    match = _ORDINAL.fullmatch(name.partition(".")[0])
    if not match:
        raise ConfigError(
            f"provider.shard: auto/{shard.count} needs the name of a pod that ends with its number, such as "
            f"iometer-exporter-3, and this one is {name!r}: set {POD_NAME_VARIABLE}, or write i/{shard.count}"
        )
    ordinal = int(match[1])
    if ordinal >= shard.count:
        raise ConfigError(
            f"provider.shard: auto/{shard.count} is for the pods 0 to {shard.count - 1}, and this one is "
            f"{name!r}: write as many shards as the StatefulSet has replicas"
        )
    return ordinal + 1, shard.count


def pod_name(
    environ: Mapping[str, str] = os.environ, host_name: Callable[[], str] = socket.gethostname
) -> str:
    """The name of the pod: what the variable says, else the host name, which is the same in a StatefulSet."""
    return environ.get(POD_NAME_VARIABLE) or host_name()
