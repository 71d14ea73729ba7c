"""Bad input through the whole path: socket, client, parser, guard, /metrics. Listed in docs/robustness.md."""

import asyncio
import gzip
import json
import logging
import math
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final, cast

import httpx
import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from iometer_exporter.bridges.http import device
from iometer_exporter.config.file import BridgeConfig, Config, DiscoveryConfig
from iometer_exporter.errors import REASONS
from iometer_exporter.exporter import Exporter
from iometer_exporter.net.addresses import Address
from iometer_exporter.web.app import create_app
from tests import documents
from tests.rawserver import Handler, RawServer, answering, bridge, hanging, raw_server, response

CONFIG: Final = Config(discovery=DiscoveryConfig(enabled=False))

NOW: Final = "NOW"
"""Stands in a document for the time at which it is sent."""

METER: Final = "1ISK0000000001"

Series = tuple[str, frozenset[tuple[str, str]]]
Values = dict[str, float]
"""Samples of one bridge: names without prefix, then the values of the labels except bridge and meter."""

GOOD_READING: Final[Values] = {
    "energy_import_joules_total": 44444444040,
    "energy_export_joules_total": 19555560,
    "power_watts": 10,
    "register{1-0:1.8.0,Wh}": 12345678.9,
    "register{1-0:2.8.0,Wh}": 5432.1,
    "register{1-0:16.7.0,W}": 10,
}
NO_IMPORT: Final[Values] = {name: value for name, value in GOOD_READING.items() if "1.8.0" not in name}
NO_IMPORT.pop("energy_import_joules_total")

GOOD_STATUS: Final[Values] = {
    "bridge_rssi_dbm": -30,
    "core_rssi_dbm": -40,
    "core_connected": 1,
    "core_attached": 1,
    "core_battery_ratio": 0.8,
    "core_power_status{battery}": 1,
    "core_power_status{wired}": 0,
    "core_pin_status{entered}": 1,
    "core_pin_status{pending}": 0,
    "core_pin_status{missing}": 0,
    "bridge_info{build-60,build-58,658c2b34,}": 1,
}


@dataclass(frozen=True)
class Page:
    """The samples of one answer of /metrics."""

    samples: Mapping[Series, float]

    def of(self, name: str = "bridge0") -> Values:
        """Every sample of the bridge."""
        values: Values = {}
        for (metric, label_set), value in self.samples.items():
            labels = dict(label_set)
            if labels.pop("bridge", None) != name:
                continue
            labels.pop("meter", None)
            rest = ",".join(labels[key] for key in sorted(labels))
            key = metric.removeprefix("iometer_") + (f"{{{rest}}}" if rest else "")
            assert key not in values, f"{key} of two meters"
            values[key] = value
        return values

    def reading_of(self, name: str = "bridge0") -> Values:
        """What comes from the reading of the bridge, its time apart."""
        prefixes = ("energy_", "tariff_", "power_", "phase_", "frequency_", "register")
        return {key: value for key, value in self.of(name).items() if key.startswith(prefixes)}

    def status_of(self, name: str = "bridge0") -> Values:
        """What comes from the status of the bridge."""
        return {key: value for key, value in self.of(name).items() if key.startswith(("bridge_", "core_"))}

    def up_of(self, name: str = "bridge0") -> tuple[float, float, float]:
        """Whether the bridge, its reading and its status are up."""
        values = self.of(name)
        return values["up"], values["endpoint_up{reading}"], values["endpoint_up{status}"]

    def errors_of(self, name: str = "bridge0") -> Values:
        """The errors counted, as `reading,timeout`; every reason is there from zero on."""
        prefix = "scrape_errors_total{"
        errors = {
            key.removeprefix(prefix)[:-1]: value
            for key, value in self.of(name).items()
            if key.startswith(prefix)
        }
        assert errors.keys() == {f"{endpoint},{r}" for endpoint in ("reading", "status") for r in REASONS}
        return {key: value for key, value in errors.items() if value}

    def rejected_of(self, name: str = "bridge0") -> Values:
        """The refused readings counted, by reason."""
        values = self.of(name)
        found = {
            r: values[f"readings_rejected_total{{{r}}}"] for r in ("replayed", "decreased", "implausible")
        }
        return {reason: value for reason, value in found.items() if value}

    def labels_of(self, metric: str) -> list[dict[str, str]]:
        """The labels of each sample of the metric."""
        return [dict(labels) for name, labels in self.samples if name == metric]


def samples_of(families: Iterable[Metric]) -> dict[Series, float]:
    """The samples; fails on a family or a series that is there twice and on what is no finite number."""
    samples: dict[Series, float] = {}
    names: set[str] = set()
    for family in families:
        assert family.name not in names
        names.add(family.name)
        for sample in family.samples:
            series = sample.name, frozenset(sample.labels.items())
            assert series not in samples
            assert math.isfinite(sample.value) or sample.name.startswith("process_"), sample
            samples[series] = sample.value
    return samples


async def scrape(client: httpx.AsyncClient, timeout: float = 20.0) -> Page:
    """What /metrics answers, after a second scrape has checked the same as OpenMetrics."""
    headers = {"X-Prometheus-Scrape-Timeout-Seconds": str(timeout), "Accept": "text/plain"}
    text = await client.get("/metrics", headers=headers)
    headers["Accept"] = "application/openmetrics-text"
    openmetrics = await client.get("/metrics", headers=headers)
    assert (text.status_code, openmetrics.status_code) == (200, 200)
    assert openmetrics.headers["Content-Type"].startswith("application/openmetrics-text;")
    samples_of(parse_openmetrics(openmetrics.text))  # type: ignore[no-untyped-call]
    return Page(samples_of(parse_text(text.text)))


@asynccontextmanager
async def exporter(*places: RawServer | Address, config: Config = CONFIG) -> AsyncIterator[httpx.AsyncClient]:
    """An exporter of the bridges `bridge0`, `bridge1`... at these places."""
    addresses = [place.address if isinstance(place, RawServer) else place for place in places]
    bridges = tuple(BridgeConfig(address, f"bridge{index}") for index, address in enumerate(addresses))
    config = replace(config, bridges=bridges)
    async with Exporter(lambda: config) as running:
        transport = httpx.ASGITransport(create_app(running))
        async with httpx.AsyncClient(transport=transport, base_url="http://exporter") as client:
            yield client


def serving(reading: bytes | None = None, status: bytes | None = None) -> Handler:
    """A bridge with these documents; none is a good one."""
    return bridge(
        lambda: (documents.reading(NOW) if reading is None else reading).replace(
            NOW.encode(), documents.stamp(time.time()).encode()
        ),
        lambda: documents.status() if status is None else status,
    )


async def page_of(reading: bytes | None = None, status: bytes | None = None) -> Page:
    """What one scrape of a bridge with these documents gives."""
    async with raw_server(serving(reading, status)) as server, exporter(server) as client:
        return await scrape(client)


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """The lines that the exporter has logged, without the first answer, in the order of the alphabet."""
    caplog.set_level(logging.INFO, "iometer_exporter")
    return lambda: sorted(
        line for record in caplog.records if (line := record.getMessage()) != "bridge answers"
    )


def trickling(head: bytes, body: bytes) -> Handler:
    """Sends the head at once and the body byte by byte, so that no single read is slow."""

    async def handler(_request: bytes, writer: asyncio.StreamWriter) -> bool:
        writer.write(head)
        for byte in body:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.02)
        return True

    return handler


async def endless(_head: bytes, writer: asyncio.StreamWriter) -> bool:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b" " * 65536)
        await writer.drain()


async def interim_without_end(_head: bytes, writer: asyncio.StreamWriter) -> bool:
    while True:
        writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </v1>\r\n\r\n" * 50)
        await writer.drain()


async def reset_in_the_body(_head: bytes, writer: asyncio.StreamWriter) -> bool:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + documents.reading()[:100])
    no_lingering = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_lingering)
    writer.transport.abort()
    return False


@dataclass(frozen=True)
class NoDocument:
    """An answer that holds no document, its reason, and how the one line in the log begins."""

    name: str
    handler: Handler
    reason: str
    log: str
    timeout: float = 20.0

    def __str__(self) -> str:
        return self.name


def _sent(name: str, answer: bytes, reason: str, log: str) -> NoDocument:
    return NoDocument(name, answering(answer, keep=False), reason, f"no document: {log}")


def _body(name: str, body: bytes, reason: str, log: str) -> NoDocument:
    return _sent(name, response(body), reason, log)


def _status_line(line: str, log: str, headers: str = "") -> NoDocument:
    return _sent(f"status {line}", response(b"", status=line, headers=headers), "http_status", log)


_NO_JSON: Final = "the body is not JSON: "
_HTML: Final = b"<!DOCTYPE html><html><title>Router</title></html>"

NO_DOCUMENTS: Final = (
    _sent(
        "too large, announced",
        b"HTTP/1.1 200 OK\r\nContent-Length: 209715200\r\n\r\n",
        "too_large",
        "announced a body of 209715200 bytes, more than 65536",
    ),
    NoDocument(
        "too large, endless", endless, "too_large", "no document: sent a body of more than 65536 bytes"
    ),
    _sent(
        "too large, chunked",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        + (b"8000\r\n" + b" " * 0x8000 + b"\r\n") * 3,
        "too_large",
        "sent a body of more than 65536 bytes",
    ),
    _sent(
        "too many chunks",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * 600 + b"0\r\n\r\n",
        "too_large",
        "sent a body in more than 512 chunks",
    ),
    _sent(
        "too large around its chunks",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        + (b"1;%b\r\n \r\n" % (b"x" * 2000)) * 400
        + b"0\r\n\r\n",
        "too_large",
        "sent an answer of more than 131072 bytes",
    ),
    NoDocument(
        "interim answers without end",
        interim_without_end,
        "protocol",
        "no document: HTTP exchange broken: more than 10 interim answers",
    ),
    _sent(
        "too many headers",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"Content-Length: 2\r\n\r\n{}",
        "protocol",
        "HTTP exchange broken: more than 100 headers",
    ),
    _sent(
        "another protocol",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        "protocol",
        "HTTP exchange broken: another protocol that was not asked for",
    ),
    NoDocument(
        "reset in the body",
        reset_in_the_body,
        "protocol",
        "no document: HTTP exchange broken: ",
    ),
    NoDocument("hangs", hanging, "timeout", "no document: no complete answer within 0.", timeout=0.4),
    NoDocument(
        "too slow",
        trickling(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b" " * 1000),
        "timeout",
        "no document: no complete answer within 0.",
        timeout=0.4,
    ),
    NoDocument(
        "head too slow",
        trickling(b"HTTP/1.1 200 OK\r\n", b"X-Slow: " + b"x" * 1000),
        "timeout",
        "no document: no complete answer within 0.",
        timeout=0.4,
    ),
    _sent(
        "cut",
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + documents.reading()[:100],
        "protocol",
        "HTTP exchange broken: peer closed connection without sending complete message body",
    ),
    _sent(
        "cut, chunked",
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{"__typename"',
        "protocol",
        "HTTP exchange broken: peer closed connection without sending complete message body",
    ),
    _sent("closed without a word", b"", "protocol", "HTTP exchange broken: Server disconnected"),
    _sent("no HTTP", b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "protocol", "HTTP exchange broken: illegal status line"),
    _sent(
        "huge headers",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"x" * 1000) for i in range(200)) + b"\r\n{}",
        "protocol",
        "HTTP exchange broken: ",
    ),
    _sent(
        "two lengths",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        "protocol",
        "HTTP exchange broken: conflicting Content-Length headers",
    ),
    _sent("status 404", response(b"", status="404 Not Found"), "no_data", "answered 404 Not Found"),
    _sent(
        "status 404 with HTML", response(_HTML, status="404 Not Found"), "no_data", "answered 404 Not Found"
    ),
    _status_line("204 No Content", "answered status 204"),
    _status_line("301 Moved", "answered 301, a redirect: not followed", "Location: http://127.0.0.1:1/\r\n"),
    _status_line("401 Unauthorized", "answered status 401", 'WWW-Authenticate: Basic realm="x"\r\n'),
    _status_line("418 I'm a teapot", "answered status 418"),
    _status_line("503 Busy", "answered status 503"),
    _body("empty", b"", "invalid_json", _NO_JSON),
    _body("blank", b" \n", "invalid_json", _NO_JSON),
    _body("HTML", _HTML, "invalid_json", _NO_JSON),
    _body("text", b"iometer", "invalid_json", _NO_JSON),
    _body("half a document", documents.reading()[:100], "invalid_json", _NO_JSON),
    _body("two documents", documents.reading() * 2, "invalid_json", _NO_JSON),
    _body("trailing comma", documents.reading()[:-1] + b",}", "invalid_json", _NO_JSON),
    _body("invalid UTF-8", documents.reading(meter="?").replace(b"?", b"\xff"), "invalid_json", _NO_JSON),
    _sent(
        "gzip though not asked for",
        response(gzip.compress(documents.reading()), headers="Content-Encoding: gzip\r\n"),
        "invalid_json",
        _NO_JSON,
    ),
    _body("NaN", documents.reading().replace(b"12345678.9", b"NaN"), "invalid_json", f"{_NO_JSON}NaN is no"),
    _body(
        "Infinity",
        documents.reading().replace(b"12345678.9", b"Infinity"),
        "invalid_json",
        f"{_NO_JSON}Infinity is no",
    ),
    _body(
        "-Infinity",
        documents.reading().replace(b"12345678.9", b"-Infinity"),
        "invalid_json",
        f"{_NO_JSON}-Infinity is no",
    ),
    _body("deep nesting", b"[" * 30_000 + b"]" * 30_000, "invalid_json", f"{_NO_JSON}nested too deeply"),
    _body("list", b"[1, 2]", "invalid_document", "the document is a list, expected an object"),
    _body("number", b"1", "invalid_document", "the document is a number, expected an object"),
    _body("null", b"null", "invalid_document", "the document is missing, expected an object"),
    _body(
        "string", b'"iometer"', "invalid_document", "the document is the text 'iometer', expected an object"
    ),
    _body("true", b"true", "invalid_document", "the document is a boolean, expected an object"),
    _body("empty object", b"{}", "invalid_document", ""),
    _body("other device", b'{"emeters": [{"power": 3.2, "total": 8}]}', "invalid_document", ""),
    _body(
        "wrong __typename", b'{"__typename": "x.v1"}', "invalid_document", "__typename is 'x.v1', expected "
    ),
    _body("odd __typename", b'{"__typename": [1]}', "invalid_document", "__typename is ["),
)


@pytest.mark.parametrize("case", NO_DOCUMENTS, ids=str)
async def test_an_answer_without_a_document_costs_only_its_endpoint(
    case: NoDocument, logged: Callable[[], list[str]]
) -> None:
    async def half(head: bytes, writer: asyncio.StreamWriter) -> bool:
        return await (case.handler if b"/v1/reading" in head else serving())(head, writer)

    async with (
        raw_server(half) as no_reading,
        raw_server(case.handler) as neither,
        raw_server(serving(status=documents.status(device_id="good"))) as good,
        exporter(no_reading, neither, good) as client,
    ):
        page = await scrape(client, case.timeout)

    assert page.up_of("bridge0") == (1, 0, 1)
    assert page.reading_of("bridge0") == {}
    assert page.status_of("bridge0") == GOOD_STATUS
    assert page.errors_of("bridge0") == {f"reading,{case.reason}": 1}
    assert page.up_of("bridge1") == (0, 0, 0)
    assert page.status_of("bridge1") == page.reading_of("bridge1") == {}
    assert page.errors_of("bridge1") == {f"reading,{case.reason}": 1, f"status,{case.reason}": 1}
    assert page.up_of("bridge2") == (1, 1, 1)
    assert page.reading_of("bridge2") == GOOD_READING
    assert page.errors_of("bridge2") == {}
    lines = logged()
    # Of the bridge that gives neither, what both endpoints have in common is one line.
    assert len(lines) == 1 + len(set(lines)), "one line for each failure, not one for each scrape"
    assert all(line.startswith(case.log) for line in lines)


def kept(last: Callable[[asyncio.StreamWriter, bytes], None]) -> Handler:
    """A good bridge that does something more after each answer, which it gets."""
    good = serving()

    async def handler(head: bytes, writer: asyncio.StreamWriter) -> bool:
        sent: list[bytes] = []

        class Spy:
            def write(self, data: bytes) -> None:
                sent.append(data)
                writer.write(data)

        keep = await good(head, cast("asyncio.StreamWriter", Spy()))
        last(writer, b"".join(sent))
        return keep and not writer.is_closing()

    return handler


@pytest.mark.parametrize(
    "last",
    [
        pytest.param(lambda writer, answer: writer.write(answer), id="each answer twice"),
        pytest.param(lambda writer, _: writer.write(b"\x00noise"), id="noise after the body"),
        pytest.param(
            lambda writer, _: (writer.write(response(b"", status="408 Request Timeout")), writer.close()),
            id="408 while idle",
        ),
        pytest.param(lambda writer, _: writer.close(), id="closed while idle"),
        pytest.param(lambda writer, _: writer.write_eof(), id="half closed while idle"),
    ],
)
async def test_what_comes_on_an_idle_connection_is_not_the_next_answer(
    last: Callable[[asyncio.StreamWriter, bytes], None], logged: Callable[[], list[str]]
) -> None:
    async with raw_server(kept(last)) as server, exporter(server) as client:
        for _ in range(4):
            page = await scrape(client)
            assert page.up_of() == (1, 1, 1)
            assert page.reading_of() == GOOD_READING
            assert page.status_of() == GOOD_STATUS
            assert time.time() - page.of()["reading_timestamp_seconds"] < 30
            await asyncio.sleep(0.01)
    assert page.errors_of() == {}
    assert logged() == []


async def test_a_kept_connection_that_swallows_is_given_up_for_a_new_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(device, "_SHORTEST_PATIENCE_SECONDS", 0.3)
    good, answered = serving(), set[asyncio.StreamWriter]()

    async def swallowing(head: bytes, writer: asyncio.StreamWriter) -> bool:
        if writer in answered:
            return await hanging(head, writer)
        answered.add(writer)
        return await good(head, writer)

    async with raw_server(swallowing) as server, exporter(server) as client:
        for _ in range(2):
            page = await scrape(client)
            assert page.up_of() == (1, 1, 1)
    assert page.errors_of() == {}
    assert len(answered) > 2


@pytest.mark.parametrize(
    ("swap", "log"),
    [
        (
            {"reading": documents.status()},
            "no document: __typename is 'iometer.status.v1', expected iometer.reading.v1",
        ),
        (
            {"status": documents.reading()},
            "no document: __typename is 'iometer.reading.v1', expected iometer.status.v1",
        ),
    ],
    ids=["status as reading", "reading as status"],
)
async def test_the_other_document_of_the_bridge_is_no_document(
    swap: dict[str, bytes], log: str, logged: Callable[[], list[str]]
) -> None:
    page = await page_of(**swap)
    [endpoint] = swap
    assert page.of()[f"endpoint_up{{{endpoint}}}"] == 0
    assert page.of()["up"] == 1
    assert page.errors_of() == {f"{endpoint},invalid_document": 1}
    assert logged() == [log]


@pytest.mark.parametrize(
    ("place", "reason", "log"),
    [
        (Address("bridge.invalid"), "resolve", "no document: host name 'bridge.invalid' does not resolve"),
        (Address("127.0.0.1", 1), "connect", "no document: no connection to 127.0.0.1:1: Connection refused"),
    ],
    ids=["no such host", "nobody there"],
)
async def test_a_bridge_that_is_not_there_is_down(
    place: Address, reason: str, log: str, logged: Callable[[], list[str]]
) -> None:
    async with raw_server(serving()) as good, exporter(place, good) as client:
        page = await scrape(client)
    assert page.up_of("bridge0") == (0, 0, 0)
    assert page.errors_of("bridge0") == {f"reading,{reason}": 1, f"status,{reason}": 1}
    assert page.reading_of("bridge1") == GOOD_READING
    assert logged() == [log]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.0 200 OK\r\n\r\n%b",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n%b",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nConnection: close\r\n\r\n%b",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n%b",
    ],
    ids=["HTTP/1.0", "no length", "chunked", "early hints", "wrong type"],
)
async def test_an_unusual_answer_with_a_good_document_is_served(
    answer: bytes, logged: Callable[[], list[str]]
) -> None:
    async def handler(head: bytes, writer: asyncio.StreamWriter) -> bool:
        body = documents.reading(time.time()) if b"/v1/reading" in head else documents.status()
        writer.write(answer.replace(b"%x", b"%x" % len(body)).replace(b"%b", body))
        return False

    async with raw_server(handler) as server, exporter(server) as client:
        page = await scrape(client)
    assert page.up_of() == (1, 1, 1)
    assert page.reading_of() == GOOD_READING
    assert page.errors_of() == {}
    assert logged() == []


def encoded(encoding: str) -> bytes:
    return documents.reading(documents.stamp(time.time())).decode().encode(encoding)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32-be"])
async def test_a_document_in_another_unicode_encoding_is_served(encoding: str) -> None:
    page = await page_of(encoded(encoding))
    assert page.reading_of() == GOOD_READING
    assert page.errors_of() == {}


@dataclass(frozen=True)
class OddReading:
    """A valid reading with something odd in it, what is served of it, and what is counted and logged."""

    name: str
    body: bytes
    served: Values
    left_out: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        return self.name


def _value(name: str, literal: str, odd: str | None = None, **more: float) -> OddReading:
    """A reading whose import register has this value, which is served as these samples."""
    body = documents.reading(NOW).replace(b"12345678.9", literal.encode())
    if odd is not None:
        return OddReading(name, body, NO_IMPORT, (f"meter.reading.registers[0].value is {odd}",))
    samples = {"register{1-0:1.8.0,Wh}": more["register"]}
    if "joules" in more:
        samples["energy_import_joules_total"] = more["joules"]
    return OddReading(name, body, NO_IMPORT | samples)


def _registers(name: str, registers: list[Any], served: Values, *left_out: str) -> OddReading:
    problems = tuple(f"meter.reading.registers{problem}" for problem in left_out)
    return OddReading(name, documents.reading(NOW, registers=registers), served, problems)


def _import(value: object = 1000, unit: object = "Wh", obis: object = documents.IMPORT) -> dict[str, object]:
    return {"obis": obis, "value": value, "unit": unit}


_EXPORT: Final = {"obis": documents.EXPORT, "value": 5432.1, "unit": "Wh"}
_POWER: Final = {"obis": documents.POWER, "value": 10, "unit": "W"}
_1000_WH: Final = {"energy_import_joules_total": 3600000, "register{1-0:1.8.0,Wh}": 1000}
_TOO_LARGE: Final = "larger than any number this program can hold"


def _beside_good(name: str, register: object, problem: str) -> OddReading:
    """A register that costs only itself."""
    return _registers(name, [register, _EXPORT, _POWER], NO_IMPORT, f"[0]{problem}")


ODD_READINGS: Final = (
    _value("number as text", '"12345678.9"', "the text '12345678.9', expected a number"),
    _value("null", "null", "missing, expected a number"),
    _value("true", "true", "a boolean, expected a number"),
    _value("list", "[1]", "a list, expected a number"),
    _value("object", '{"v": 1}', "an object, expected a number"),
    _value("1e999", "1e999", f"1E+999, {_TOO_LARGE}"),
    _value("-1e999", "-1e999", f"-1E+999, {_TOO_LARGE}"),
    _value("exponent beyond all", "1e99999999999999999999", f"Infinity, {_TOO_LARGE}"),
    _value("integer of 400 digits", "9" * 400, "99999"),
    _value("integer of 30 digits", "9" * 30, register=1e30),
    _value("tiny", "1e-999999", register=0, joules=0),
    _value("tinier than a Decimal", "1e-99999999", register=0, joules=0),
    _value("zero with a large exponent", "0e999999", register=0, joules=0),
    _value("zero with a larger exponent", "0e99999999", register=0, joules=0),
    _value("many digits", "1000." + "0" * 20_000 + "1", register=1000, joules=3600000),
    _value("zero", "0", register=0, joules=0),
    _value("minus zero", "-0", register=0, joules=0),
    _value("negative energy", "-5", register=-5),
    _value("too much energy", "1e15", register=1e15),
    _registers(
        "negative power",
        [_import(), _EXPORT, _POWER | {"value": -1500}],
        GOOD_READING | _1000_WH | {"power_watts": -1500, "register{1-0:16.7.0,W}": -1500},
    ),
    _registers(
        "power out of range in watts",
        [_import(), _EXPORT, _POWER | {"value": 1e308, "unit": "MW"}],
        {k: v for k, v in (GOOD_READING | _1000_WH).items() if "power" not in k and "16.7.0" not in k}
        | {"register{1-0:16.7.0,MW}": 1e308},
    ),
    _registers("same register twice", [_import(), _import(), _EXPORT, _POWER], GOOD_READING | _1000_WH),
    _registers(
        "same register in both forms",
        [_import(), _import(1000.0, obis="1-0:1.8.0"), _EXPORT, _POWER],
        GOOD_READING | _1000_WH,
    ),
    _registers(
        "register twice with other values",
        [_import(), _import(2000), _EXPORT, _POWER],
        GOOD_READING | _1000_WH,
        "[1].obis 1-0:1.8.0 is sent twice with different values",
    ),
    _registers(
        "register twice with other units",
        [_import(), _import(unit="kWh"), _EXPORT, _POWER],
        GOOD_READING | _1000_WH,
        "[1].obis 1-0:1.8.0 is sent twice with different values",
    ),
    _registers(
        "unit of another quantity",
        [_import(unit="V"), _EXPORT, _POWER],
        NO_IMPORT | {"register{1-0:1.8.0,V}": 1000},
    ),
    _registers(
        "no unit text", [_import(unit=""), _EXPORT, _POWER], NO_IMPORT | {"register{1-0:1.8.0,}": 1000}
    ),
    _registers(
        "unknown code",
        [_import(obis="1-0:99.9.9"), _EXPORT, _POWER],
        NO_IMPORT | {"register{1-0:99.9.9,Wh}": 1000},
    ),
    _registers(
        "unknown unit", [_import(unit="XY"), _EXPORT, _POWER], NO_IMPORT | {"register{1-0:1.8.0,XY}": 1000}
    ),
    _beside_good("unit missing", {"obis": documents.IMPORT, "value": 1}, ".unit is missing, expected a text"),
    _beside_good("unit null", _import(unit=None), ".unit is missing, expected a text"),
    _beside_good("unit a number", _import(unit=1), ".unit is a number, expected a text"),
    _beside_good("unit too long", _import(unit="W" * 129), ".unit is longer than 128 characters"),
    _beside_good("value missing", {"obis": documents.IMPORT, "unit": "Wh"}, ".value is missing"),
    _beside_good("code missing", {"value": 1, "unit": "Wh"}, ".obis is missing, expected a text"),
    _beside_good("code a number", _import(obis=180), ".obis is a number, expected a text"),
    _beside_good("code of no form", _import(obis="1.8.0"), ".obis '1.8.0' is not an OBIS code"),
    _beside_good("code out of range", _import(obis="1-0:999.8.0"), ".obis '1-0:999.8.0' is not an OBIS code"),
    _beside_good("register null", None, " is missing, expected an object"),
    _beside_good("register a number", 1, " is a number, expected an object"),
    _beside_good("register a text", "x\ud800", " is the text 'x\\ud800', expected an object"),
    _beside_good("register a list", [[[]]], " is a list, expected an object"),
    _registers(
        "many bad registers",
        [1, 2, 3, 4, 5, _EXPORT, _POWER],
        NO_IMPORT,
        *(f"[{index}] is a number, expected an object" for index in range(3)),
        "[3]",
        "[4]",
    ),
    _registers("no registers", [], {}),
    _registers(
        "1000 registers",
        [_import(i, obis=f"1-0:{i // 250 + 100}.{i % 250}.0") for i in range(1000)],
        {f"register{{1-0:{i // 250 + 100}.{i % 250}.0,Wh}}": i for i in range(1000)},
    ),
    OddReading(
        "key twice",
        documents.reading(NOW).replace(b'"value": 1234', b'"value": 7, "value": 1234'),
        GOOD_READING,
    ),
    OddReading(
        "unknown field nested deeply",
        documents.reading(NOW)[:-1] + b', "new": ' + b"[" * 200 + b"]" * 200 + b"}",
        GOOD_READING,
    ),
    OddReading("installation null", documents.reading(NOW)[:-1] + b', "installationId": null}', GOOD_READING),
    OddReading(
        "installation a number",
        documents.reading(NOW)[:-1] + b', "installationId": 1}',
        GOOD_READING,
        ("installationId is a number, expected a text",),
    ),
    OddReading(
        "meter number null", documents.reading(NOW).replace(b'"1ISK0000000001"', b"null"), GOOD_READING
    ),
    OddReading(
        "meter number a number",
        documents.reading(NOW).replace(b'"1ISK0000000001"', b"17"),
        GOOD_READING,
        ("meter.number is a number, expected a text",),
    ),
    OddReading(
        "meter number very long",
        documents.reading(NOW, meter="1" * 60_000),
        GOOD_READING,
        ("meter.number is longer than 128 characters",),
    ),
)


@pytest.mark.parametrize("case", ODD_READINGS, ids=str)
async def test_what_is_odd_in_a_reading_costs_only_itself(
    case: OddReading, logged: Callable[[], list[str]]
) -> None:
    page = await page_of(case.body)
    assert page.up_of() == (1, 1, 1)
    assert page.reading_of() == case.served
    assert page.status_of() == GOOD_STATUS
    assert page.of()["reading_timestamp_seconds"] == pytest.approx(time.time(), abs=30)
    assert {labels["meter"] for labels in page.labels_of("iometer_register")} <= {METER}
    count = len(case.left_out)
    assert page.errors_of() == ({"reading,invalid_document": count} if count else {})
    lines = logged()
    assert len(lines) == (1 if count else 0)
    for line in lines:
        assert line.startswith("left out: ")
        assert all(problem in line for problem in case.left_out[:3])
        assert line.endswith(f"; and {count - 3} more") == (count > 3)
        assert len(line) < 500


@pytest.mark.parametrize(
    ("body", "log"),
    [
        (b'{"meter": {"reading": {"time": "NOW"}}}', "meter.reading.registers is missing, expected a list"),
        (b'{"meter": {"reading": {"time": "NOW", "registers": null}}}', "meter.reading.registers is missing"),
        (b'{"meter": {"reading": {"time": "NOW", "registers": {}}}}', "meter.reading.registers is an object"),
        (
            b'{"meter": {"reading": {"time": "NOW", "registers": "x"}}}',
            "meter.reading.registers is the text 'x'",
        ),
        (b'{"meter": null}', "meter.reading.registers is missing"),
        (b'{"meter": [1]}', "meter.reading.registers is missing"),
        (b'{"meter": {"reading": "x"}}', "meter.reading.registers is missing"),
    ],
)
async def test_a_reading_without_registers_is_no_document(
    body: bytes, log: str, logged: Callable[[], list[str]]
) -> None:
    page = await page_of(body)
    assert page.up_of() == (1, 0, 1)
    assert page.errors_of() == {"reading,invalid_document": 1}
    [line] = logged()
    assert line.startswith(f"no document: {log}")


@pytest.fixture
def far_from_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The local time of this process is not that of the bridge."""
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "XXX-7")
        time.tzset()
        yield
    time.tzset()


_IN_INDIA: Final = timezone(timedelta(hours=5, minutes=30))


@pytest.mark.usefixtures("far_from_utc")
@pytest.mark.parametrize(
    ("written", "offset"),
    [
        (lambda now: now.strftime("%Y-%m-%dT%H:%M:%S"), 0),
        (lambda now: now.strftime("%Y-%m-%d %H:%M:%S"), 0),
        (lambda now: now.strftime("%Y%m%dT%H%M%SZ"), 0),
        (lambda now: now.astimezone(_IN_INDIA).isoformat(), 0),
        (lambda now: now.strftime("%Y-%m-%dT%H:%M:%S.250000Z"), 0.25),
        (lambda now: (now + timedelta(hours=3)).isoformat(), 10800),
        (lambda now: (now - timedelta(minutes=1)).isoformat(), -60),
    ],
    ids=[
        "no zone",
        "space, no zone",
        "basic form",
        "other zone",
        "fraction",
        "in the future",
        "a minute old",
    ],
)
async def test_a_time_is_served_as_it_is_and_without_zone_it_is_utc(
    written: Callable[[datetime], str], offset: float, logged: Callable[[], list[str]]
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    page = await page_of(documents.reading(written(now)))
    assert page.of()["reading_timestamp_seconds"] == now.timestamp() + offset
    assert page.reading_of() == GOOD_READING
    assert page.errors_of() == {}
    assert logged() == []


@pytest.mark.parametrize(
    ("written", "timestamp", "is_old"),
    [
        ("9999-12-31T23:59:59Z", 253402300799, False),
        ("0001-01-01T00:00:00Z", -62135596800, True),
        ("1970-01-01T00:00:00Z", 0, True),
        ("2024-11-11", 1731283200, True),
    ],
)
async def test_a_time_far_away_is_served_and_an_old_one_at_first_as_registers_and_time_alone(
    written: str, timestamp: float, is_old: bool
) -> None:
    page = await page_of(documents.reading(written))
    expected = {name: value for name, value in GOOD_READING.items() if not is_old or "register" in name}
    assert page.of()["reading_timestamp_seconds"] == timestamp
    assert page.reading_of() == expected
    assert page.errors_of() == {}


async def test_a_first_reading_of_ten_minutes_ago_gives_power_at_once_and_counters_with_the_next(
    logged: Callable[[], list[str]],
) -> None:
    now = int(time.time())
    answers = [documents.reading(now - 600)]
    async with (
        raw_server(bridge(lambda: answers[0], documents.status)) as server,
        exporter(server) as client,
    ):
        first = await scrape(client)
        answers[0] = documents.reading(now)
        second = await scrape(client)
    assert first.of()["reading_timestamp_seconds"] == now - 600
    assert first.reading_of() == {n: v for n, v in GOOD_READING.items() if not n.startswith("energy")}
    assert [line.rpartition(" of ")[0] for line in logged()] == ["counters held back: the reading"]
    assert second.reading_of() == GOOD_READING
    assert second.rejected_of() == {}


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ('"yesterday"', "the text 'yesterday'"),
        ('""', "the text ''"),
        ('"2024-02-30T00:00:00Z"', "the text '2024-02-30T00:00:00Z'"),
        ('"2024-11-11T25:00:00Z"', "the text '2024-11-11T25:00:00Z'"),
        ('"2024-11-11T11:11:00+99:00"', "the text '2024-11-11T11:11:00+99:00'"),
        ('"0001-01-01T00:00:00+01:00"', "the text '0001-01-01T00:00:00+01:00'"),
        ('"9999-12-31T23:59:59-01:00"', "the text '9999-12-31T23:59:59-01:00'"),
        ('"2024-11-11\\ud80011:11:00Z\\n"', "the text '2024-11-11\\ud80011:11:00Z\\n'"),
        ("1731323460", "a number"),
        ("null", "missing"),
        ("true", "a boolean"),
        ("[" * 900 + "]" * 900, "a list"),
        ('{"a":' * 900 + "1" + "}" * 900, "an object"),
    ],
)
async def test_a_reading_without_a_good_time_is_no_document(
    written: str, shown: str, logged: Callable[[], list[str]]
) -> None:
    page = await page_of(documents.reading("@").replace(b'"@"', written.encode()))
    assert page.up_of() == (1, 0, 1)
    assert page.reading_of() == {}
    assert page.errors_of() == {"reading,invalid_document": 1}
    [line] = logged()
    assert line.startswith(f"no document: meter.reading.time is {shown}")
    assert len(line) < 200


async def test_a_reading_without_any_time_is_no_document(logged: Callable[[], list[str]]) -> None:
    page = await page_of(b'{"meter": {"reading": {"registers": []}}}')
    assert page.up_of() == (1, 0, 1)
    assert page.errors_of() == {"reading,invalid_document": 1}
    [line] = logged()
    assert line.startswith("no document: meter.reading.time is missing, expected a time")


def status_with(core: dict[str, Any] | None = None, **fields: Any) -> bytes:
    """A status with these fields of the core, of the device (`id`, `bridge`) and of the top changed."""
    document = json.loads(documents.status())
    document["device"]["core"].update(core or {})
    for key in ("id", "bridge"):
        if key in fields:
            document["device"][key] = fields.pop(key)
    return json.dumps(document | fields).encode()


def without(*names: str) -> Values:
    return {key: value for key, value in GOOD_STATUS.items() if not key.startswith(names)}


@dataclass(frozen=True)
class OddStatus:
    """A valid status with something odd in it, what is served of it, and what is counted and logged."""

    name: str
    body: bytes
    served: Values
    left_out: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name


def _battery(level: object, problem: str) -> OddStatus:
    return OddStatus(
        f"battery {level!r}",
        status_with({"batteryLevel": level}),
        without("core_battery_ratio"),
        (f"device.core.batteryLevel is {problem}",),
    )


ODD_STATUSES: Final = (
    _battery(101, "101, expected 0 to 100"),
    _battery(-1, "-1, expected 0 to 100"),
    _battery("80", "the text '80', expected a number"),
    _battery(True, "a boolean, expected a number"),
    _battery(10**400, f"1{'0' * 56}..., larger"),
    OddStatus(
        "battery missing",
        documents.status(core={"connectionStatus": "connected"}),
        {"bridge_rssi_dbm": -30, "core_connected": 1, "bridge_info{build-60,,658c2b34,}": 1},
    ),
    OddStatus("battery null", status_with({"batteryLevel": None}), without("core_battery_ratio")),
    OddStatus("battery 0", status_with({"batteryLevel": 0}), GOOD_STATUS | {"core_battery_ratio": 0}),
    OddStatus(
        "battery 12.5", status_with({"batteryLevel": 12.5}), GOOD_STATUS | {"core_battery_ratio": 0.125}
    ),
    OddStatus(
        "rssi a text",
        status_with({"rssi": "-40"}),
        without("core_rssi"),
        ("device.core.rssi is the text '-40', expected a number",),
    ),
    OddStatus("rssi positive", status_with({"rssi": 40}), GOOD_STATUS | {"core_rssi_dbm": 40}),
    OddStatus(
        "unknown states",
        status_with(
            {"connectionStatus": "x", "attachmentStatus": "y", "powerStatus": "solar", "pinStatus": "lost"}
        ),
        without("core_connected", "core_attached")
        | {"core_power_status{battery}": 0, "core_power_status{solar}": 1}
        | {"core_pin_status{entered}": 0, "core_pin_status{lost}": 1},
    ),
    OddStatus(
        "states in capitals",
        status_with({"connectionStatus": "Connected", "pinStatus": "ENTERED"}),
        without("core_connected") | {"core_pin_status{entered}": 0, "core_pin_status{ENTERED}": 1},
    ),
    OddStatus(
        "states empty or null",
        status_with({"connectionStatus": "", "attachmentStatus": None, "powerStatus": "", "pinStatus": None}),
        without("core_connected", "core_attached", "core_power_status", "core_pin_status"),
    ),
    OddStatus(
        "states of other types",
        status_with({"connectionStatus": True, "powerStatus": 1, "pinStatus": ["entered"]}),
        without("core_connected", "core_power_status", "core_pin_status"),
        (
            "device.core.connectionStatus is a boolean, expected a text",
            "device.core.powerStatus is a number, expected a text",
            "device.core.pinStatus is a list, expected a text",
        ),
    ),
    OddStatus(
        "core null",
        status_with(device={"id": "x", "bridge": {"rssi": -30}, "core": None}),
        {"bridge_rssi_dbm": -30, "bridge_info{,,x,}": 1},
    ),
    OddStatus(
        "bridge a list",
        json.dumps({"device": {"id": "x", "bridge": [1]}}).encode(),
        {"bridge_info{,,x,}": 1},
        ("device.bridge is a list, expected an object",),
    ),
    OddStatus(
        "versions null and very long",
        status_with({"version": None}, bridge={"rssi": -30, "version": "v" * 5000}),
        without("bridge_info") | {"bridge_info{,,658c2b34,}": 1},
        ("device.bridge.version is longer than 128 characters",),
    ),
    OddStatus("meter null", status_with(meter=None), GOOD_STATUS),
    OddStatus(
        "meter a text", status_with(meter="M"), GOOD_STATUS, ("meter is the text 'M', expected an object",)
    ),
    OddStatus(
        "installation of newer firmware",
        status_with(installationId="i-1"),
        without("bridge_info") | {"bridge_info{build-60,build-58,658c2b34,i-1}": 1},
    ),
)


@pytest.mark.parametrize("case", ODD_STATUSES, ids=str)
async def test_what_is_odd_in_a_status_costs_only_itself(
    case: OddStatus, logged: Callable[[], list[str]]
) -> None:
    page = await page_of(status=case.body)
    assert page.up_of() == (1, 1, 1)
    assert page.status_of() == case.served
    assert page.reading_of() == GOOD_READING
    count = len(case.left_out)
    assert page.errors_of() == ({"status,invalid_document": count} if count else {})
    lines = logged()
    assert len(lines) == (1 if count else 0)
    assert all(problem in line for line in lines for problem in case.left_out)


_R: Final = "\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ('a"b', 'a"b'),
        ("a\\b\\", "a\\b\\"),
        ("a\\nb", "a\\nb"),
        ('",x="', '",x="'),
        ("}{ 1 # {} 2", "}{ 1 # {} 2"),
        (" a  ", " a  "),
        ("Zähler \N{ELECTRIC PLUG}", "Zähler \N{ELECTRIC PLUG}"),
        ("a\nb\rc", f"a{_R}b{_R}c"),
        ("\x00\x1b[2J\x7f\x9b", f"{_R}{_R}[2J{_R}{_R}"),
        ("\u2028\u2029\x85", _R * 3),
        ("\ud800x\udfff", f"{_R}x{_R}"),
        ("m" * 128, "m" * 128),
    ],
    ids=ascii,
)
async def test_any_text_becomes_a_clean_label(text: str, label: str, logged: Callable[[], list[str]]) -> None:
    status = status_with(
        {"version": text, "powerStatus": text, "pinStatus": text},
        id=text,
        bridge={"version": text},
        installationId=text,
        meter={"number": text},
    )
    page = await page_of(documents.reading(NOW, meter=text, registers=[_import(unit=text)]), status)
    assert page.errors_of() == {}
    assert page.labels_of("iometer_register") == [
        {"bridge": "bridge0", "meter": label, "obis": "1-0:1.8.0", "unit": label}
    ]
    assert page.labels_of("iometer_bridge_info") == [
        {
            "bridge": "bridge0",
            "meter": label,
            "device_id": label,
            "installation_id": label,
            "bridge_version": label,
            "core_version": label,
        }
    ]
    assert page.of()[f"core_power_status{{{label}}}"] == page.of()[f"core_pin_status{{{label}}}"] == 1
    assert logged() == []


async def test_only_a_change_of_state_is_logged(logged: Callable[[], list[str]]) -> None:
    answers = [_HTML]
    async with (
        raw_server(bridge(lambda: answers[0], documents.status)) as server,
        exporter(server) as client,
    ):
        for answers[0] in (_HTML, b"", documents.reading(time.time())):
            for _ in range(3):
                page = await scrape(client)
    assert page.errors_of() == {"reading,invalid_json": 6, "reading,no_data": 6}
    assert logged() == [
        "endpoint answers again",
        "no document: answered 404 Not Found",
        "no document: the body is not JSON: it is a web page",
    ]


async def test_a_meter_number_that_is_gone_stays_known() -> None:
    answers = [documents.reading(time.time())]
    async with (
        raw_server(bridge(lambda: answers[0], lambda: b"")) as server,
        exporter(server) as client,
    ):
        await scrape(client)
        answers[0] = documents.reading(time.time() + 1, meter=None)
        page = await scrape(client)
    assert page.reading_of() == GOOD_READING
    assert [labels["meter"] for labels in page.labels_of("iometer_power_watts")] == [METER]


async def test_a_new_meter_number_starts_afresh(logged: Callable[[], list[str]]) -> None:
    answers = [documents.reading(time.time(), meter="OLD", imported=5000)]
    async with (
        raw_server(bridge(lambda: answers[0], lambda: documents.status(meter=None))) as server,
        exporter(server) as client,
    ):
        assert (await scrape(client)).of()["energy_import_joules_total"] == 5000 * 3600
        answers[0] = documents.reading(time.time() - 60, meter="NEW", imported=2)
        await scrape(client)
        page = await scrape(client)
    assert page.of()["energy_import_joules_total"] == 2 * 3600
    assert page.rejected_of() == {}
    for metric in ("energy_import_joules_total", "register", "core_battery_ratio"):
        assert {labels["meter"] for labels in page.labels_of(f"iometer_{metric}")} == {"NEW"}
    assert logged() == []


async def test_reading_and_status_of_different_meters_are_served_each_under_its_own() -> None:
    page = await page_of(documents.reading(NOW, meter="A"), documents.status(meter="B"))
    assert [labels["meter"] for labels in page.labels_of("iometer_power_watts")] == ["A"]
    assert [labels["meter"] for labels in page.labels_of("iometer_core_connected")] == ["B"]
    assert page.errors_of() == {}


async def test_two_bridges_with_one_device_id_are_one_bridge(logged: Callable[[], list[str]]) -> None:
    async with raw_server(serving()) as a, raw_server(serving()) as b, exporter(a, b) as client:
        page = await scrape(client)
    assert page.reading_of("bridge0") == GOOD_READING
    assert page.of("bridge1") == {}
    assert page.samples["iometer_bridges", frozenset({("source", "configured")})] == 1
    assert logged() == ["bridge is another address of bridge0 and is shown under that name"]


async def test_two_bridges_on_one_meter_are_told_apart_by_their_names() -> None:
    async with (
        raw_server(serving()) as a,
        raw_server(serving(status=documents.status(device_id="other"))) as b,
        exporter(a, b) as client,
    ):
        page = await scrape(client)
    assert page.reading_of("bridge0") == page.reading_of("bridge1") == GOOD_READING


async def test_two_bridges_with_two_meters() -> None:
    async with (
        raw_server(serving(documents.reading(NOW, meter="A"), documents.status(meter="A"))) as a,
        raw_server(
            serving(documents.reading(NOW, meter="B", power=7), documents.status(meter="B", device_id="b"))
        ) as b,
        exporter(a, b) as client,
    ):
        page = await scrape(client)
    power = {series: value for series, value in page.samples.items() if series[0] == "iometer_power_watts"}
    assert {(dict(labels)["meter"], value) for (_, labels), value in power.items()} == {("A", 10), ("B", 7)}


@pytest.mark.parametrize(
    ("seconds", "imported", "reason"),
    [(-900, 900.0, "replayed"), (60, 999.0, "decreased"), (60, 1e6, "implausible")],
)
async def test_a_reading_that_cannot_be_true_is_refused_and_shown_as_register_only(
    seconds: float, imported: float, reason: str, logged: Callable[[], list[str]]
) -> None:
    now = int(time.time())
    answers = [documents.reading(now, imported=1000)]
    async with (
        raw_server(bridge(lambda: answers[0], documents.status)) as server,
        exporter(server) as client,
    ):
        await scrape(client)
        answers[0] = documents.reading(now + seconds, imported=imported)
        page = await scrape(client)
    assert page.up_of() == (1, 1, 1)
    assert page.of()["energy_import_joules_total"] == 3600000
    assert page.of()["reading_timestamp_seconds"] == now
    assert page.of()["register{1-0:1.8.0,Wh}"] == imported
    assert page.rejected_of() == {reason: 1}
    assert page.errors_of() == {}
    [line] = logged()
    assert line.startswith("reading of ")


def _whole_kwh(imported: int, exported: int) -> list[dict[str, Any]]:
    """All that a meter sends without its PIN."""
    return [
        {"obis": documents.IMPORT, "value": imported, "unit": "Wh"},
        {"obis": documents.EXPORT, "value": exported, "unit": "Wh"},
    ]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (
            [
                {"imported": 12345678.9, "exported": 5432.1},
                {"registers": _whole_kwh(12345000, 5000)},
                {"registers": _whole_kwh(12346000, 5000)},
                {"imported": 12345999.8, "exported": 5432.2},
                {"imported": 12346000.3, "exported": 5432.3},
            ],
            [
                (12345678.9, 5432.1),
                (12345678.9, 5432.1),
                (12346000, 5432.1),
                (12346000, 5432.2),
                (12346000.3, 5432.3),
            ],
        ),
        (
            [
                {"imported": 1000.5, "exported": 5000000.5},
                {"imported": 1000.6, "exported": 5000800.5},
                {"imported": 1000.7, "exported": 5000010.5},
                {"imported": 1000.8, "exported": 5000900.5},
            ],
            [(1000.5, 5000000.5), (1000.6, 5000800.5), (1000.7, 5000800.5), (1000.8, 5000900.5)],
        ),
    ],
    ids=["the PIN is lost and comes back", "a wrong export that max_power allows"],
)
async def test_a_counter_waits_for_the_meter_where_a_reading_is_only_coarse_or_corrected(
    sent: list[dict[str, Any]], expected: list[tuple[float, float]], logged: Callable[[], list[str]]
) -> None:
    now = int(time.time())
    answers = [b""]
    async with (
        raw_server(bridge(lambda: answers[0], documents.status)) as server,
        exporter(server) as client,
    ):
        for step, (reading, (imported, exported)) in enumerate(zip(sent, expected, strict=True)):
            answers[0] = documents.reading(now + 60 * step, **reading)
            page = await scrape(client)
            assert page.of()["energy_import_joules_total"] == pytest.approx(imported * 3600, rel=1e-15)
            assert page.of()["energy_export_joules_total"] == pytest.approx(exported * 3600, rel=1e-15)
            assert page.of()["reading_timestamp_seconds"] == now + 60 * step
    assert page.rejected_of() == {}
    assert logged() == []


async def test_a_clock_that_was_far_ahead_is_forgotten_after_three_readings_that_agree(
    logged: Callable[[], list[str]],
) -> None:
    now = int(time.time())
    answers = [documents.reading("9999-12-31T23:59:59Z", imported=1000)]
    async with (
        raw_server(bridge(lambda: answers[0], documents.status)) as server,
        exporter(server, config=replace(CONFIG, reset_after=0)) as client,
    ):
        await scrape(client)
        for step in range(3):
            answers[0] = documents.reading(now + step, imported=1000 + step)
            page = await scrape(client)
    assert page.of()["reading_timestamp_seconds"] == now + 2
    assert page.of()["energy_import_joules_total"] == 1002 * 3600
    assert page.rejected_of() == {"replayed": 4}
    assert [line.split(" of ")[0] for line in logged()] == [
        "reading",
        "the refused readings agree with one another: served from now on",
    ]


async def test_a_page_for_people_is_short_whatever_the_number() -> None:
    body = documents.reading(NOW).replace(b"12345678.9", b"1e-900000")
    async with raw_server(serving(body)) as server, exporter(server) as client:
        answer = await client.get("/")
    assert answer.status_code == 200
    assert "<td>5.4</td>" in answer.text
    assert len(answer.text) < 20_000


async def test_a_bad_value_that_changes_is_logged_once(logged: Callable[[], list[str]]) -> None:
    answers = [b""]
    async with (
        raw_server(bridge(lambda: answers[0], documents.status)) as server,
        exporter(server) as client,
    ):
        for value in ("1", "2", "3"):
            answers[0] = documents.reading(time.time(), registers=[_import(value)])
            await scrape(client)
    assert len(logged()) == 1
