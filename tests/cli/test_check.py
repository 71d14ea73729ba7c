"""`check` of bridges that are named, configured or found by mDNS."""

import json
import os
import pty
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from iometer_exporter.bridges import selection
from iometer_exporter.bridges.discovery.announcements import Service
from iometer_exporter.bridges.discovery.browser import Discovery
from iometer_exporter.bridges.selection import choose
from iometer_exporter.config.file import BridgeConfig, Config, DiscoveryConfig, parse_bridge
from iometer_exporter.errors import DiscoveryError, IOmeterError
from iometer_exporter.net.addresses import Address
from tests import documents
from tests.cli.test_cli import core, healthy
from tests.commands import run
from tests.processes import CLEAN_ENVIRONMENT, COMMAND
from tests.rawserver import bridge, hanging, served

LOOPBACK = DiscoveryConfig(interfaces=("127.0.0.1",))


@pytest.fixture
def two() -> Iterator[tuple[Address, Address]]:
    """A good bridge, and one whose battery is low."""
    ill = healthy(device_id="ill", core=core(batteryLevel=7))
    with served(healthy()) as first, served(ill) as second:
        yield first, second


def heads(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("Bridge ")]


def test_all_configured_bridges_are_checked(tmp_path: Path, two: tuple[Address, Address]) -> None:
    first, second = two
    file = tmp_path / "iometer.yml"
    file.write_text(f"bridges: [house={first}, barn={second}]\n")
    for words, env in (
        (["--config.file", str(file)], {}),
        (["--bridge", f"house={first},barn={second}"], {}),
        ([], {"IOMETER_EXPORTER_BRIDGE": f"house={first} barn={second}"}),
        ([], {"IOMETER_EXPORTER_CONFIG_FILE": str(file)}),
    ):
        result = run("check", *words, env=env)
        assert (result.returncode, result.stderr) == (1, "")
        assert heads(result.stdout) == ["Bridge house: answers", "Bridge barn: answers"]
        assert result.stdout.splitlines()[-1] == "2 bridges, something is wrong with 1: barn."


def test_some_of_them_by_name_or_address(tmp_path: Path, two: tuple[Address, Address]) -> None:
    first, second = two
    file = tmp_path / "iometer.yml"
    file.write_text(f"bridges: [house={first}, barn={second}]\n")
    result = run("check", "house", "--config.file", str(file))
    assert (result.returncode, heads(result.stdout)) == (0, ["Bridge house: answers"])
    assert result.stdout.splitlines()[-1] == "Nothing is wrong."
    result = run("check", str(first), f"shed={second}", "--config.file", str(file))
    assert heads(result.stdout) == [f"Bridge {first}: answers", "Bridge shed: answers"]


def test_several_as_json_are_a_list(two: tuple[Address, Address]) -> None:
    first, second = two
    found = json.loads(run("check", f"house={first}", f"barn={second}", "--json").stdout)
    assert [each["bridge"] for each in found] == ["house", "barn"]
    [alone] = json.loads(run("check", "--bridge", f"house={first}", "--json").stdout)
    assert alone["bridge"] == "house"


def test_two_names_of_one_device_are_a_warning(two: tuple[Address, Address]) -> None:
    with served(healthy()) as again:
        result = run("check", f"house={two[0]}", f"barn={again}")
    assert (result.returncode, heads(result.stdout)) == (0, ["Bridge house: answers"])
    assert result.stderr == "Warning: barn is another address of a bridge that is shown\n"


def test_what_is_unknown_is_null() -> None:
    handler = bridge(lambda: documents.reading(time.time(), meter=None), lambda: documents.status(meter=None))
    with served(handler) as address:
        found = json.loads(run("check", str(address), "--json").stdout)
    assert found["meter"] is None
    assert "" not in found["status"].values()
    assert found["reading"]["time"].endswith("+00:00")


def test_a_firmware_without_status_is_said_to_have_none() -> None:
    with served(bridge(lambda: documents.reading(time.time()), lambda: b"")) as address:
        result = run("check", str(address))
    assert result.returncode == 0
    assert result.stdout.endswith("\n\nNo status: this firmware has none.\n\nNothing is wrong.\n")


def test_the_time_is_that_of_the_clock_on_the_wall(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Kolkata")
        time.tzset()
        with served(healthy()) as address:
            result = run("check", str(address))
    time.tzset()
    assert " IST (" in result.stdout


@pytest.mark.parametrize(
    ("handler", "head"),
    [
        (hanging, "does not answer"),
        (bridge(lambda: b"", lambda: b""), "does not answer as a bridge"),
    ],
)
def test_who_does_not_answer_and_who_is_no_bridge(handler: object, head: str) -> None:
    with served(handler) as address:  # type: ignore[arg-type]
        result = run("check", str(address), "--timeout", "300ms")
    assert heads(result.stdout) == [f"Bridge {address}: {head}"]


def test_it_says_that_it_asks_when_it_takes_more_than_a_moment() -> None:
    with served(hanging) as address:
        result = run("check", f"house={address}", "--timeout", "1200ms")
    assert result.stderr == "Asking house …\n"


def test_it_says_at_once_that_it_asks_on_a_terminal() -> None:
    controller, terminal = pty.openpty()
    with served(healthy()) as address:
        done = subprocess.run(
            [*COMMAND, "check", f"house={address}"],
            stdout=subprocess.PIPE,
            stderr=terminal,
            env=CLEAN_ENVIRONMENT,
            check=False,
            timeout=30,
        )
    said = os.read(controller, 1000).decode()
    os.close(terminal)
    os.close(controller)
    assert (done.returncode, said) == (0, "Asking house …\r\n")


@pytest.fixture
def announced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two bridges that announce themselves."""
    services = [
        Service("IOmeter-B2", "iometer-b2.local", (Address("192.0.2.2", 81),)),
        Service("IOmeter-A1", "iometer-a1.local", (Address("192.0.2.1"), Address("fd00::1"))),
    ]
    monkeypatch.setattr(Discovery, "services", lambda _self: services)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("IOmeter-A1", Address("192.0.2.1")),
        ("iometer-a1", Address("192.0.2.1")),
        ("iometer-a1.local", Address("192.0.2.1")),
        ("IOMETER-B2.local.", Address("192.0.2.2", 81)),
        ("iometer-b2.local:81", Address("192.0.2.2", 81)),
        # Another device at that host.
        ("iometer-b2.local:82", Address("iometer-b2.local", 82)),
        ("192.0.2.7", Address("192.0.2.7")),
        ("bridge.example.org", Address("bridge.example.org")),
        ("localhost:81", Address("localhost", 81)),
    ],
)
@pytest.mark.usefixtures("announced")
async def test_a_bridge_is_known_by_the_names_that_it_announces(text: str, address: Address) -> None:
    [found] = await choose([parse_bridge(text)], Config(discovery=LOOPBACK), look=0.2)
    assert (found.name, found.address) == (text, address)


@pytest.mark.usefixtures("announced")
async def test_without_a_name_and_a_configuration_all_that_announce_themselves_are_asked() -> None:
    found = await choose([], Config(discovery=LOOPBACK), look=0.01)
    assert [(each.name, each.address.host) for each in found] == [
        ("IOmeter-A1", "192.0.2.1"),
        ("IOmeter-B2", "192.0.2.2"),
    ]


async def test_nobody_there_and_nobody_to_look_for() -> None:
    with pytest.raises(IOmeterError, match=r"^no bridge has announced itself"):
        await choose([], Config(discovery=LOOPBACK), look=0.01)
    with pytest.raises(IOmeterError, match=r"^no bridge is configured and discovery is off"):
        await choose([], Config(discovery=DiscoveryConfig(enabled=False)))


async def test_without_mdns_a_name_is_asked_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    async def impossible(_self: Discovery) -> None:
        raise DiscoveryError("mDNS is not available")

    monkeypatch.setattr(Discovery, "browse", impossible)
    bridge = BridgeConfig(Address("iometer-a1.local"), "house")
    assert await choose([bridge], Config()) == [bridge]
    with pytest.raises(DiscoveryError):
        await choose([], Config())


async def test_what_the_system_knows_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "_MDNS_FIRST_SECONDS", 0.05)
    known = BridgeConfig(Address(socket.gethostname()), "here")
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", ("127.0.0.1", 0))])
    started = time.monotonic()
    for each in (known, BridgeConfig(Address("here.local"), "here.local")):
        assert await choose([each], Config(discovery=LOOPBACK), look=30.0) == [each]
    assert time.monotonic() - started < 10


async def test_an_address_is_asked_once() -> None:
    twice = [parse_bridge("a=192.0.2.1"), parse_bridge("b=192.0.2.1:80")]
    assert [each.name for each in await choose(twice, Config())] == ["a"]


def test_a_configuration_that_cannot_be_read_is_one_sentence() -> None:
    result = run("check", env={"IOMETER_EXPORTER_CONFIG_FILE": "/nope.yml"})
    assert (result.returncode, result.stderr) == (
        1,
        "Error: cannot read /nope.yml: No such file or directory\n",
    )
