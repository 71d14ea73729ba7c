"""Choice of the announced bridges that are read: at most so many, and none for long in vain."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from iometer_exporter.bridges.discovery.announcements import Service
from iometer_exporter.config.file import DiscoveryConfig

TRIAL_SECONDS: Final = 300.0
"""Seconds for which a discovered bridge is asked that has never answered; a bridge boots in one minute."""

REST_SECONDS: Final = 1800.0
"""Seconds until it gets another trial, if it still announces itself."""


@dataclass(slots=True)
class _Seat:
    """A discovered bridge that is read; times are in seconds of the caller's clock."""

    service: Service
    lost_at: float | None = None
    asked_first: float | None = None
    asked_last: float = 0.0

    @property
    def answered(self) -> bool:
        return self.service.standing.answered

    @property
    def tried_for(self) -> float:
        return 0.0 if self.asked_first is None else self.asked_last - self.asked_first


@dataclass(frozen=True, slots=True)
class _Rest:
    service: Service
    until: float


class Admission:
    """The discovered bridges to read, at most `limit`, in the order in which they were admitted.

    One that has answered stays until it has been gone for `forget_after`; no other takes its place. One
    that has not answered within its trial makes room. Those that found no room come in turn.
    """

    def __init__(self, config: DiscoveryConfig) -> None:
        self.config = config
        """Settings in force from the next `admit` on."""
        self.left_out = 0
        """Number of announced bridges that wait for room."""
        self._seats: dict[str, _Seat] = {}
        self._resting: dict[str, _Rest] = {}

    @property
    def services(self) -> Sequence[Service]:
        """The bridges to read, each as it was last announced."""
        return [seat.service for seat in self._seats.values()]

    def asked(self, name: str, now: float) -> None:
        """Note that a bridge is asked: a trial takes time only while somebody asks."""
        if (seat := self._seats.get(name)) is not None:
            seat.asked_last = now
            if seat.asked_first is None:
                seat.asked_first = now

    def admit(self, announced: Iterable[Service], now: float) -> Mapping[str, str]:
        """Follow what is announced now; gives the names that are no longer read, each with the reason."""
        present = {service.name: service for service in announced} if self.config.enabled else {}
        for name, seat in self._seats.items():
            _follow(seat, present.get(name), now)
        gone = self._leave(now)
        # One that was announced anew, or elsewhere, has not been tried yet.
        self._resting = {
            name: rest for name, rest in self._resting.items() if present.get(name) == rest.service
        }
        self._enter(present, now)
        return gone

    def drop(self, name: str) -> None:
        """Forget a bridge: it is read otherwise."""
        self._seats.pop(name, None)

    def _leave(self, now: float) -> Mapping[str, str]:
        gone: dict[str, str] = {}
        for name, seat in self._seats.items():
            if reason := self._reason_to_leave(seat, now):
                gone[name] = reason
        staying = [name for name in self._seats if name not in gone]
        # Where the limit was lowered: those first that have answered, and among them those that are there.
        staying.sort(key=lambda name: (not self._seats[name].answered, self._seats[name].lost_at is not None))
        gone |= dict.fromkeys(staying[self.config.limit :], "discovery.limit is lower now")
        for name in gone:
            seat = self._seats.pop(name)
            if not seat.answered:
                self._resting[name] = _Rest(seat.service, now + REST_SECONDS)
        return gone

    def _reason_to_leave(self, seat: _Seat, now: float) -> str | None:
        if not self.config.enabled:
            return "discovery is off"
        if not seat.answered and seat.tried_for >= TRIAL_SECONDS:
            return f"never answered, tried again in {REST_SECONDS / 60:.0f} minutes if it is still announced"
        if seat.lost_at is not None:
            patience = (
                self.config.forget_after if seat.answered else min(self.config.forget_after, TRIAL_SECONDS)
            )
            if now - seat.lost_at >= patience:
                return "no longer announced for long"
        return None

    def _enter(self, present: Mapping[str, Service], now: float) -> None:
        """Give room to those that have none, first to those never tried; one address is one bridge."""
        taken = {seat.service.addresses[0] for seat in self._seats.values() if seat.lost_at is None}
        since = {name: self._resting[name].until if name in self._resting else -math.inf for name in present}
        self.left_out = 0
        for name in sorted(since, key=since.__getitem__):
            service = present[name]
            if name in self._seats or since[name] > now or service.addresses[0] in taken:
                continue
            if len(self._seats) < self.config.limit:
                self._seats[name] = _Seat(service)
                taken.add(service.addresses[0])
            else:
                self.left_out += 1


def _follow(seat: _Seat, service: Service | None, now: float) -> None:
    if service is not None:
        # One that went and came back is the bridge that it was.
        service.standing.answered |= seat.answered
        seat.service, seat.lost_at = service, None
    elif seat.lost_at is None:
        seat.lost_at = now
