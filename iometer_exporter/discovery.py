"""The mDNS browser: keeps the set of bridges that announce themselves in the local network."""

import asyncio
import ipaddress
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from iometer_exporter.config import DiscoveryConfig
from iometer_exporter.errors import DiscoveryError
from iometer_exporter.models import clean
from iometer_exporter.units import Address

if TYPE_CHECKING:
    from zeroconf import ServiceStateChange, Zeroconf
    from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

_log = logging.getLogger(__name__)

SERVICE_TYPE: Final = "_iometer._tcp.local."

_FIRST_ROUND: Final = 1.5
"""Seconds after which the bridges that are there have answered the first queries."""

_RESOLVE_TIMEOUT_MS: Final = 3000
_RETRY_AFTER: Final = 30.0
"""Seconds until mDNS is tried again on a host whose network is not up yet."""


@dataclass(frozen=True, slots=True)
class Service:
    """An announced bridge: instance name, host name (lower case, no last dot), where it listens."""

    name: str
    host: str
    addresses: tuple[Address, ...]


class Discovery:
    """Browses for bridges from `start` to `aclose`; a vanished one stays known for `forget_after`."""

    def __init__(self, config: DiscoveryConfig, known: Sequence[Service] = ()) -> None:
        """Take over the services that a browser before this one knew, as if they had just vanished."""
        self._config = config
        self._services = {f"{service.name}.{SERVICE_TYPE}": service for service in known}
        self._lost_at: dict[str, float] = {}
        if known:
            self._lost_at = dict.fromkeys(self._services, asyncio.get_running_loop().time())
        self._known = tuple(known)
        self._tasks: set[asyncio.Task[None]] = set()
        self._zeroconf: AsyncZeroconf | None = None
        self._browser: AsyncServiceBrowser | None = None
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
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._browser is not None:
            await self._browser.async_cancel()
        if self._zeroconf is not None:
            await self._zeroconf.async_close()

    def services(self) -> Sequence[Service]:
        """The bridges known now, in the order in which they were found; the same object if unchanged."""
        now = asyncio.get_running_loop().time()
        for name, lost_at in list(self._lost_at.items()):
            if now - lost_at >= self._config.forget_after:
                del self._lost_at[name]
                self._services.pop(name, None)
                self._changed()
        return self._known

    async def _run(self) -> None:
        warned = False
        while self._browser is None:
            try:
                await self.browse()
            except DiscoveryError as error:
                if not warned:
                    _log.warning(
                        "%s; configured bridges work on, tried again every %d s", error, _RETRY_AFTER
                    )
                    warned = True
                self.first_round_done.set()
                await asyncio.sleep(_RETRY_AFTER)
        await asyncio.sleep(_FIRST_ROUND)
        self.first_round_done.set()

    async def browse(self) -> None:
        """Open the sockets and send the first query; raises DiscoveryError where that is impossible."""
        # Imported here: it costs 6 MB and 18 ms, which a fixed set of bridges need not pay.
        from zeroconf.asyncio import AsyncServiceBrowser

        self._zeroconf = _open(self._config.interfaces)
        self._browser = AsyncServiceBrowser(self._zeroconf.zeroconf, SERVICE_TYPE, handlers=[self._on_change])

    def _on_change(
        self, zeroconf: "Zeroconf", service_type: str, name: str, state_change: "ServiceStateChange"
    ) -> None:
        from zeroconf import ServiceStateChange

        if state_change is ServiceStateChange.Removed:
            if name in self._services:
                self._lost_at[name] = asyncio.get_running_loop().time()
                _log.info("no longer announced", extra={"bridge": self._services[name].name})
        else:
            self._spawn(self._resolve(zeroconf, service_type, name))

    async def _resolve(self, zeroconf: "Zeroconf", service_type: str, name: str) -> None:
        from zeroconf.asyncio import AsyncServiceInfo

        info = AsyncServiceInfo(service_type, name)
        if not await info.async_request(zeroconf, _RESOLVE_TIMEOUT_MS):
            _log.warning("announces itself but not its address", extra={"bridge": _instance(name)})
            return
        service = _service_of(info, name)
        if service is None:
            return
        self._lost_at.pop(name, None)
        if self._services.get(name) != service:
            addresses = ", ".join(map(str, service.addresses))
            news = "moved to" if name in self._services else "discovered at"
            _log.info("%s %s", news, addresses, extra={"bridge": service.name})
            self._services[name] = service
            self._changed()

    def _changed(self) -> None:
        self._known = tuple(self._services.values())

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _open(interfaces: Sequence[str]) -> "AsyncZeroconf":
    """Sockets on the interfaces (all, if none is named); raises DiscoveryError where there can be none."""
    from zeroconf import InterfaceChoice, IPVersion
    from zeroconf.asyncio import AsyncZeroconf

    try:
        if interfaces:
            return AsyncZeroconf(interfaces=_interface_addresses(interfaces))
        try:
            return AsyncZeroconf(interfaces=InterfaceChoice.All, ip_version=IPVersion.All)
        except OSError:
            # A host with IPv6 switched off.
            return AsyncZeroconf(interfaces=InterfaceChoice.All, ip_version=IPVersion.V4Only)
    except (OSError, RuntimeError, ValueError) as error:
        where = f" on {', '.join(interfaces)}" if interfaces else ""
        raise DiscoveryError(f"mDNS is not available{where}: {error}") from error


def _interface_addresses(interfaces: Sequence[str]) -> list[str | int | tuple[tuple[str, int, int], int]]:
    """IPv4 addresses and IPv6 interface numbers of interfaces given by name (`eth0`) or address."""
    import ifaddr

    adapters = {adapter.name: adapter for adapter in ifaddr.get_adapters()}
    found: list[str | int | tuple[tuple[str, int, int], int]] = []
    for interface in interfaces:
        adapter = adapters.get(interface)
        if adapter is None:
            try:
                found.append(str(ipaddress.ip_address(interface)))
            except ValueError:
                names = ", ".join(adapters)
                raise ValueError(f"no interface is named {interface!r}, there are {names}") from None
            continue
        found += [ip.ip for ip in adapter.ips if isinstance(ip.ip, str)]
        if adapter.index is not None and any(ip.is_IPv6 for ip in adapter.ips):
            found.append(adapter.index)
    return found


def _service_of(info: "AsyncServiceInfo", name: str) -> Service | None:
    """The service, its addresses in the order in which to try them; None while it has none."""
    from zeroconf import IPVersion

    texts = info.parsed_scoped_addresses(IPVersion.All)
    if not texts or not info.port:
        return None
    addresses = [Address(text, info.port) for text in sorted(texts, key=_rank)]
    return Service(_instance(name), (info.server or "").lower().rstrip("."), tuple(addresses))


def _rank(address: str) -> tuple[int, bool, str]:
    """IPv4 first, link-local IPv6 last: it works on one interface only."""
    ip = ipaddress.ip_address(address)
    return ip.version, ip.is_link_local, address


def _instance(name: str) -> str:
    return clean(name.removesuffix(f".{SERVICE_TYPE}"))
