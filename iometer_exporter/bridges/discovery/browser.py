"""The mDNS browser: follows the bridges that announce themselves in the local network."""

import asyncio
import ipaddress
import logging
from collections import OrderedDict
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Final

from iometer_exporter.bridges.discovery.announcements import MOST, Announcements, Service
from iometer_exporter.bridges.discovery.mdns import open_zeroconf
from iometer_exporter.config.file import DiscoveryConfig
from iometer_exporter.errors import ConfigError, DiscoveryError
from iometer_exporter.net.addresses import LONGEST_HOST, Address, check_host, parse_ip
from iometer_exporter.text import clean

if TYPE_CHECKING:
    from zeroconf import ServiceStateChange, Zeroconf
    from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

_log = logging.getLogger(__name__)

SERVICE_TYPE: Final = "_iometer._tcp.local."

_FIRST_ROUND_SECONDS: Final = 1.5
"""Seconds after which the bridges that are there have answered the first queries."""

_RESOLVE_TIMEOUT_MS: Final = 3000

_GOODBYE_SECONDS: Final = 1.5
"""Seconds after which a bridge that has said goodbye is gone: one that restarts is back by then."""

_RESOLVED_AT_ONCE: Final = 16
"""Announcements without an address that are asked for it at the same time; most bring it along."""

_ADDRESSES: Final = 8
"""Addresses of one bridge that are taken."""

_RETRY_SECONDS: Final = 30.0
"""Seconds until mDNS is tried again on a host whose network is not up yet."""


class Discovery:
    """Browses for bridges from `start` to `aclose`."""

    def __init__(self, config: DiscoveryConfig) -> None:
        self._config = config
        self._announcements = Announcements()
        self._unresolved: OrderedDict[str, AsyncServiceInfo] = OrderedDict()
        self._resolving: dict[str, asyncio.Task[None]] = {}
        self._leaving: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._zeroconf: AsyncZeroconf | None = None
        self._browser: AsyncServiceBrowser | None = None
        self._warned_of_names = False
        self.first_round_done = asyncio.Event()

    async def __aenter__(self) -> "Discovery":
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def start(self) -> None:
        """Begin to browse in the background; a host without multicast is logged and tried again."""
        self._spawn(self._run())

    async def aclose(self) -> None:
        """Stop browsing."""
        self._unresolved.clear()
        for timer in self._leaving.values():
            timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._announcements.close()
        if self._browser is not None:
            await self._browser.async_cancel()
        if self._zeroconf is not None:
            await self._zeroconf.async_close()

    def services(self) -> Sequence[Service]:
        """The bridges announced now, in the order in which they were; the same object if unchanged."""
        return self._announcements.services

    async def _run(self) -> None:
        warned = False
        while self._browser is None:
            try:
                await self.browse()
            except DiscoveryError as error:
                if not warned:
                    _log.warning(
                        "%s; configured bridges work on, tried again every %d s", error, _RETRY_SECONDS
                    )
                    warned = True
                self.first_round_done.set()
                await asyncio.sleep(_RETRY_SECONDS)
        await asyncio.sleep(_FIRST_ROUND_SECONDS)
        self.first_round_done.set()

    async def browse(self) -> None:
        """Open the sockets and send the first query; raises DiscoveryError where that is impossible."""
        self._zeroconf = open_zeroconf(self._config.interfaces)
        # Imported here, as there.
        from zeroconf.asyncio import AsyncServiceBrowser

        self._browser = AsyncServiceBrowser(self._zeroconf.zeroconf, SERVICE_TYPE, handlers=[self._on_change])

    def _on_change(
        self, zeroconf: "Zeroconf", service_type: str, name: str, state_change: "ServiceStateChange"
    ) -> None:
        from zeroconf import ServiceStateChange

        if state_change is ServiceStateChange.Removed:
            self._unresolved.pop(name, None)
            if (task := self._resolving.pop(name, None)) is not None:
                task.cancel()
                self._resolve_next(zeroconf)
            if _instance(name) in self._announcements and name not in self._leaving:
                later = asyncio.get_running_loop().call_later
                self._leaving[name] = later(_GOODBYE_SECONDS, self._leave, name)
            return
        if state_change is ServiceStateChange.Added:
            if (timer := self._leaving.pop(name, None)) is not None:
                timer.cancel()
        elif _instance(name) not in self._announcements:
            # Host and address of something that does not announce itself, or not any more.
            return
        info = self._info(name)
        if info is not None and not self._take(zeroconf, info):
            self._enqueue(zeroconf, info)

    def _leave(self, name: str) -> None:
        del self._leaving[name]
        self._announcements.remove(_instance(name))

    def _info(self, name: str) -> "AsyncServiceInfo | None":
        """Query for the instance; None if its name is none that a bridge could have."""
        from zeroconf import BadTypeInNameException
        from zeroconf.asyncio import AsyncServiceInfo

        try:
            return AsyncServiceInfo(SERVICE_TYPE, name)
        except BadTypeInNameException:
            if not self._warned_of_names:
                self._warned_of_names = True
                _log.warning(
                    "something announces itself under a name that no bridge can have: ignored, as all such",
                    extra={"bridge": _instance(name)},
                )
            return None

    def _take(self, zeroconf: "Zeroconf", info: "AsyncServiceInfo") -> bool:
        """Take the bridge as far as it is known without asking; False if it must be asked for its address."""
        info.load_from_cache(zeroconf)
        service = _service_of(info, info.name)
        if service is not None:
            self._announcements.add(service)
        return service is not None

    def _enqueue(self, zeroconf: "Zeroconf", info: "AsyncServiceInfo") -> None:
        if info.name in self._resolving or info.name in self._unresolved:
            return
        if len(self._unresolved) >= MOST:
            self._unresolved.popitem(last=False)
        self._unresolved[info.name] = info
        self._resolve_next(zeroconf)

    def _resolve_next(self, zeroconf: "Zeroconf") -> None:
        while self._unresolved and len(self._resolving) < _RESOLVED_AT_ONCE:
            name, info = self._unresolved.popitem(last=False)
            self._resolving[name] = self._spawn(self._resolve(zeroconf, info))

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _resolve(self, zeroconf: "Zeroconf", info: "AsyncServiceInfo") -> None:
        """Ask the network for the address of an announced bridge."""
        from zeroconf import Error

        bridge = _instance(info.name)
        try:
            await info.async_request(zeroconf, _RESOLVE_TIMEOUT_MS)
        except Error as error:
            _log.debug("address not asked for: %s", clean(str(error)), extra={"bridge": bridge})
        del self._resolving[info.name]
        if not self._take(zeroconf, info) and bridge not in self._announcements:
            self._announcements.note_without_address(bridge)
        self._resolve_next(zeroconf)


def _service_of(info: "AsyncServiceInfo", name: str) -> Service | None:
    """The service, its addresses in the order in which to try them; None while it has none."""
    from zeroconf import IPVersion

    texts = [text for text in info.parsed_scoped_addresses(IPVersion.All) if _can_be_asked(text)]
    if not texts or not info.port:
        return None
    addresses = [Address(text, info.port) for text in sorted(texts, key=_rank)[:_ADDRESSES]]
    return Service(_instance(name), _host(info.server or ""), tuple(addresses))


def _can_be_asked(text: str) -> bool:
    """Whether the address is that of one host, which a connection to it reaches."""
    ip = parse_ip(text)
    return ip is not None and not (
        ip.is_multicast or ip.is_unspecified or (ip.version == 4 and ip.is_reserved)
    )


def _host(server: str) -> str:
    """The host name of an SRV record, empty if it is none: the record may hold any bytes."""
    host = server.lower().removesuffix(".")[: LONGEST_HOST + 1]
    try:
        check_host(host)
    except ConfigError:
        return ""
    return host


def _rank(address: str) -> tuple[int, bool, str]:
    """IPv4 first, link-local IPv6 last: it works on one interface only."""
    ip = ipaddress.ip_address(address)
    return ip.version, ip.is_link_local, address


def _instance(name: str) -> str:
    """The name of the instance, before the type of the service."""
    ending = f".{SERVICE_TYPE}"
    return clean(name[: -len(ending)] if name.lower().endswith(ending) else name)
