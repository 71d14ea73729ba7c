import asyncio
import socket
import subprocess
import sys

import pytest

from iometer_exporter.errors import ConfigError, StartError
from iometer_exporter.simulator import FaultSpec, SimulatedBridge, Simulation, describe
from iometer_exporter.simulator.server import BridgeServer

from .conftest import Clock, Connect, fetch


def free_ports(count: int) -> int:
    """The first of some free ports in a row."""
    for port in range(21_000, 30_000, 7):
        sockets = [socket.socket() for _ in range(count)]
        try:
            for offset, each in enumerate(sockets):
                each.bind(("127.0.0.1", port + offset))
        except OSError:
            continue
        finally:
            for each in sockets:
                each.close()
        return port
    raise AssertionError("no free ports")


async def test_bridges_are_on_consecutive_ports() -> None:
    port = free_ports(3)
    async with Simulation(port=port) as simulation:
        assert [bridge.port for bridge in simulation.bridges] == [port, port + 1, port + 2]
        for bridge in simulation.bridges:
            assert (await fetch(bridge, "/v1/status")).document["device"]["id"] == bridge.device_id


async def test_port_0_gives_each_a_free_one() -> None:
    async with Simulation(port=0, bridges=5) as simulation:
        ports = {bridge.port for bridge in simulation.bridges}
    assert len(ports) == 5
    assert 0 not in ports


async def test_ipv6() -> None:
    async with Simulation(host="::1", port=0, bridges=1) as simulation:
        bridge = simulation.bridges[0]
        assert bridge.url == f"http://[::1]:{bridge.port}"
        assert (await fetch(bridge, "/v1/reading")).status == 200


async def test_name_is_served_at_its_address() -> None:
    async with Simulation(host="localhost", port=0, bridges=1) as simulation:
        assert simulation.bridges[0].host in ("127.0.0.1", "::1")
        assert (await fetch(simulation.bridges[0], "/v1/reading")).status == 200


async def test_end_closes_everything(connect: Connect) -> None:
    async with Simulation(port=0, bridges=2, faults=[FaultSpec("hang", 1)]) as simulation:
        clients = [await connect(bridge) for bridge in simulation.bridges]
        for client in clients:
            client.get("/v1/reading", "Accept: text/event-stream")
        await asyncio.sleep(0.02)
    assert len(asyncio.all_tasks()) == 1
    assert [bridge.open_connections for bridge in simulation.bridges] == [0, 0]
    for bridge in simulation.bridges:
        with pytest.raises(OSError, match=r"."):
            await asyncio.open_connection(bridge.host, bridge.port)


async def test_connection_accepted_at_the_very_end_is_closed() -> None:
    bridge = SimulatedBridge()
    server = BridgeServer(bridge)
    await server.start("127.0.0.1", 0)
    connection = server._connection()
    closing = asyncio.create_task(server.aclose())
    await asyncio.sleep(0)
    ours, theirs = socket.socketpair()
    await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, theirs)
    await closing
    with ours:
        assert ours.recv(1) == b""
    assert bridge.open_connections == 0
    await server.aclose()


async def test_port_in_use_is_one_sentence_and_leaves_nothing_behind() -> None:
    port = free_ports(2)
    with socket.socket() as other:
        other.bind(("127.0.0.1", port + 1))
        other.listen()
        message = f"^port {port + 1} of '127.0.0.1' cannot be listened on: it is in use; stop the program"
        with pytest.raises(StartError, match=message):
            async with Simulation(port=port):
                raise AssertionError
    async with Simulation(port=port):
        pass


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("192.0.2.77", "this machine has no such address; choose one of its own$"),
        ("no.such.host.invalid", "^'no.such.host.invalid' is not an address of this machine: "),
    ],
)
async def test_address_that_is_not_ours(host: str, message: str) -> None:
    with pytest.raises(StartError, match=message):
        async with Simulation(host=host, port=0, bridges=1):
            raise AssertionError


async def test_address_that_asyncio_skips_has_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    async def skip(*_: object) -> None:
        raise OSError("could not bind on any address out of [('192.0.2.77', 0)]")

    monkeypatch.setattr(asyncio.get_running_loop(), "create_server", skip)
    with pytest.raises(StartError, match="this machine has no such address"):
        await BridgeServer(SimulatedBridge()).start("192.0.2.77", 0)


async def test_server_names_an_unusual_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise OSError(23, "error while attempting to bind")

    monkeypatch.setattr(asyncio.get_running_loop(), "create_server", fail)
    with pytest.raises(StartError, match=r"Too many open files in system$"):
        await BridgeServer(SimulatedBridge()).start("127.0.0.1", 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bridges": 0}, "0 bridges are none, simulate at least 1"),
        ({"port": 65534}, "3 bridges from port 65534 need ports above 65535, start lower"),
        ({"speedup": 0.0}, "speedup 0 does not run time forward, use 1 or more"),
        ({"speedup": float("nan")}, "speedup nan does not run time forward, use 1 or more"),
        ({"faults": [FaultSpec("hang", 4)]}, "fault hang@4 is for bridge 4, but there are only 3"),
    ],
)
def test_impossible_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}$"):
        Simulation(**options)  # type: ignore[arg-type]


async def test_describe_tells_a_person_what_is_there() -> None:
    faults = [FaultSpec("wired"), FaultSpec("hang", 2)]
    async with Simulation(port=0, bridges=4, faults=faults) as simulation:
        lines = describe(simulation)
        first, second, *_ = simulation.bridges
    assert lines[0] == (
        f"http://127.0.0.1:{first.port}  {first.name}  meter {first.meter}  "
        "home with PV and heat pump  faults: wired"
    )
    assert lines[1] == (
        f"http://127.0.0.1:{second.port}  {second.name}  meter {second.meter}  "
        "home with PV  faults: hang, wired"
    )
    assert "  home with heat pump  " in lines[2]
    assert "  home  " in lines[3]


async def test_faults_are_switched_by_name() -> None:
    simulation = Simulation(bridges=3, faults=[FaultSpec("wired")])
    simulation.switch(FaultSpec("hang", 2), FaultSpec("doubled"), endpoints=["status"])
    assert [bridge.faults for bridge in simulation.bridges] == [
        {"doubled"},
        {"doubled", "hang"},
        {"doubled"},
    ]
    assert [bridge.wire_faults("reading") for bridge in simulation.bridges] == [set()] * 3
    assert simulation.bridges[1].wire_faults("status") == {"doubled", "hang"}
    with pytest.raises(ConfigError, match="there are only 3"):
        simulation.switch(FaultSpec("hang", 4))
    simulation.switch()
    assert [bridge.faults for bridge in simulation.bridges] == [set()] * 3
    assert simulation.bridges[1].endpoints == {"reading", "status"}


async def test_describe_is_silent_about_no_faults() -> None:
    assert "faults" not in describe(Simulation(bridges=1))[0]


async def test_options_reach_the_bridges(clock: Clock) -> None:
    simulation = Simulation(seed=7, bridges=2, speedup=60, interval=15, firmware="old", clock=clock)
    for number, bridge in enumerate(simulation.bridges, 1):
        assert bridge.name == SimulatedBridge(number, seed=7).name
        assert (bridge.home.speedup, bridge.interval, bridge.firmware) == (60, 15, "old")
        assert bridge.clock is clock


def test_zeroconf_is_imported_only_to_announce() -> None:
    code = "import sys, iometer_exporter.simulator; sys.exit('zeroconf' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_simulator_knows_nothing_of_the_exporter() -> None:
    code = (
        "import sys, iometer_exporter.simulator.announce\n"
        "print(*sorted(m for m in sys.modules if m.startswith('iometer_exporter.')"
        " and not m.startswith('iometer_exporter.simulator')))"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert run.stdout.split() == ["iometer_exporter.errors"]
