import asyncio
import os
from collections.abc import AsyncIterator

import pytest
from zeroconf import IPVersion, ServiceStateChange
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from iometer_exporter.errors import StartError
from iometer_exporter.simulator import SimulatedBridge, Simulation
from iometer_exporter.simulator import announce as announcing
from iometer_exporter.simulator.announce import SERVICE_TYPE, Announcer
from tests.waiting import PATIENCE, until

LOOPBACK = ["127.0.0.1"]

MDNS_QUIET = 1.5
"""Seconds in which a record just sent is not sent again (RFC 6762, 6)."""


class Browser:
    """Someone else in the network who looks for bridges."""

    def __init__(self, zeroconf: AsyncZeroconf) -> None:
        self.zeroconf = zeroconf
        self.present: set[str] = set()
        self.browser = AsyncServiceBrowser(zeroconf.zeroconf, SERVICE_TYPE, handlers=[self._changed])

    def _changed(self, name: str, state_change: ServiceStateChange, **_: object) -> None:
        if state_change is ServiceStateChange.Removed:
            self.present.discard(name)
        else:
            self.present.add(name)

    async def info(self, bridge: SimulatedBridge) -> AsyncServiceInfo:
        info = AsyncServiceInfo(SERVICE_TYPE, f"{bridge.name}.{SERVICE_TYPE}")
        assert await info.async_request(self.zeroconf.zeroconf, 2000)
        return info


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else here has the name, so that there is nothing to wait for."""
    monkeypatch.setattr(announcing, "_PROBE_MS", 50)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A browser on loopback."""
    async with AsyncZeroconf(interfaces=LOOPBACK) as zeroconf:
        browser = Browser(zeroconf)
        yield browser
        await browser.browser.async_cancel()


async def test_bridges_come_and_say_goodbye(browser: Browser) -> None:
    async with Simulation(port=0, bridges=2, seed=90, mdns=True) as simulation:
        names = {f"{bridge.name}.{SERVICE_TYPE}" for bridge in simulation.bridges}
        await until(lambda: names <= browser.present)
        bridge = simulation.bridges[0]
        info = await browser.info(bridge)
        assert info.server == f"{bridge.name}.local."
        assert info.port == bridge.port
        assert info.parsed_addresses(IPVersion.All) == LOOPBACK
        assert info.properties == {}
    await until(lambda: not names & browser.present)


async def test_a_moved_bridge_is_announced_again(browser: Browser) -> None:
    async with Simulation(port=0, bridges=1, seed=91, mdns=True, mdns_interfaces=LOOPBACK) as simulation:
        bridge = simulation.bridges[0]
        await until(lambda: f"{bridge.name}.{SERVICE_TYPE}" in browser.present)
        assert simulation.announcer is not None
        bridge.port = 1234
        await simulation.announcer.update(bridge, addresses=["127.0.0.9"])
        info = await browser.info(bridge)
        assert info.port == 1234
        # What is less than a second old is not forgotten at once (RFC 6762, 10.2).
        assert set(info.parsed_addresses()) - set(LOOPBACK) == {"127.0.0.9"}


async def test_taken_name_is_one_sentence_and_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with Simulation(port=0, bridges=1, seed=92, mdns=True):
        await asyncio.sleep(MDNS_QUIET)
        monkeypatch.setattr(announcing, "_PROBE_MS", PATIENCE * 1000)
        with pytest.raises(
            StartError, match=r"^another IOmeter-[0-9A-F]{6} is in this network; choose another"
        ):
            async with Simulation(port=0, bridges=1, seed=92, mdns=True):
                raise AssertionError
    assert len(asyncio.all_tasks()) == 1


async def test_interface_that_is_not_there() -> None:
    with pytest.raises(StartError, match=r"^mDNS is not available.*; run without --mdns$"):
        await Announcer(["not an address"]).start([])


async def test_failure_to_announce_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise OSError("no route")

    monkeypatch.setattr(AsyncZeroconf, "async_register_service", fail)
    bridge = SimulatedBridge(seed=os.getpid())
    bridge.host = "127.0.0.1"
    announcer = Announcer(LOOPBACK)
    with pytest.raises(StartError, match=f"^{bridge.name} cannot be announced by mDNS: OSError"):
        await announcer.start([bridge])
    await announcer.aclose()


async def test_update_needs_an_announcement() -> None:
    with pytest.raises(RuntimeError, match="nothing is announced yet"):
        await Announcer().update(SimulatedBridge())


async def test_closing_what_was_never_started_is_quiet() -> None:
    await Announcer().aclose()


@pytest.mark.parametrize(
    ("host", "interfaces", "addresses"),
    [
        ("192.0.2.2", None, ["192.0.2.2"]),
        ("::1", None, ["::1"]),
        ("0.0.0.0", ["127.0.0.1"], ["127.0.0.1"]),
    ],
)
def test_addresses(host: str, interfaces: list[str] | None, addresses: list[str]) -> None:
    assert Announcer(interfaces)._addresses(host) == addresses


def test_addresses_of_all_interfaces(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "127.0.0.1" not in Announcer()._addresses("::") or Announcer()._addresses("::") == ["127.0.0.1"]
    monkeypatch.setattr("ifaddr.get_adapters", list)
    assert Announcer()._addresses("0.0.0.0") == ["127.0.0.1"]


async def test_bridges_for_everybody_are_announced_on_all_interfaces(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    class Silent(Announcer):
        async def start(self, bridges: object) -> None:
            asked.append(self._interfaces)

    monkeypatch.setattr(announcing, "Announcer", Silent)
    for host in ("0.0.0.0", "localhost"):
        async with Simulation(host=host, port=0, bridges=1, mdns=True):
            pass
    assert asked == [None, LOOPBACK]
