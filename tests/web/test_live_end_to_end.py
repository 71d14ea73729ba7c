"""The real process with open event streams: it ends in time and quietly, and follows a changed `live`."""

import asyncio
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from iometer_exporter.simulator import wire
from tests import documents
from tests.processes import Process, eventually, exporter, get
from tests.rawserver import response, served

pytestmark = pytest.mark.end_to_end


def document_of(endpoint: str) -> bytes:
    return documents.reading(time.time()) if endpoint == "reading" else documents.status()


async def streaming(head: bytes, writer: asyncio.StreamWriter) -> bool:
    """A bridge whose readings come as events, cut anywhere; the last piece of one is always missing.

    Its status is an event once, and nothing after it.
    """
    endpoint = "reading" if b"/v1/reading" in head else "status"
    if b"event-stream" not in head:
        writer.write(
            response(documents.reading(time.time()) if endpoint == "reading" else documents.status())
        )
        return True
    writer.write(wire.stream_head("text/event-stream"))
    rest = b""
    while True:
        event = b"event: %bEvent\ndata: %b\n\n" % (endpoint.encode(), document_of(endpoint))
        half = len(event) // 2
        writer.write(wire.chunk(rest + event + event[:half]))
        rest = event[half:]
        await (asyncio.sleep(0.2) if endpoint == "reading" else asyncio.Event().wait())


async def mute(_head: bytes, writer: asyncio.StreamWriter) -> bool:
    """A bridge that accepts, begins streams, and says nothing."""
    writer.write(wire.stream_head("text/event-stream"))
    await asyncio.Event().wait()
    return False


@contextmanager
def followed(folder: Path, live: str = "on") -> Iterator[tuple[Process, str, Path]]:
    """The exporter with bridges that stream and one that says nothing, its URL and its file."""
    config = folder / "config.yml"
    with served(streaming) as lively, served(mute) as silent:
        named = {"house": lively, "mute": silent}
        bridges = [f"  - {{name: {name}, host: 127.0.0.1, port: {at.port}}}" for name, at in named.items()]
        config.write_text("\n".join([f"live: {live}", "timeout: 1s", "bridges:", *bridges, ""]))
        with exporter(folder, "--no-discovery", "--config.file", str(config)) as (process, url):
            yield process, url, config


def streams(url: str) -> int:
    """How many streams of the house are alive, by a scrape; -1 where it is not followed."""
    lines = get(f"{url}metrics").decode().splitlines()
    mine = [line for line in lines if line.startswith("iometer_stream_up{") and 'bridge="house"' in line]
    return sum(line.endswith(" 1.0") for line in mine) if mine else -1


def messages(process: Process) -> list[str]:
    """What the log says, without the values of its fields."""
    return [line.split('msg="')[-1].split('"')[0] for line in process.text().splitlines()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("scraping", [False, True])
def test_open_streams_end_with_the_process(tmp_path: Path, number: int, scraping: bool) -> None:
    with followed(tmp_path) as (process, url, _):
        if scraping:
            eventually(lambda: streams(url) == 2)
        else:
            time.sleep(1.0)
        before = len(messages(process))
        asked = time.monotonic()
        code = process.stop(number)
        elapsed = time.monotonic() - asked
    assert code == 0
    assert elapsed < 2
    assert messages(process)[before:] == ["iometer-exporter stopped"]
    assert "Traceback" not in process.text()


def test_a_hangup_follows_a_changed_live(tmp_path: Path) -> None:
    with followed(tmp_path, "off") as (process, url, config):
        assert streams(url) == -1
        for live, expected in (("auto", 2), ("on", 2), ("off", -1), ("on", 2)):
            _, _, rest = config.read_text().partition("\n")
            config.write_text(f"live: {live}\n{rest}")
            process.popen.send_signal(signal.SIGHUP)
            eventually(lambda expected=expected: streams(url) == expected)  # type: ignore[misc]
        assert process.stop() == 0
    assert "Traceback" not in process.text()
    assert messages(process).count("configuration reloaded") == 4
    assert not [line for line in messages(process) if "given up" in line]
