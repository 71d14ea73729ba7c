"""The simulated cloud as a process, and one whose stream costs it next to nothing.

    python -m benchmarks.cloud --installations N --port PORT [--prepared]

It answers one line of JSON to each line on its standard input: `busy` asks for the seconds spent on answers.
The simulated cloud takes longer to make a reading than the exporter takes to read it. With `--prepared` a
reading of the stream is text that was made once for each meter, with two times put into it, so that what
is measured is who asks. All readings of a meter show the same values then: they are older than what the
inventory has, and nobody looks at them.
"""

import argparse
import asyncio
import json
import time
from typing import Any, Final

from starlette.websockets import WebSocket

from benchmarks.questions import answer
from iometer_exporter.simulator.cloud import ProviderSimulation
from iometer_exporter.simulator.cloud.cloud import Cloud
from iometer_exporter.simulator.cloud.registers import registers, spelled
from iometer_exporter.simulator.cloud.sockets import Message, SocketHandler
from iometer_exporter.simulator.cloud.stamps import stamp

TOKEN: Final = "token"
SECRET: Final = "secret"

_TEXT: Final = b"\x81"
_SHORT: Final = 126
_UNSENT_BYTES: Final = 4 * 1024 * 1024
"""What waits in this process at most: the client is behind."""


class PreparedSockets(SocketHandler):
    """Sends readings as prepared text, in whole seconds of the stream at a time."""

    simulation: ProviderSimulation
    cloud: Cloud

    async def _feed(self, websocket: WebSocket, messages: Any, id: str) -> None:
        await messages.aclose()
        [protocol] = [
            each for each in self.simulation._connections("websocket") if each.scope is websocket.scope
        ]
        transport = protocol.transport
        prepared: dict[tuple[int, int], bytes] = {}
        async for arrivals in self.cloud.live(0.0):
            frames: list[bytes] = []
            for one in arrivals:
                key = (one.home, one.place)
                if key not in prepared:
                    prepared[key] = prepare(self.cloud, id, *key)
                text = prepared[key] % (stamp(one.time).encode(), stamp(one.received).encode())
                frames.append(frame(text))
            self.cloud.sent["subscription"] += len(arrivals)
            transport.write(b"".join(frames))
            await asyncio.sleep(0)
            if transport.get_write_buffer_size() > _UNSENT_BYTES:
                await protocol.writable.wait()
            if transport.is_closing():
                return


def prepare(cloud: Cloud, id: str, home: int, place: int) -> bytes:
    """The text of a reading of this meter, with two places for its times."""
    meter = cloud.meter(home, place)
    values = [
        {"obisCode": spelled(each["code"], "hex"), "value": each["value"], "unit": each["unit"]}
        for each in registers(meter, int(cloud.now()))
    ]
    reading = {
        "meter": {"id": meter.id, "number": meter.number},
        "installation": {"id": cloud.fleet.id(home), "externalId": cloud.fleet.external_id(home)},
        "time": "%b",
        "receiveTime": "%b",
        "values": values,
    }
    message: Message = {"type": "next", "id": id, "payload": {"data": {"readings": reading}}}
    return json.dumps(message, separators=(",", ":")).encode()


def frame(text: bytes) -> bytes:
    """The text as a frame of WebSocket."""
    size = len(text)
    head = bytes([size]) if size < _SHORT else bytes([_SHORT]) + size.to_bytes(2, "big")
    return _TEXT + head + text


async def serve(installations: int, port: int, *, prepared: bool) -> None:
    """Serve until the end of standard input."""
    simulation = ProviderSimulation(port=port, installations=installations, token=TOKEN, secret=SECRET)
    if prepared:
        sockets = simulation._sockets
        sockets.__class__ = PreparedSockets
        sockets.simulation, sockets.cloud = simulation, simulation.cloud  # type: ignore[attr-defined]
    async with simulation:
        await answer(
            {
                "busy": lambda: simulation.busy_seconds,
                "cpu": time.process_time,
                "sent": lambda: simulation.sent["subscription"],
            }
        )


def main() -> None:
    """Serve as the options say."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--installations", type=int, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--prepared", action="store_true")
    options = parser.parse_args()
    asyncio.run(serve(options.installations, options.port, prepared=options.prepared))


if __name__ == "__main__":
    main()
