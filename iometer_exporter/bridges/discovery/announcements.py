"""The bridges that announce themselves now: a table of bounded size, and log lines of bounded number."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from iometer_exporter.net.addresses import Address

_log = logging.getLogger(__name__)

MOST: Final = 2000
"""Bridges whose announcements are kept. Anybody in the network can announce as many as it likes."""

_SPAN_SECONDS: Final = 60.0
"""Seconds over which log lines are counted."""

_LINES_OF_ONE: Final = 4
"""Lines on one bridge in that time; what has changed since then is told at its end."""

_LINES: Final = 100
"""Lines on all bridges in that time."""


@dataclass(slots=True)
class Standing:
    """Experience with an announced bridge; noted by whoever reads it."""

    answered: bool = False
    """Whether it has ever given a valid document: it really is a bridge."""


@dataclass(frozen=True, slots=True)
class Service:
    """An announced bridge: instance name, host name (lower case, no last dot), where it listens."""

    name: str
    host: str
    addresses: tuple[Address, ...]
    standing: Standing = field(default_factory=Standing, compare=False)


class Announcements:
    """The bridges announced now, by name without case; those that have answered are never displaced."""

    def __init__(self) -> None:
        self.services: Sequence[Service] = ()
        """In the order in which they were announced; the same object while nothing changes."""
        self._services: dict[str, Service] = {}
        self._news = _News()

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._services

    def add(self, service: Service) -> None:
        """Take a bridge that is announced, or has changed."""
        key = service.name.lower()
        known = self._services.get(key)
        if known is not None:
            service = replace(service, name=known.name, standing=known.standing)
            if service == known:
                return
        elif len(self._services) >= MOST and not self._displace():
            return
        self._services[key] = service
        self.services = tuple(self._services.values())
        self._news.note(service.name, service.addresses)

    def remove(self, name: str) -> None:
        """Drop a bridge that has said goodbye, or whose announcement was not renewed."""
        if (service := self._services.pop(name.lower(), None)) is not None:
            self.services = tuple(self._services.values())
            self._news.note(service.name, None)

    def note_without_address(self, name: str) -> None:
        """Log that a bridge announces itself, but not its address."""
        self._news.note(name, ())

    def close(self) -> None:
        """Log nothing more."""
        self._news.close()

    def _displace(self) -> bool:
        oldest = next((key for key, known in self._services.items() if not known.standing.answered), None)
        if oldest is None:
            return False
        del self._services[oldest]
        return True


_State = tuple[Address, ...] | None
"""The addresses of a bridge, empty while they are not known; None for one that is not announced."""


@dataclass(slots=True)
class _Reported:
    """State of one bridge as the log has it, and as it is now."""

    until: float
    lines: int = 0
    reported: _State = None
    ever: bool = False
    now: _State = None
    timer: asyncio.TimerHandle | None = None


class _News:
    """Logs what changes: some lines a minute, and at its end what is true then."""

    def __init__(self) -> None:
        self._bridges: dict[str, _Reported] = {}
        self._until = 0.0
        self._lines = 0

    def note(self, name: str, state: _State) -> None:
        loop = asyncio.get_running_loop()
        bridge = self._bridges.get(name)
        if bridge is None:
            if len(self._bridges) >= MOST:
                self._forget(next(iter(self._bridges)))
            bridge = self._bridges[name] = _Reported(loop.time() + _SPAN_SECONDS)
        elif loop.time() >= bridge.until:
            bridge.until, bridge.lines = loop.time() + _SPAN_SECONDS, 0
        bridge.now = state
        if bridge.lines < _LINES_OF_ONE:
            self._report(name, bridge)
        elif bridge.timer is None:
            bridge.timer = loop.call_at(bridge.until, self._settle, name)

    def close(self) -> None:
        for name in tuple(self._bridges):
            self._forget(name)

    def _forget(self, name: str) -> None:
        timer = self._bridges.pop(name).timer
        if timer is not None:
            timer.cancel()

    def _settle(self, name: str) -> None:
        bridge = self._bridges[name]
        bridge.timer = None
        self.note(name, bridge.now)

    def _report(self, name: str, bridge: _Reported) -> None:
        if (bridge.now == bridge.reported and bridge.ever) or not self._has_room():
            return
        level, text = logging.INFO, f"{_verb(bridge)} {', '.join(map(str, bridge.now or ()))}"
        if bridge.now is None:
            text = "bridge no longer announced"
        elif not bridge.now:
            level, text = logging.WARNING, "bridge announced without an address"
        _log.log(level, text, extra={"bridge": name})
        bridge.reported, bridge.ever = bridge.now, True
        bridge.lines += 1

    def _has_room(self) -> bool:
        now = asyncio.get_running_loop().time()
        if now >= self._until:
            self._until, self._lines = now + _SPAN_SECONDS, 0
        self._lines += 1
        if self._lines == _LINES + 1:
            _log.warning("bridges come and go too fast to log them all; /sd lists those that are read")
        return self._lines <= _LINES


def _verb(bridge: _Reported) -> str:
    if not bridge.ever:
        return "bridge discovered at"
    if bridge.reported:
        return "bridge moved to"
    return "bridge announced again at" if bridge.reported is None else "bridge announced at"
