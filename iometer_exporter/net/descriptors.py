"""How many files and sockets this process may have open, and which part of them is for clients."""

import sys
from typing import Final

if sys.platform != "win32":
    import resource

_ENOUGH: Final = 65536
"""As many as any fleet needs; systems allow a million, and some a billion."""

_SHARE: Final = 4
"""Clients get one descriptor in so many; the rest is for bridges, name servers, the provider and files."""

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
        return _ENOUGH
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    infinity = resource.RLIM_INFINITY
    wanted = _ENOUGH if hard == infinity else min(hard, _ENOUGH)
    if soft != infinity and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):
            # A system with another limit above this one: what there is stays.
            return soft
        return wanted
    return _ENOUGH if soft == infinity else soft


def client_connections(descriptors: int) -> int:
    """How many connections clients may have when the process may have so many descriptors."""
    return max(_FEWEST_CLIENTS, min(_MOST_CLIENTS, descriptors // _SHARE))


def kept_connections() -> int:
    """How many connections to bridges may be kept for the next scrape, by the limit as it is now."""
    if sys.platform == "win32":
        return _MOST_KEPT
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST_KEPT if soft == resource.RLIM_INFINITY else min(_MOST_KEPT, soft // 2)
