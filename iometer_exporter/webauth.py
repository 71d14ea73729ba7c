"""Basic authentication against bcrypt hashes, without blocking the loop or telling by time who exists."""

import asyncio
import base64
import binascii
import hashlib
import secrets
from collections.abc import Mapping
from typing import Final

import bcrypt

_VERDICTS: Final = 100
"""How many verdicts are remembered."""

_BCRYPT_BYTES: Final = 72
"""What bcrypt looks at of a password; the library raises for more, Go cuts it off."""


class BasicAuth:
    """Judges the `Authorization` header of requests; one bcrypt at a time, in a thread."""

    def __init__(self, users: Mapping[str, str]) -> None:
        self._users = {name: hashed.encode() for name, hashed in users.items()}
        # As costly as the costliest hash of a user, and the hash of nothing anyone can send.
        cost = max((hashed.split("$")[2] for hashed in users.values()), default="10")
        self._nobody = f"$2b${cost}${'.' * 53}".encode()
        self._key = secrets.token_bytes(32)
        self._verdicts: dict[bytes, bool] = {}
        self._one_at_a_time = asyncio.Lock()

    async def allows(self, header: bytes | None) -> bool:
        """Whether the header names a user and holds the user's password."""
        credentials = _credentials(header)
        if credentials is None:
            return False
        user, password = credentials
        known = self._users.get(user.decode("utf-8", "surrogateescape"))
        hashed = known or self._nobody
        ticket = self._ticket(user, hashed, password)
        if ticket not in self._verdicts:
            async with self._one_at_a_time:
                # Another request may have asked the same while this one waited.
                if ticket not in self._verdicts:
                    matches = await asyncio.to_thread(bcrypt.checkpw, password[:_BCRYPT_BYTES], hashed)
                    self._remember(ticket, matches and known is not None)
        return self._verdicts[ticket]

    def _ticket(self, *parts: bytes) -> bytes:
        """What a verdict is remembered by; without the key of this process it tells no password."""
        digest = hashlib.blake2b(key=self._key, digest_size=32)
        for part in parts:
            digest.update(len(part).to_bytes(8, "big") + part)
        return digest.digest()

    def _remember(self, ticket: bytes, verdict: bool) -> None:
        if len(self._verdicts) >= _VERDICTS:
            # Refusals go first: whoever tries passwords must not push out those who have one.
            oldest = next(iter(self._verdicts))
            del self._verdicts[next((key for key, good in self._verdicts.items() if not good), oldest)]
        self._verdicts[ticket] = verdict


def _credentials(header: bytes | None) -> tuple[bytes, bytes] | None:
    scheme, _, encoded = (header or b"").partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded, validate=True).partition(b":")
    except binascii.Error:
        return None
    return (user, password) if colon else None
