"""An exporter under a flood of announcements, in a network of its own; prints as JSON what was seen.

Run by `unshare --net`: loopback is the only interface, and nobody else hears the flood.
"""

import fcntl
import json
import re
import resource
import socket
import struct
import sys
import time
from pathlib import Path

from tests import dnspackets, documents
from tests.processes import eventually, exporter, get, is_ready
from tests.rawserver import bridge, served

NAMES = 3000

_SIOCSIFFLAGS = 0x8914
_UP_LOOPBACK_MULTICAST = 0x1 | 0x8 | 0x1000


def main() -> None:
    folder, limit = Path(sys.argv[1]), sys.argv[2]
    _raise_loopback()
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
    config = folder / "config.yml"
    config.write_text(f"discovery: {{interfaces: [127.0.0.1], limit: {limit}}}\n")
    with (
        served(bridge(documents.reading, documents.status)) as configured,
        served(bridge(documents.reading, lambda: documents.status(device_id="real"))) as real,
        exporter(folder, "--config.file", str(config), "--bridge", f"house={configured}") as (process, url),
    ):
        eventually(lambda: is_ready(url), 60)
        air = _multicast()
        # One that answers, and is known to.
        _send(air, dnspackets.bridge(b"Real", bytes([127, 0, 0, 1]), real.port))
        eventually(lambda: b'iometer_up{bridge="Real"} 1.0' in get(f"{url}metrics"), 60)
        before = _memory(process.popen.pid)
        for first in range(0, NAMES, 8):
            records: list[bytes] = []
            for index in range(first, first + 8):
                # Addresses of this host on which nobody listens.
                address = bytes([127, 1, index // 250, 1 + index % 250])
                records += dnspackets.bridge(b"Rogue-%d" % index, address, 9)
            _send(air, tuple(records))
            time.sleep(0.001)
        eventually(lambda: b"iometer_discovery_limited 1.0" in get(f"{url}metrics"), 60)
        pages = [get(f"{url}metrics").decode() for _ in range(5)]
        # Names without addresses: each would be asked for during three seconds.
        for first in range(0, NAMES, 40):
            _send(air, tuple(dnspackets.ptr(b"Nobody-%d" % index) for index in range(first, first + 40)))
        pages.append(get(f"{url}metrics").decode())
        log = process.text()
        sys.stdout.write(
            json.dumps(
                {
                    "up": [sorted(re.findall(r'iometer_up\{bridge="(\S+)"\} 1.0', page)) for page in pages],
                    "bridges": [page.count("iometer_up{") for page in pages],
                    "discovered": re.findall(r'iometer_bridges\{source="discovered"\} (\S+)', pages[-1]),
                    "sizes": [len(page) for page in pages],
                    "grown": _memory(process.popen.pid) - before,
                    "lines": len(log.splitlines()),
                    "limited": log.count("than discovery.limit lets in"),
                    "faults": [line for line in log.splitlines() if "Traceback" in line or "error" in line],
                }
            )
        )
        assert process.stop(timeout=60) == 0


def _raise_loopback() -> None:
    with socket.socket() as any_socket:
        request = struct.pack("16sh14x", b"lo", _UP_LOOPBACK_MULTICAST)
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, request)


def _multicast() -> socket.socket:
    air = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    air.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    air.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    air.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
    # Answers come from port 5353, or are none.
    air.bind(("127.0.0.1", 5353))
    return air


def _send(air: socket.socket, records: tuple[bytes, ...]) -> None:
    air.sendto(dnspackets.packet(*records), ("224.0.0.251", 5353))


def _memory(pid: int) -> int:
    """Resident memory of the process in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) // 1024  # type: ignore[index]


if __name__ == "__main__":
    main()
