"""The exporter and its bridges with a bad network between them, in namespaces of their own."""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.namespaces import Network, network
from tests.processes import COMMAND, Process, started
from tests.waiting import eventually

pytestmark = pytest.mark.end_to_end

HERE, THERE, MOVED = "10.77.0.1", "10.77.0.2", "10.77.0.3"
PORT = 18080
PATIENCE = 60.0


@pytest.fixture(scope="module")
def lan() -> Iterator[Network]:
    with network() as made:
        yield made


@pytest.fixture
def ipv4(lan: Network) -> Iterator[Network]:
    """The two ends with IPv4 addresses, a whole cable and nothing else."""
    for end, address in ((lan.here, HERE), (lan.there, THERE)):
        end.ip("address", "flush", "dev", end.link)
        end.ip("address", "add", f"{address}/24", "dev", end.link)
        end.ip("route", "replace", "224.0.0.0/4", "dev", end.link)
    yield lan
    lan.cable.loss = lan.cable.delay = 0.0


@contextmanager
def simulator(lan: Network, folder: Path, *options: str) -> Iterator[Process]:
    command = lan.there.command(*COMMAND, "simulate", "--port", str(PORT), *options)
    with started(command, folder / "simulator.log") as process:
        process.wait_for(r"http://", PATIENCE)
        yield process


@contextmanager
def exporter(lan: Network, folder: Path, *options: str) -> Iterator[str]:
    """The URL of an exporter, for those in its namespace."""
    command = lan.here.command(*COMMAND, "serve", "--web.listen-address", "127.0.0.1:10180", *options)
    with started(command, folder / "exporter.log") as process:
        process.wait_for(r"address=http://127.0.0.1:10180/", PATIENCE)
        yield "http://127.0.0.1:10180"


def up(text: str) -> dict[str, float]:
    """`iometer_endpoint_up` by endpoint, of the only bridge."""
    found = re.findall(r'^iometer_endpoint_up\{.*endpoint="(\w+)"\} (\S+)$', text, re.MULTILINE)
    assert len(found) == len(dict(found))
    return {endpoint: float(value) for endpoint, value in found}


WHOLE = {"reading": 1, "status": 1}


def test_loss_and_delay_cost_time_and_nothing_else(ipv4: Network, tmp_path: Path) -> None:
    with (
        simulator(ipv4, tmp_path, "--host", THERE),
        exporter(ipv4, tmp_path, "--no-discovery", "--timeout", "30s", "--bridge", f"{THERE}:{PORT}") as url,
    ):
        ipv4.cable.loss, ipv4.cable.delay = 0.05, 0.02
        for _ in range(15):
            assert up(ipv4.here.get(f"{url}/metrics")) == WHOLE
        assert ipv4.cable.lost
        ipv4.cable.loss = ipv4.cable.delay = 0.0
        assert up(ipv4.here.get(f"{url}/metrics", 10)) == WHOLE


@pytest.mark.parametrize("end", ["here", "there"])
def test_a_cable_pulled_in_the_middle_of_a_scrape(ipv4: Network, tmp_path: Path, end: str) -> None:
    """The other end notices nothing, and a kept connection is dead without a word."""
    side = ipv4.here if end == "here" else ipv4.there
    address = HERE if end == "here" else THERE
    with (
        simulator(ipv4, tmp_path, "--host", THERE, "--latency", "400ms"),
        exporter(ipv4, tmp_path, "--no-discovery", "--timeout", "3s", "--bridge", f"{THERE}:{PORT}") as url,
    ):
        assert up(ipv4.here.get(f"{url}/metrics", 20)) == WHOLE
        pulling = threading.Timer(0.2, side.ip, ("link", "set", side.link, "down"))
        pulling.start()
        began = time.monotonic()
        text = ipv4.here.get(f"{url}/metrics", 20)
        assert time.monotonic() - began < 20
        assert up(text) == {"reading": 0, "status": 0}
        pulling.join()
        assert up(ipv4.here.get(f"{url}/metrics", 1)) == {"reading": 0, "status": 0}
        side.ip("link", "set", side.link, "up")
        side.ip("address", "replace", f"{address}/24", "dev", side.link)
        assert up(ipv4.here.get(f"{url}/metrics", 20)) == WHOLE


def test_a_kept_connection_that_the_network_has_forgotten(ipv4: Network, tmp_path: Path) -> None:
    """A router between that forgets connections: the bridge never hears of the request on the old one."""
    with (
        simulator(ipv4, tmp_path, "--host", THERE),
        exporter(ipv4, tmp_path, "--no-discovery", "--bridge", f"{THERE}:{PORT}") as url,
    ):
        assert up(ipv4.here.get(f"{url}/metrics", 20)) == WHOLE
        # The bridge is another one now that knows nothing of the connection, and says so to nobody.
        ipv4.there.ip("address", "delete", f"{THERE}/24", "dev", ipv4.there.link)
        ipv4.there.ip("address", "add", f"{MOVED}/24", "dev", ipv4.there.link)
        assert up(ipv4.here.get(f"{url}/metrics", 2)) == {"reading": 0, "status": 0}
        ipv4.there.ip("address", "add", f"{THERE}/24", "dev", ipv4.there.link)
        assert up(ipv4.here.get(f"{url}/metrics", 20)) == WHOLE


def test_ipv6_only(lan: Network, tmp_path: Path) -> None:
    for end, address in ((lan.here, "fd77::1"), (lan.there, "fd77::2")):
        end.ip("address", "flush", "dev", end.link)
        # Down and up again, for a link-local address.
        end.ip("link", "set", end.link, "down")
        end.ip("link", "set", end.link, "up")
        end.ip("address", "add", f"{address}/64", "dev", end.link, "nodad")
    with (
        simulator(lan, tmp_path, "--host", "fd77::2"),
        exporter(lan, tmp_path, "--no-discovery", "--bridge", f"[fd77::2]:{PORT}") as url,
    ):
        assert up(lan.here.get(f"{url}/metrics", 20)) == WHOLE
        assert "probe_success 1" in lan.here.get(f"{url}/probe?target=[fd77::2]:{PORT}", 20)


def test_a_bridge_that_moves_is_found_at_its_new_address(ipv4: Network, tmp_path: Path) -> None:
    def known(url: str, address: str) -> bool:
        try:
            return f'"{address}:{PORT}"' in ipv4.here.get(f"{url}/sd")
        except OSError:
            return False

    with exporter(ipv4, tmp_path) as url:
        with simulator(ipv4, tmp_path, "--host", THERE, "--mdns"):
            eventually(lambda: known(url, THERE), PATIENCE)
            assert up(ipv4.here.get(f"{url}/metrics", 20)) == WHOLE
        assert up(ipv4.here.get(f"{url}/metrics", 2)) == {"reading": 0, "status": 0}
        ipv4.there.ip("address", "flush", "dev", ipv4.there.link)
        ipv4.there.ip("address", "add", f"{MOVED}/24", "dev", ipv4.there.link)
        ipv4.there.ip("route", "replace", "224.0.0.0/4", "dev", ipv4.there.link)
        with simulator(ipv4, tmp_path, "--host", MOVED, "--mdns"):
            eventually(lambda: known(url, MOVED), PATIENCE)
            assert up(ipv4.here.get(f"{url}/metrics", 20)) == WHOLE
