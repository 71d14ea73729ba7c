"""Basic authentication against bcrypt hashes, without blocking the loop or telling by time who exists."""

import asyncio
import base64
import binascii
import hashlib
import secrets
import sys
from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import bcrypt

from iometer_exporter.errors import ConfigError
from iometer_exporter.text import clean

_MAX_VERDICTS: Final = 100
"""Verdicts that are remembered."""

_BCRYPT_BYTES: Final = 72
"""Bytes of a password that bcrypt looks at; the library raises for more, Go cuts it off."""

_MAX_WAITING: Final = 64
"""Passwords that may wait to be checked; on a small board 64 take half a minute."""

_LONGEST_WAIT_SECONDS: Final = 10.0
"""Seconds that one of them waits at most: after that no scraper is interested any more."""

_COST: Final = 10
"""Of new hashes: a check takes some 50 ms on a PC, ten times that on a small board."""

T = TypeVar("T")


def user_line(user: str, password: str) -> str:
    """The line of `basic_auth_users` for a user, as YAML; raises ConfigError for what cannot be one."""
    import yaml

    if not user or ":" in user or clean(user) != user:
        raise ConfigError(f"{user!r} is not a user name, it must not be empty or contain a colon")
    secret = password.encode(errors="surrogateescape")
    if not secret:
        raise ConfigError("the password is empty, choose one")
    if len(secret) > _BCRYPT_BYTES:
        raise ConfigError(f"the password is longer than the {_BCRYPT_BYTES} bytes that bcrypt looks at")
    hashed = bcrypt.hashpw(secret, bcrypt.gensalt(_COST)).decode("ascii")
    return yaml.safe_dump({user: hashed}, allow_unicode=True, width=sys.maxsize).strip()


class FairQueue(Generic[T]):
    """Up to `limit` items that wait, each for a group: groups take turns, and in a group the newest is first.

    So a group with many items delays no other. In a group, somebody who asks once comes before what has
    piled up, most of which nobody waits for any more by the time it would have its turn.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._groups: dict[str, deque[T]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._groups.values()))

    def push(self, group: str, item: T) -> T | None:
        """Add an item; returns the one that is dropped for it, the oldest of the largest group."""
        self._groups.setdefault(group, deque()).append(item)
        if len(self) <= self._limit:
            return None
        largest = max(self._groups, key=lambda name: len(self._groups[name]))
        dropped = self._groups[largest].popleft()
        self._tidy(largest)
        return dropped

    def pop(self) -> T:
        """Take out the item whose turn it is; raises StopIteration if there is none."""
        group = next(iter(self._groups))
        # Back to the end of the line.
        waiting = self._groups[group] = self._groups.pop(group)
        item = waiting.pop()
        self._tidy(group)
        return item

    def remove(self, group: str, item: T) -> None:
        """Take out an item, if it is still there."""
        if item in self._groups.get(group, ()):
            self._groups[group].remove(item)
            self._tidy(group)

    def _tidy(self, group: str) -> None:
        if not self._groups[group]:
            del self._groups[group]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Check:
    """A password that waits to be checked."""

    ticket: bytes
    password: bytes
    hashed: bytes
    known: bool
    verdict: asyncio.Future[bool | None]
    """None once it is given up, because too many wait."""


class BasicAuth:
    """Judges the `Authorization` header of requests; one bcrypt at a time, in a thread of its own."""

    def __init__(self, users: Mapping[str, str]) -> None:
        self._users = {name: hashed.encode() for name, hashed in users.items()}
        # As costly as the costliest hash of a user, and the hash of nothing anyone can send.
        cost = max((hashed.split("$")[2] for hashed in users.values()), default="10")
        self._nobody = f"$2b${cost}${'.' * 53}".encode()
        self._key = secrets.token_bytes(32)
        self._verdicts: dict[bytes, bool] = {}
        self._queue: FairQueue[_Check] = FairQueue(_MAX_WAITING)
        # Its own: the threads that all share can be busy for long, with names that do not resolve.
        self._thread = ThreadPoolExecutor(1, "bcrypt")
        self._checking: asyncio.Task[None] | None = None

    def remembered(self, header: bytes | None) -> bool | None:
        """Whether the header names a user and holds the user's password; None if it must be checked first."""
        asked = self._ask(header)
        return self._verdicts.get(asked[0]) if asked else False

    async def allows(self, header: bytes | None, group: str = "") -> bool | None:
        """Whether the header names a user and holds the user's password; None when too many wait to be told.

        The group is whom the request counts for, see `FairQueue`. Whoever loses interest cancels, and the
        password is not checked.
        """
        asked = self._ask(header)
        if asked is None:
            return False
        ticket, password, hashed, known = asked
        if ticket in self._verdicts:
            return self._verdicts[ticket]
        verdict: asyncio.Future[bool | None] = asyncio.get_running_loop().create_future()
        check = _Check(ticket, password, hashed, known, verdict)
        dropped = self._queue.push(group, check)
        if dropped is not None and not dropped.verdict.done():
            dropped.verdict.set_result(None)
        if self._checking is None or self._checking.done():
            self._checking = asyncio.create_task(self._work())
        try:
            async with asyncio.timeout(_LONGEST_WAIT_SECONDS):
                return await verdict
        except TimeoutError:
            return None
        finally:
            self._queue.remove(group, check)

    async def _work(self) -> None:
        """Check what waits, until nothing does."""
        loop = asyncio.get_running_loop()
        while len(self._queue):
            check = self._queue.pop()
            # Another request may have asked the same while this one waited.
            verdict = self._verdicts.get(check.ticket)
            if verdict is None:
                password = check.password[:_BCRYPT_BYTES]
                try:
                    matches = await loop.run_in_executor(self._thread, bcrypt.checkpw, password, check.hashed)
                except Exception as error:
                    # Theirs alone: the others wait for their own.
                    if not check.verdict.done():
                        check.verdict.set_exception(error)
                    continue
                verdict = matches and check.known
                self._remember(check.ticket, verdict)
            if not check.verdict.done():
                check.verdict.set_result(verdict)

    def _ask(self, header: bytes | None) -> tuple[bytes, bytes, bytes, bool] | None:
        """Ticket, password, the hash to compare with, and whether that is a user's, if it names any."""
        credentials = _credentials(header)
        if credentials is None:
            return None
        user, password = credentials
        known = self._users.get(user.decode("utf-8", "surrogateescape"))
        hashed = known or self._nobody
        return self._ticket(user, hashed, password), password, hashed, known is not None

    def _ticket(self, *parts: bytes) -> bytes:
        """Key under which a verdict is remembered; without the key of this process it tells no password."""
        digest = hashlib.blake2b(key=self._key, digest_size=32)
        for part in parts:
            digest.update(len(part).to_bytes(8, "big") + part)
        return digest.digest()

    def _remember(self, ticket: bytes, verdict: bool) -> None:
        if len(self._verdicts) >= _MAX_VERDICTS:
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
