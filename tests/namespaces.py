"""Two network namespaces and a cable between them that loses and delays frames, or is pulled out.

The cable is this process: it holds both ends as TAP devices and carries the frames from one to the other.
The kernel's own emulation (netem) is a module that many machines do not have.
"""

import ctypes
import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from tests.conftest import require_program

_TUNSETIFF: Final = 0x400454CA
_IFF_TAP, _IFF_NO_PI = 0x0002, 0x1000
_CLONE_NEWNET: Final = 0x40000000
_LONGEST_FRAME: Final = 65_536


class Cable:
    """Carries frames between two TAP devices until it is closed; its properties may change at any time."""

    def __init__(self, ends: tuple[int, int]) -> None:
        self.loss = 0.0
        """Part of the frames that get lost, from 0 to 1."""
        self.delay = 0.0
        """Seconds that each frame takes, in each direction."""
        self.lost = 0
        """Frames lost so far."""
        self._ends = ends
        self._random = random.Random(1)
        self._stop, self._stopped = os.pipe()
        self._thread = threading.Thread(target=self._carry)
        self._thread.start()

    def close(self) -> None:
        """End the carrying; the devices vanish."""
        os.write(self._stopped, b"x")
        self._thread.join()
        for descriptor in (*self._ends, self._stop, self._stopped):
            os.close(descriptor)

    def _carry(self) -> None:
        under_way: list[tuple[float, int, int, bytes]] = []
        number = 0
        while True:
            patience = max(0.0, under_way[0][0] - time.monotonic()) if under_way else None
            readable, _, _ = select.select([*self._ends, self._stop], [], [], patience)
            if self._stop in readable:
                return
            for end in readable:
                frame = os.read(end, _LONGEST_FRAME)
                other = self._ends[1 - self._ends.index(end)]
                if self._random.random() < self.loss:
                    self.lost += 1
                    continue
                number += 1
                heapq.heappush(under_way, (time.monotonic() + self.delay, number, other, frame))
            while under_way and under_way[0][0] <= time.monotonic():
                _, _, end, frame = heapq.heappop(under_way)
                try:
                    os.write(end, frame)
                except OSError:
                    # The device at that end is down.
                    self.lost += 1


@dataclass(frozen=True, slots=True)
class Namespace:
    """A network namespace with one device, `link`."""

    name: str
    link: str
    _threads: ThreadPoolExecutor = field(repr=False)

    def ip(self, *words: str) -> None:
        """Run `ip` in it."""
        _ip("-n", self.name, *words)

    def command(self, *words: str) -> list[str]:
        """A command line that runs in it."""
        return ["ip", "netns", "exec", self.name, *words]

    def get(self, url: str, timeout: float | None = None) -> str:
        """The body at a URL, asked from within; the timeout is that of a Prometheus, in seconds."""
        return self._threads.submit(_get, url, timeout).result()


@dataclass(frozen=True, slots=True)
class Network:
    """Where the exporter is, where its bridges are, and what lies between them."""

    here: Namespace
    there: Namespace
    cable: Cable


@contextmanager
def network() -> Iterator[Network]:
    """Two namespaces without addresses; the test is skipped where a machine does not allow them."""
    require_program("ip")
    with ExitStack() as stack:
        try:
            here, here_end = _namespace("here", stack)
            there, there_end = _namespace("there", stack)
        except (OSError, subprocess.CalledProcessError) as error:
            reason = getattr(error, "stderr", None) or str(error)
            pytest.skip(f"this machine allows no network namespaces: {reason.strip()}")
        cable = Cable((here_end, there_end))
        stack.callback(cable.close)
        yield Network(here, there, cable)


def _namespace(part: str, stack: ExitStack) -> tuple[Namespace, int]:
    name, link = f"iometer-{os.getpid()}-{part}", f"io{os.getpid() % 10**7}{part[0]}"
    _ip("netns", "add", name)
    stack.callback(_ip, "netns", "delete", name)
    descriptor = os.open("/dev/net/tun", os.O_RDWR)
    try:
        fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", link.encode(), _IFF_TAP | _IFF_NO_PI))
        _ip("link", "set", link, "netns", name)
        _ip("-n", name, "link", "set", "lo", "up")
        _ip("-n", name, "link", "set", link, "up")
    except BaseException:
        os.close(descriptor)
        raise
    threads = ThreadPoolExecutor(4, initializer=_enter, initargs=(name,))
    stack.callback(threads.shutdown)
    return Namespace(name, link, threads), descriptor


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


def _enter(name: str) -> None:
    """Move this thread, and no other, into a namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path(f"/run/netns/{name}").open() as file:
        if libc.setns(file.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter {name}")


def _get(url: str, timeout: float | None) -> str:
    headers = {} if timeout is None else {"X-Prometheus-Scrape-Timeout-Seconds": f"{timeout:g}"}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(url, headers=headers), timeout=60) as answer:
        body = answer.read()
    assert isinstance(body, bytes)
    return body.decode()
