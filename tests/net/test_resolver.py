import asyncio
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from iometer_exporter.net import resolver as resolve_module
from iometer_exporter.net.addresses import Address
from iometer_exporter.net.resolver import Resolver, literal
from tests.waiting import PATIENCE, until


class Names:
    """A name service: names are known, unknown, or hang until they are released."""

    def __init__(self) -> None:
        self.known: dict[str, list[str]] = {}
        self.asked: Counter[str] = Counter()
        self.running: Counter[str] = Counter()
        self.most_running = 0
        self._hanging: dict[str, threading.Event] = {}
        self._lock = threading.Lock()

    def hang(self, *names: str) -> None:
        """Answer nothing for these names until `release`."""
        for name in names:
            self._hanging[name] = threading.Event()

    def release(self, *names: str) -> None:
        """Answer for these names, or for all."""
        for name in names or tuple(self._hanging):
            self._hanging.pop(name).set()

    def getaddrinfo(self, host: str, _port: object, **_options: object) -> list[object]:
        """In place of the socket module's."""
        with self._lock:
            self.asked[host] += 1
            self.running[host] += 1
            self.most_running = max(self.most_running, self.running.total())
        try:
            if (event := self._hanging.get(host)) is not None:
                event.wait(PATIENCE)
            if host not in self.known:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 0)) for ip in self.known[host]]
        finally:
            with self._lock:
                self.running[host] -= 1


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    service = Names()
    monkeypatch.setattr(socket, "getaddrinfo", service.getaddrinfo)
    yield service
    service.release()


async def hosts(resolver: Resolver, name: str) -> list[str]:
    async with asyncio.timeout(PATIENCE):
        return [address.host for address in await resolver.resolve(Address(name))]


def last(resolver: Resolver, name: str) -> list[str]:
    return [address.host for address in resolver.last(Address(name))]


@pytest.mark.parametrize(
    ("host", "resolved"),
    [
        ("192.168.1.50", "192.168.1.50"),
        ("FD00:0::1", "fd00::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
    ],
)
async def test_an_address_is_what_it_is_at_once(names: Names, host: str, resolved: str) -> None:
    resolver = Resolver()
    expected = (Address(resolved, 81),)
    assert await resolver.resolve(Address(host, 81)) == expected
    assert resolver.last(Address(host, 81)) == expected
    assert not names.asked


@pytest.mark.parametrize("host", ["house", "fe80::1%" + "x" * 16, "fe80::1%a b", "fe80::1%", "10.0.0.1%eth0"])
def test_what_is_no_address_is_none(host: str) -> None:
    assert literal(host) is None


async def test_a_name_gives_its_addresses_in_order_and_once_each(names: Names) -> None:
    names.known["house"] = ["fd00::1", "10.0.0.1", "fd00::1", "::ffff:10.0.0.1", "fe80::1%" + "x" * 99]
    resolver = Resolver()
    found = await resolver.resolve(Address("House", 81))
    assert found == (Address("fd00::1", 81), Address("10.0.0.1", 81))
    assert resolver.last(Address("hOUSE", 82)) == (Address("fd00::1", 82), Address("10.0.0.1", 82))


async def test_a_name_of_thousands_of_addresses_is_bounded(names: Names) -> None:
    names.known["house"] = [f"10.0.{index // 256}.{index % 256}" for index in range(3000)]
    assert len(await hosts(Resolver(), "house")) == 16


async def test_a_name_that_does_not_resolve_has_no_address(names: Names) -> None:
    resolver = Resolver()
    assert await hosts(resolver, "nobody") == []
    assert last(resolver, "nobody") == []
    names.known["nobody"] = ["10.0.0.1"]
    assert await hosts(resolver, "nobody") == ["10.0.0.1"]


@pytest.mark.parametrize("error", [UnicodeError("label too long"), OSError(11), ValueError("null")])
async def test_whatever_a_lookup_raises_it_ends(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", broken)
    resolver = Resolver()
    for _ in range(2):
        assert await hosts(resolver, "house") == []


async def test_a_host_without_a_thread_left_resolves_nothing_and_goes_on(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    names.known["house"] = ["10.0.0.1"]
    resolver = Resolver()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none_left)
        for index in range(40):
            assert await hosts(resolver, f"house{index}") == []
    assert await hosts(resolver, "house") == ["10.0.0.1"]


async def test_one_lookup_serves_all_who_wait_also_after_those_before_gave_up(names: Names) -> None:
    names.known["house"] = ["10.0.0.1"]
    names.hang("house")
    resolver = Resolver()
    waiting = [asyncio.create_task(hosts(resolver, "house")) for _ in range(5)]
    await until(lambda: names.running["house"] == 1)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    patient = asyncio.create_task(hosts(resolver, "house"))
    await asyncio.sleep(0)
    names.release("house")
    assert await patient == ["10.0.0.1"]
    assert names.asked["house"] == 1
    # The next one who asks is a new question.
    assert await hosts(resolver, "house") == ["10.0.0.1"]
    assert names.asked["house"] == 2


async def test_the_answer_of_an_abandoned_lookup_is_remembered(names: Names) -> None:
    names.known["house"] = ["10.0.0.1"]
    names.hang("house")
    resolver = Resolver()
    waiting = asyncio.create_task(hosts(resolver, "house"))
    await until(lambda: names.running["house"] == 1)
    waiting.cancel()
    names.release("house")
    await until(lambda: last(resolver, "house") == ["10.0.0.1"])


@pytest.mark.parametrize("hanging", [2, 40, 1000])
async def test_names_that_hang_hold_up_no_others(names: Names, hanging: int) -> None:
    """Neither strangers the configured ones, nor those that never resolved those that did."""
    dead = [f"dead{index}" for index in range(hanging)]
    strangers = [f"stranger{index}" for index in range(hanging)]
    names.known = {"house": ["10.0.0.1"], "barn": ["10.0.0.2"], "guest": ["10.0.0.3"]}
    resolver = Resolver()
    resolver.configure(["house", "Barn", *dead])
    assert await hosts(resolver, "house") == ["10.0.0.1"]
    assert await hosts(resolver, "guest") == ["10.0.0.3"]
    names.hang(*strangers)
    tasks = [asyncio.create_task(hosts(resolver, name)) for name in strangers]
    await until(lambda: names.running.total() >= min(hanging, 16))
    # One that is configured and never resolved before, while strangers hang.
    assert await hosts(resolver, "barn") == ["10.0.0.2"]
    names.hang(*dead)
    tasks += [asyncio.create_task(hosts(resolver, name)) for name in dead]
    await until(lambda: names.running.total() >= 2 * min(hanging, 16))
    # Those that resolved before, while all others hang.
    names.known["house"] = ["10.0.0.4"]
    names.known["guest"] = ["10.0.0.5"]
    assert await hosts(resolver, "house") == ["10.0.0.4"]
    assert await hosts(resolver, "guest") == ["10.0.0.5"]
    # Nor is anything else held up that the loop does in threads.
    assert await asyncio.to_thread(lambda: "done") == "done"
    assert names.most_running <= 4 * 16
    assert max(names.asked[name] for name in dead + strangers) == 1
    # However many are configured, each waits for its turn.
    assert not any(task.done() for task in tasks[hanging:])
    resolver.close()
    assert await asyncio.gather(*tasks) == [[]] * (2 * hanging)


async def test_names_that_wait_for_their_turn_get_it(names: Names) -> None:
    dead = [f"dead{index}" for index in range(16)]
    names.known["house"] = ["10.0.0.1"]
    names.hang(*dead)
    resolver = Resolver()
    resolver.configure(["house", *dead])
    tasks = [asyncio.create_task(hosts(resolver, name)) for name in dead]
    await until(lambda: names.running.total() == 16)
    late = asyncio.create_task(hosts(resolver, "house"))
    await asyncio.sleep(0)
    assert names.asked["house"] == 0
    names.release("dead3")
    assert await late == ["10.0.0.1"]
    assert names.most_running == 16
    names.release()
    assert await asyncio.gather(*tasks) == [[]] * 16


async def test_more_strangers_than_may_wait_give_up_the_oldest(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolve_module, "_MOST_QUEUED", 2)
    names.hang(*(f"dead{index}" for index in range(16)))
    names.known = {f"late{index}": [f"10.0.0.{index}"] for index in range(3)}
    resolver = Resolver()
    tasks = [asyncio.create_task(hosts(resolver, f"dead{index}")) for index in range(16)]
    await until(lambda: names.running.total() == 16)
    late = [asyncio.create_task(hosts(resolver, f"late{index}")) for index in range(3)]
    assert await late[0] == []
    names.release()
    assert await asyncio.gather(*late[1:]) == [["10.0.0.1"], ["10.0.0.2"]]
    await asyncio.gather(*tasks)


async def test_the_last_address_stands_in_while_a_name_does_not_resolve(names: Names) -> None:
    names.known["house"] = ["10.0.0.1"]
    resolver = Resolver()
    assert await hosts(resolver, "house") == ["10.0.0.1"]
    del names.known["house"]
    for _ in range(3):
        assert await hosts(resolver, "house") == ["10.0.0.1"]
    await until(lambda: not resolver._lookups)
    names.known["house"] = ["10.0.0.2"]
    # Asked for in the background by now, and waited for again once it has answered.
    await hosts(resolver, "house")
    await until(lambda: last(resolver, "house") == ["10.0.0.2"])
    names.known["house"] = ["10.0.0.3"]
    assert await hosts(resolver, "house") == ["10.0.0.3"]


async def test_the_last_address_stands_in_while_the_name_server_is_silent(names: Names) -> None:
    names.known["house"] = ["10.0.0.1"]
    resolver = Resolver()
    await hosts(resolver, "house")
    names.hang("house")
    assert await hosts(resolver, "house") == ["10.0.0.1"]
    started = time.monotonic()
    for _ in range(100):
        assert await hosts(resolver, "house") == ["10.0.0.1"]
    # Waited for once, not a hundred times.
    assert time.monotonic() - started < 100 * resolve_module._PATIENCE_SECONDS
    assert names.asked["house"] == 2
    names.known["house"] = ["10.0.0.2"]
    names.release()
    await until(lambda: last(resolver, "house") == ["10.0.0.2"])


async def test_a_lookup_that_outlived_a_short_scrape_is_not_waited_for_by_the_next(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    names.known["house"] = ["10.0.0.1"]
    resolver = Resolver()
    await hosts(resolver, "house")
    names.hang("house")
    impatient = asyncio.create_task(hosts(resolver, "house"))
    await until(lambda: names.running["house"] == 1)
    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    # As if the scrape interval had passed.
    later = time.monotonic() + 15
    monkeypatch.setattr(time, "monotonic", lambda: later)
    waiting = asyncio.create_task(resolver.resolve(Address("house")))
    for _ in range(5):
        await asyncio.sleep(0)
    assert waiting.done()
    assert waiting.result() == (Address("10.0.0.1"),)


async def test_a_name_that_did_not_resolve_is_not_waited_for_while_its_last_address_is_known(
    names: Names,
) -> None:
    names.known["house"] = ["10.0.0.1"]
    resolver = Resolver()
    await hosts(resolver, "house")
    del names.known["house"]
    assert await hosts(resolver, "house") == ["10.0.0.1"]
    names.hang("house")
    waiting = asyncio.create_task(resolver.resolve(Address("house")))
    for _ in range(5):
        await asyncio.sleep(0)
    assert waiting.done()
    assert waiting.result() == (Address("10.0.0.1"),)


async def test_the_last_address_stands_in_for_a_day(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    names.known["house"] = ["10.0.0.1"]
    resolver = Resolver()
    await hosts(resolver, "house")
    del names.known["house"]
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 86399)
    assert await hosts(resolver, "house") == ["10.0.0.1"]
    monkeypatch.setattr(time, "monotonic", lambda: now + 86401)
    assert last(resolver, "house") == []
    await until(lambda: not resolver._lookups)
    assert await hosts(resolver, "house") == []


async def test_only_so_many_strangers_are_remembered_and_no_configured_name_is_displaced(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolve_module, "_MOST_REMEMBERED", 2)
    names.known = {name: ["10.0.0.1"] for name in ("house", "a", "b", "c")}
    resolver = Resolver()
    resolver.configure(["house"])
    for name in ("house", "a", "b", "a", "c"):
        await hosts(resolver, name)
    remembered = [name for name in ("house", "a", "b", "c") if last(resolver, name)]
    assert remembered == ["house", "a", "c"]


async def test_a_closed_resolver_asks_nobody(names: Names) -> None:
    names.known = {"house": ["10.0.0.1"], "barn": ["10.0.0.2"]}
    names.hang("house", "barn")
    resolver = Resolver()
    waiting = asyncio.create_task(hosts(resolver, "barn"))
    await until(lambda: names.running["barn"] == 1)
    resolver.close()
    assert await waiting == []
    assert await hosts(resolver, "house") == []
    assert names.asked["house"] == 0
    names.release()
    await until(lambda: not names.running.total())
    await asyncio.sleep(0.01)
    assert last(resolver, "barn") == []


def test_a_name_that_hangs_holds_up_neither_loop_nor_process() -> None:
    """The process ends while the lookup is still under way: no thread of it is waited for."""
    program = (
        "import asyncio, socket, threading\n"
        "from iometer_exporter.net.resolver import Resolver\n"
        "from iometer_exporter.net.addresses import Address\n"
        "started = threading.Event()\n"
        "def hang(*_, **__):\n"
        "    started.set()\n"
        "    threading.Event().wait()\n"
        "socket.getaddrinfo = hang\n"
        "async def main():\n"
        "    task = asyncio.create_task(Resolver().resolve(Address('house')))\n"
        "    while not started.is_set():\n"
        "        await asyncio.sleep(0.001)\n"
        "    task.cancel()\n"
        "asyncio.run(main())\n"
        "print('over')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert (done.stdout, done.stderr) == ("over\n", "")
