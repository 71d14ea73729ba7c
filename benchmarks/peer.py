"""json_exporter, the usual exporter for JSON over HTTP, as a process that is asked for the same documents.

It needs two probes a bridge, as it takes one document at a time. It makes of them about what this exporter
does: every register with its unit, and every field of the status.
"""

import json
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from benchmarks.floor import Target
from devtools.processes import Process, free_port, get, started
from devtools.waiting import eventually

_REGISTERS: Final = "{ .meter.reading.registers[*] }"


def _value(name: str, path: str, **labels: str) -> dict[str, Any]:
    return {"name": name, "path": path, "help": name, "labels": labels}


def _object(name: str, path: str, values: dict[str, str], **labels: str) -> dict[str, Any]:
    return {"name": name, "type": "object", "path": path, "help": name, "values": values, "labels": labels}


def _register(name: str, obis: str) -> dict[str, Any]:
    path = f'{{ .meter.reading.registers[?(@.obis == "{obis}")] }}'
    return _object(name, path, {"value": "{ .value }"})


_METER: Final = "{ .meter.number }"
_CONFIG: Final = {
    "modules": {
        "reading": {
            "metrics": [
                _object("register", _REGISTERS, {"value": "{ .value }"}, obis="{ .obis }", unit="{ .unit }"),
                _register("energy_import", "01-00:01.08.00*ff"),
                _register("energy_export", "01-00:02.08.00*ff"),
                _register("power", "01-00:10.07.00*ff"),
            ]
        },
        "status": {
            "metrics": [
                _value("bridge_rssi_dbm", "{ .device.bridge.rssi }", meter=_METER),
                _value("core_rssi_dbm", "{ .device.core.rssi }", meter=_METER),
                _value("core_battery_level", "{ .device.core.batteryLevel }", meter=_METER),
                _object(
                    "bridge_info",
                    "{ .device }",
                    {"info": "1"},
                    id="{ .id }",
                    version="{ .bridge.version }",
                    core="{ .core.version }",
                    connection="{ .core.connectionStatus }",
                    attachment="{ .core.attachmentStatus }",
                    power="{ .core.powerStatus }",
                    pin="{ .core.pinStatus }",
                ),
            ]
        },
    }
}


@contextmanager
def json_exporter(binary: str, folder: Path) -> Iterator[tuple[Process, int]]:
    """The program on a free port of this host, from when it answers."""
    config, port = folder / "json_exporter.yml", free_port()
    config.write_text(json.dumps(_CONFIG))
    command = [
        binary,
        f"--config.file={config}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    ]
    with started(command, folder / "json_exporter.log") as process:
        eventually(lambda: _answers(port))
        yield process, port


def probes(port: int, bridges: list[int]) -> list[Target]:
    """What to ask json_exporter for to get both documents of each bridge."""
    documents = [
        (kind, f"http://127.0.0.1:{bridge}/v1/{kind}") for bridge in bridges for kind in ("reading", "status")
    ]
    return [
        Target(port, f"/probe?{urllib.parse.urlencode({'module': kind, 'target': url})}")
        for kind, url in documents
    ]


def _answers(port: int) -> bool:
    try:
        return bool(get(f"http://127.0.0.1:{port}/metrics"))
    except OSError:
        return False
