"""License pools, signing keys, licenses and registration tokens of a simulated provider."""

import base64
import hashlib
import json
from collections import Counter
from typing import Any, Final, NamedTuple

from iometer_exporter.simulator.cloud.fleet import CYCLE, EXPIRED, NO_LICENSE, NOT_STARTED, Fleet, Ids
from iometer_exporter.simulator.cloud.stamps import add_months, stamp
from iometer_exporter.simulator.noise import bits

_DAY: Final = 86_400

Term = dict[str, Any]
"""`period` in months and `autoRenewal`, or nothing for a license without end."""

_POOLS: Final[tuple[tuple[str | None, Term | None], ...]] = (
    ("Household", {"period": 12, "autoRenewal": True}),
    ("Trial", {"period": 3, "autoRenewal": False}),
    (None, None),
    ("Business", {"period": 24, "autoRenewal": False}),
)
_KEYS: Final = (("default", True), ("former", False), (None, True))


class Terms(NamedTuple):
    """From when a license runs, for how long, or until when."""

    start: int
    term: Term | None
    end: int | None

    def end_at(self, now: float) -> int | None:
        """When the license ends, as it is known at a time: it moves on where it is renewed."""
        if self.term is None:
            return self.end
        period = self.term["period"]
        end = add_months(self.start, period)
        rounds = 1
        while self.term["autoRenewal"] and end <= now:
            rounds += 1
            end = add_months(self.start, period * rounds)
        return end


class Licenses:
    """License pools of the provider, and the license of each installation."""

    def __init__(self, fleet: Fleet, *, started: float) -> None:
        self._fleet = fleet
        self._today = int(started // _DAY) * _DAY
        self._changed: dict[int, Terms] = {}
        self._pool_id = Ids(fleet.seed, 20)
        self._key_id = Ids(fleet.seed, 21)
        self._new_id = Ids(fleet.seed, 22)
        self._registered: dict[str, str] = {}
        usage: Counter[int] = Counter()
        for kind in range(min(CYCLE, fleet.size)):
            pool = _pool_of(kind)
            if pool is not None:
                usage[pool] += len(range(kind, fleet.size, CYCLE))
        self.pools: list[dict[str, Any]] = [
            {
                "id": self._pool_id(number),
                "name": name,
                "size": usage[number] + usage[number] // 4 + 10,
                "usage": usage[number],
                "term": term,
            }
            for number, (name, term) in enumerate(_POOLS)
        ]
        self.keys: list[dict[str, Any]] = [
            {"id": self._key_id(number), "name": name, "enabled": enabled}
            for number, (name, enabled) in enumerate(_KEYS)
        ]

    def pool(self, id: str) -> dict[str, Any] | None:
        """The pool of this id."""
        return next((pool for pool in self.pools if pool["id"] == id.lower()), None)

    def key(self, id: str) -> dict[str, Any] | None:
        """The signing key of this id."""
        return next((key for key in self.keys if key["id"] == id.lower()), None)

    def of(self, index: int, now: float) -> dict[str, Any] | None:
        """The license of an installation as the API tells of it."""
        pool = _pool_of(index)
        if pool is None:
            return None
        terms = self._terms(index)
        end = terms.end_at(now)
        status = (
            "inactive" if now < terms.start else "expired" if end is not None and now >= end else "active"
        )
        return {
            "pool": self.pools[pool],
            "term": terms.term,
            "startTime": stamp(terms.start),
            "endTime": None if end is None else stamp(end),
            "status": status,
        }

    def set_term(self, index: int, term: Term) -> None:
        """Give the license of an installation a new term; its end follows from that."""
        self._changed[index] = self._terms(index)._replace(term=dict(term), end=None)

    def set_end(self, index: int, end: float) -> None:
        """Let the license of an installation end at a time, whatever its term was."""
        self._changed[index] = self._terms(index)._replace(term=None, end=int(end))

    def register(
        self, pool: dict[str, Any], key: dict[str, Any], external_id: str, id: str | None, start: float
    ) -> dict[str, str]:
        """A registration token, which takes one license of the pool unless the name has one already."""
        index = self._fleet.find(external_id=external_id)
        if index is not None:
            id = id or self._fleet.id(index)
        elif external_id not in self._registered:
            pool["usage"] += 1
        id = id or self._new_id(len(self._registered))
        self._registered.setdefault(external_id, id)
        claims = {
            "installationId": id,
            "externalId": external_id,
            "poolId": pool["id"],
            "start": stamp(int(start)),
        }
        signed = f"{_part({'alg': 'RS256', 'kid': key['id']})}.{_part(claims)}"
        signature = hashlib.sha256(f"{key['id']}.{signed}".encode()).digest()
        token = f"{signed}.{_base64(signature)}"
        return {
            "installationId": id,
            "token": token,
            "qrCode": f"/v1/qrcode/{token}",
            "deeplink": f"iometer://register?token={token}",
        }

    def _terms(self, index: int) -> Terms:
        found = self._changed.get(index)
        if found is not None:
            return found
        kind = index % CYCLE
        days = 30 + bits(self._fleet.seed, 7, index) % 690
        days = 200 if kind == EXPIRED else -30 if kind == NOT_STARTED else days
        return Terms(self._today - days * _DAY, _POOLS[_pool_of(index) or 0][1], None)


def _pool_of(index: int) -> int | None:
    kind = index % CYCLE
    return None if kind == NO_LICENSE else 1 if kind == EXPIRED else (0, 0, 2, 3)[kind % 4]


def _part(document: dict[str, str]) -> str:
    return _base64(json.dumps(document, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
