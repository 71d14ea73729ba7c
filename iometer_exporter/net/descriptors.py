"""The number of files and sockets that this process may have open, and the part of it that is for clients."""

import sys
from typing import Final

if sys.platform != "win32":
    import resource

_ENOUGH_DESCRIPTORS: Final = 65536
"""As many as any fleet needs; systems allow a million, and some a billion."""

_DESCRIPTORS_PER_CLIENT: Final = 4
"""One descriptor in so many is for a client; bridges, name servers, the provider and files have the rest."""

_MOST_CLIENTS: Final = 2048
"""Connections of clients where there are descriptors enough: they take some 30 MB."""

_MOST_KEPT: Final = 4096
"""Two for each of the bridges that one process can read in time."""

_FEWEST_CLIENTS: Final = 8


def raise_limit() -> int:
    """The number of descriptors this process may have, after it has been raised as far as it may be.

    The usual limit of 1024 is that of programs that use `select`, which nothing here does.
    """
    if sys.platform == "win32":
        return _ENOUGH_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    infinity = resource.RLIM_INFINITY
    wanted = _ENOUGH_DESCRIPTORS if hard == infinity else min(hard, _ENOUGH_DESCRIPTORS)
    if soft != infinity and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):
            # A system with another limit above this one: what there is stays.
            return soft
        return wanted
    return _ENOUGH_DESCRIPTORS if soft == infinity else soft


def client_connections(descriptors: int) -> int:
    """The number of connections that clients may have when the process may have so many descriptors."""
    return max(_FEWEST_CLIENTS, min(_MOST_CLIENTS, descriptors // _DESCRIPTORS_PER_CLIENT))


def kept_connections() -> int:
    """The number of connections to bridges that may be kept for the next scrape, by the present limit."""
    if sys.platform == "win32":
        return _MOST_KEPT
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST_KEPT if soft == resource.RLIM_INFINITY else min(_MOST_KEPT, soft // 2)
