"""One simulated bridge: its identity, its home, and the two documents it sends."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from random import Random
from typing import Any, Final, Literal
from uuid import UUID

from iometer_exporter.simulator.faults import ENDPOINTS, Endpoint, Fault, Timing
from iometer_exporter.simulator.home import Home
from iometer_exporter.simulator.noise import bits, smooth
from iometer_exporter.simulator.registers import registers

Firmware = Literal["stream", "new", "old"]
"""`stream` also sends its documents as events to who asks for them; `old` sends no `installationId`."""

Document = dict[str, Any]

_HOMES: Final = ((True, True), (True, False), (False, True), (False, False))
"""(PV, heat pump) of the first homes; then they repeat with other people in them."""

_GLITCHES: Final[frozenset[Fault]] = frozenset(("decrease", "spike", "wrong-export"))

_BATTERY_STEP: Final = 10 * 86_400
"""Seconds in which the battery loses one percent."""


class SimulatedBridge:
    """A bridge with a core on the meter of a home.

    `faults`, `endpoints` and `timing` may be changed at any time.
    """

    def __init__(
        self,
        number: int = 1,
        *,
        seed: int = 1,
        faults: Iterable[Fault] = (),
        firmware: Firmware = "new",
        speedup: float = 1.0,
        interval: float = 1.0,
        timing: Timing | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Bridge `number` (from 1) of a seed; `interval` is the seconds between two measurements."""
        self.number = number
        self.faults: set[Fault] = set(faults)
        self.endpoints: set[Endpoint] = set(ENDPOINTS)
        """Those whose answers show what goes wrong on the wire."""
        self.firmware: Firmware = firmware
        self.interval = interval
        self.timing = timing or Timing()
        self.clock = clock
        self.host = ""
        self.port = 0
        self.requests: Counter[str] = Counter()
        self.connections = 0
        """Connections ever opened."""
        self.open_connections = 0
        self.most_connections = 0
        """The most connections that were ever open at once."""

        self._seed = bits(seed, number)
        self._started = clock()
        self._identify(Random(self._seed))
        self.home = self._build_home(Random(self._seed + 1), speedup)
        self._pv = self.home.profile.pv
        self._frozen: Document | None = None
        self._was_reset = False
        self._live(self._started)

    @property
    def target(self) -> str:
        """`host:port` at which the bridge answers."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """Base address of the bridge for HTTP."""
        return f"http://{self.target}"

    @property
    def import_wh(self) -> float:
        """True import in Wh at the last document, whatever the document said."""
        return self.home.import_tenths / 10

    @property
    def export_wh(self) -> float:
        """True export in Wh at the last document, whatever the document said."""
        return self.home.export_tenths / 10

    @property
    def power_watts(self) -> int:
        """True grid power in W at the last document, whatever the document said."""
        return self.home.power_watts

    def wire_faults(self, endpoint: str) -> AbstractSet[Fault]:
        """What goes wrong with the answer to a request for an endpoint, or for anything else."""
        spared: frozenset[Fault] = frozenset()
        return spared if endpoint in ENDPOINTS and endpoint not in self.endpoints else self.faults

    def reading(self, now: float | None = None) -> Document:
        """The document of /v1/reading at a unix time (default: the clock's)."""
        now = self.clock() if now is None else now
        self._live(now)
        return self._present(now) if self._frozen is None else self._frozen

    def status(self, now: float | None = None) -> Document:
        """The document of /v1/status at a unix time (default: the clock's)."""
        now = self.clock() if now is None else now
        self._live(now)
        document = self._head("status")
        if "no-meter" not in self.faults:
            document["meter"] = {"number": self.meter}
        bridge = {"rssi": self._rssi(now, 1), "version": "build-65"}
        document["device"] = {"bridge": bridge, "id": self.device_id, "core": self._core(now)}
        return document

    def _identify(self, random: Random) -> None:
        self.name = f"IOmeter-{random.randrange(1 << 24):06X}"
        self.meter = f"1ISK00{random.randrange(10**8):08}"
        self.device_id = str(UUID(int=random.getrandbits(128), version=4))
        self.installation_id = str(UUID(int=random.getrandbits(128), version=4))
        self._rssi_dbm = (random.randrange(-72, -45), random.randrange(-85, -55))
        self._battery = random.randrange(62, 100)

    def _build_home(self, random: Random, speedup: float) -> Home:
        pv, heat_pump = _HOMES[(self.number - 1) % len(_HOMES)]
        return Home(
            self._seed,
            pv=pv,
            heat_pump=heat_pump,
            start=self._measured(self._started),
            initial_import_wh=random.randrange(2_000_000, 30_000_000),
            initial_export_wh=random.randrange(4_000_000, 25_000_000) if pv else 0,
            speedup=speedup,
        )

    def _measured(self, now: float) -> float:
        """When the core has measured last."""
        return now // self.interval * self.interval

    def _live(self, now: float) -> None:
        home = self.home
        home.profile.pv = self._pv and "import-only" not in self.faults
        if "reset-meter" not in self.faults:
            self._was_reset = False
        elif not self._was_reset and now - self._started >= self.timing.reset_after:
            home.advance(self._started + self.timing.reset_after)
            home.reset()
            self._was_reset = True
        home.advance(self._measured(now))
        if not self.faults & {"disconnected", "detached"}:
            self._frozen = None
        elif self._frozen is None:
            self._frozen = self._present(now)

    def _present(self, now: float) -> Document:
        elapsed = now - self._started
        home = self.home
        behind = self.timing.replayed(elapsed) if "replay" in self.faults else None
        if behind is not None:
            home = home.rewound(self._measured(now - behind))
        faults = self._faults_at(elapsed)
        glitch = self.timing.glitch(elapsed) if faults & _GLITCHES else None
        shown = registers(home, seed=self._seed, faults=faults, glitch=glitch)
        moment = home.time + (self.timing.clock_ahead if "clock-ahead" in faults else 0)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
        number = {} if "meter-in-status" in faults else {"number": self.meter}
        meter: Document = {**number, "reading": {"time": stamp, "registers": shown}}
        return self._head("reading") | {"meter": meter}

    def _faults_at(self, elapsed: float) -> set[Fault]:
        """The faults of the documents so many seconds after the start, those that pass as they stand then."""
        faults = set(self.faults)
        if "pin-lost" in faults and self.timing.without_pin(elapsed):
            faults.add("pin-missing")
        if elapsed >= self.timing.first_wrong_seconds:
            faults.discard("wrong-first")
        return faults

    def _head(self, kind: str) -> Document:
        head: Document = {"__typename": f"iometer.{kind}.v1"}
        return head if self.firmware == "old" else head | {"installationId": self.installation_id}

    def _core(self, now: float) -> Document:
        if "disconnected" in self.faults:
            return {"connectionStatus": "disconnected"}
        core: Document = {
            "connectionStatus": "connected",
            "rssi": self._rssi(now, 2),
            "version": "build-58",
            "powerStatus": "wired" if "wired" in self.faults else "battery",
        }
        if "wired" not in self.faults:
            lost = int((now - self._started) // _BATTERY_STEP)
            core["batteryLevel"] = 7 if "battery-low" in self.faults else max(1, self._battery - lost)
        core["attachmentStatus"] = "detached" if "detached" in self.faults else "attached"
        missing = "pin-missing" in self._faults_at(now - self._started)
        core["pinStatus"] = "missing" if missing else "entered"
        return core

    def _rssi(self, now: float, which: int) -> int:
        return self._rssi_dbm[which - 1] + round(4 * smooth(self._seed + which, now, 120))
