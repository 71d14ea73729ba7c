"""A connected socket for a subscription, from whichever address of its host takes one.

asyncio can try addresses side by side itself, but a cancel at the moment of success then loses the socket
(Python 3.11); one after the other, it waits minutes for an address that leads nowhere.
"""

import asyncio
import socket
from typing import Final

_NEXT_ADDRESS_SECONDS: Final = 2.0
"""After which the next address of a name is tried instead."""


async def dial(host: str, port: int) -> socket.socket:
    """A socket that is the caller's from here on; raises OSError if no address takes a connection.

    Whoever is cancelled here, at any moment, leaves no socket.
    """
    loop = asyncio.get_running_loop()
    left = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    errors: list[OSError] = []
    while left:
        family, kind, protocol, _, address = left.pop(0)
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            async with asyncio.timeout(_NEXT_ADDRESS_SECONDS if left else None):
                await loop.sock_connect(sock, address)
            return sock
        except OSError as error:
            sock.close()
            errors.append(error)
        except BaseException:
            sock.close()
            raise
    raise errors[0]
