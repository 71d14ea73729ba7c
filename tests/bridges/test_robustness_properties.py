"""Whatever bytes a bridge sends, the parser gives a model or a PayloadError, and /metrics a good page."""

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iometer_exporter.errors import PayloadError
from iometer_exporter.meter.models import Endpoint, Reading, Status, parse_reading, parse_status
from tests import documents, payloads
from tests.bridges.test_robustness import exporter, scrape
from tests.conftest import IN_CI
from tests.properties import examples
from tests.rawserver import bridge, raw_server

Document = TypeVar("Document", Reading, Status)

PARSER: Final = examples(50, derandomize=IN_CI)
WHOLE_PATH: Final = examples(20, derandomize=IN_CI)


@dataclass
class Node:
    """An object or a list as written: keys may be there twice, values may be no JSON at all."""

    brackets: str
    slots: list[tuple[str, "Tree"]]
    """The key as written with its colon (empty in a list), and the value."""

    def __str__(self) -> str:
        inner = ",".join(f"{key}{value}" for key, value in self.slots)
        return f"{self.brackets[0]}{inner}{self.brackets[1]}"

    def nodes(self) -> Iterator["Node"]:
        yield self
        for _, value in self.slots:
            if isinstance(value, Node):
                yield from value.nodes()


Tree = Node | str


def tree_of(value: object) -> Tree:
    if isinstance(value, dict):
        return Node("{}", [(f"{json.dumps(key)}:", tree_of(inner)) for key, inner in value.items()])
    if isinstance(value, list):
        return Node("[]", [("", tree_of(inner)) for inner in value])
    return json.dumps(value)


ODD_LITERALS: Final = (
    *(
        "null",
        "true",
        "false",
        "NaN",
        "Infinity",
        "-Infinity",
        "1e999",
        "-1e999",
        "1e-999999",
        "0e999999",
        "0e99999999",
        "1e-99999999",
    ),
    *("-0", "-5", "101", "1e17", "1e308", "1e99999999999999999999", "9" * 30, "9" * 400, '"80"', '"NaN"'),
    *("{}", "[]", "[[]]", '""', '" "', '"\\ud800"', '"\\u0000\\n\\r\\"\\\\"', '"\\u2028"', '"a\\\\"', '"}"'),
    *(
        '"Wh"',
        '"kWh"',
        '"MW"',
        '"V"',
        '"W"',
        '"1-0:1.8.0"',
        '"1-0:36.7.0"',
        '"01-00:01.08.01*ff"',
        '"1-0:1.8.0*0"',
    ),
    *('"2024-11-11T11:11:00"', '"9999-12-31T23:59:59-01:00"', '"0001-01-01T00:00:00Z"', '"2024-11-11"'),
    *("[" * 900 + "]" * 900, '{"a":' * 900 + "1" + "}" * 900, json.dumps("x" * 129), "", "nonsense"),
)

texts: Final = st.text(st.characters(), max_size=12)

json_values: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)

literals: Final = st.sampled_from(ODD_LITERALS) | json_values.map(json.dumps)


@st.composite
def mutated_documents(draw: st.DrawFn, endpoint: Endpoint) -> bytes:
    """A real document with some of its parts deleted, replaced, doubled, renamed or swapped."""
    case = draw(st.sampled_from(payloads.CASES))
    document = json.loads(payloads.body(case, endpoint))
    if endpoint == "reading" and draw(st.booleans()):
        document["meter"]["reading"]["time"] = documents.stamp(time.time() + draw(st.integers(-2000, 2000)))
    root = tree_of(document)
    assert isinstance(root, Node)
    for _ in range(draw(st.integers(0, 4))):
        _mutate(draw, root)
    return _encoded(draw, str(root))


def _mutate(draw: st.DrawFn, root: Node) -> None:
    node = draw(st.sampled_from([node for node in root.nodes() if node.slots] or [Node("[]", [("", "")])]))
    index = draw(st.integers(0, len(node.slots) - 1))
    key, value = node.slots[index]
    match draw(st.sampled_from(["replace", "replace", "delete", "copy", "double", "rename", "swap"])):
        case "replace":
            node.slots[index] = key, draw(literals)
        case "delete":
            del node.slots[index]
        case "copy":
            node.slots.append((key, str(value)))
        case "double":
            node.slots.append((key, draw(literals)))
        case "rename":
            node.slots[index] = (f"{json.dumps(draw(texts))}:" if key else ""), value
        case "swap":
            other = draw(st.integers(0, len(node.slots) - 1))
            other_key, other_value = node.slots[other]
            node.slots[index], node.slots[other] = (key, other_value), (other_key, value)


def _encoded(draw: st.DrawFn, text: str) -> bytes:
    body = text.encode(draw(st.sampled_from([*["utf-8"] * 6, "utf-8-sig", "utf-16"])))
    match draw(st.sampled_from([*["whole"] * 8, "cut", "byte"])):
        case "cut":
            return body[: draw(st.integers(0, len(body)))]
        case "byte":
            index = draw(st.integers(0, len(body)))
            return body[:index] + draw(st.binary(min_size=1, max_size=3)) + body[index + 1 :]
    return body


bodies: Final = {
    endpoint: mutated_documents(endpoint) | json_values.map(lambda value: json.dumps(value).encode())
    for endpoint in ("reading", "status")
}


def check_texts(*values: str | None) -> None:
    for value in values:
        assert not value or (value.encode() and len(value) <= 128 and "\n" not in value)


def check_reading(reading: Reading) -> None:
    assert reading.time.utcoffset() is not None
    check_texts(reading.meter, reading.installation_id)
    for code, register in reading.registers.items():
        assert code == register.code
        assert math.isfinite(float(register.value))
        check_texts(register.unit)


def check_status(status: Status) -> None:
    check_texts(status.meter, status.device_id, status.installation_id)
    check_texts(status.bridge_version, status.core_version)
    check_texts(status.connection, status.attachment, status.power, status.pin)
    assert status.battery_ratio is None or 0 <= status.battery_ratio <= 1
    assert all(rssi is None or math.isfinite(rssi) for rssi in (status.bridge_rssi, status.core_rssi))


def check_parsers(body: bytes) -> None:
    """Each parser gives a model that may be shown, or says in a short text why not."""
    reading, status = _outcome(parse_reading, body), _outcome(parse_status, body)
    if reading is not None:
        check_reading(reading)
    if status is not None:
        check_status(status)


def _outcome(parse: Callable[[bytes], Document], body: bytes) -> Document | None:
    try:
        return parse(body)
    except PayloadError as error:
        text = str(error)
    assert len(text.encode()) < 250
    return None


@PARSER
@given(st.binary(max_size=300))
def test_any_bytes(body: bytes) -> None:
    check_parsers(body)


@pytest.mark.no_cover
@PARSER
@given(json_values)
def test_any_json(value: object) -> None:
    check_parsers(json.dumps(value).encode())


@pytest.mark.no_cover
@PARSER
@given(bodies["reading"])
def test_any_mutation_of_a_reading(body: bytes) -> None:
    check_parsers(body)


@pytest.mark.no_cover
@PARSER
@given(bodies["status"])
def test_any_mutation_of_a_status(body: bytes) -> None:
    check_parsers(body)


pairs: Final = st.lists(st.tuples(bodies["reading"], bodies["status"]), min_size=2, max_size=3)


@pytest.mark.no_cover
@WHOLE_PATH
@given(first=pairs, second=pairs)
async def test_the_whole_path(first: list[tuple[bytes, bytes]], second: list[tuple[bytes, bytes]]) -> None:
    """Two bridges, some scrapes: good pages for Prometheus (checked by `scrape`) and for people."""
    answers = [first[0], second[0]]
    async with (
        raw_server(bridge(lambda: answers[0][0], lambda: answers[0][1])) as a,
        raw_server(bridge(lambda: answers[1][0], lambda: answers[1][1])) as b,
        exporter(a, b) as client,
    ):
        for answers[0], answers[1] in zip(first, second, strict=False):
            page = await scrape(client)
            assert {labels["bridge"] for labels in page.labels_of("iometer_up")} in (
                {"bridge0", "bridge1"},
                {"bridge0"},
                {"bridge1"},
            )
            for labels in page.labels_of("iometer_up"):
                up, *endpoints = page.up_of(labels["bridge"])
                assert up == max(endpoints)
            answer = await client.get("/")
            assert answer.status_code == 200
            assert len(answer.content) < 100_000
