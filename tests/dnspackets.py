"""DNS answers byte by byte, so that they can hold what no honest sender would write."""

import struct
from collections.abc import Sequence

TYPE = (b"_iometer", b"_tcp", b"local")

Labels = Sequence[bytes]


def _name(labels: Labels) -> bytes:
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def _record(labels: Labels, kind: int, ttl: int, data: bytes, *, flush: bool = True) -> bytes:
    return _name(labels) + struct.pack("!HHIH", kind, 0x8001 if flush else 1, ttl, len(data)) + data


def ptr(instance: bytes, ttl: int = 4500) -> bytes:
    """An instance of the service."""
    return _record(TYPE, 12, ttl, _name((instance, *TYPE)), flush=False)


def srv(instance: bytes, host: Labels, port: int, ttl: int = 120) -> bytes:
    """Host and port of an instance."""
    return _record((instance, *TYPE), 33, ttl, struct.pack("!HHH", 0, 0, port) + _name(host))


def txt(instance: bytes, ttl: int = 4500) -> bytes:
    """No properties of an instance."""
    return _record((instance, *TYPE), 16, ttl, b"\0")


def a(host: Labels, address: bytes, ttl: int = 120) -> bytes:
    """The address of a host, of 4 or 16 bytes."""
    return _record(host, 1 if len(address) == 4 else 28, ttl, address, flush=False)


def packet(*records: bytes) -> bytes:
    """An answer with the records."""
    return struct.pack("!HHHHHH", 0, 0x8400, 0, len(records), 0, 0) + b"".join(records)


def bridge(
    instance: bytes, address: bytes, port: int = 80, host: bytes | None = None, ttl: int = 4500
) -> tuple[bytes, ...]:
    """The records of a bridge; zeroconf ignores a packet that is the same as one a moment before."""
    name = (instance.lower() if host is None else host, b"local")
    return ptr(instance, ttl), srv(instance, name, port), txt(instance), a(name, address)


def goodbye(instance: bytes, more: int = 0) -> bytes:
    """The record of an instance that leaves, with another by which the packet differs from that before."""
    return ptr(instance, ttl=0) + _record((b"x",), 16, more, b"\0")
