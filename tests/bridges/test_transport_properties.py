"""Whatever bytes a bridge sends, in whatever pieces, and whenever the fetch is given up: nothing is lost."""

import asyncio
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iometer_exporter.bridges.client import BridgeClient, Network
from iometer_exporter.bridges.http.answer import MAX_BODY_BYTES
from iometer_exporter.errors import REASONS, FetchError
from iometer_exporter.net.resolver import Resolver
from tests.conftest import IN_CI
from tests.properties import examples
from tests.rawserver import raw_server, response
from tests.wire import READERS, Reader, cancelled_at, transport

EXAMPLES: Final = examples(25, derandomize=IN_CI)

FRAGMENTS: Final = (
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.0 200 OK\r\n",
    b"HTTP/1.1 103 Early Hints\r\n",
    b"HTTP/1.1 404 Not Found\r\n",
    b"HTTP/1.1 000 \r\n",
    b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n",
    b"Content-Length: 2\r\n",
    b"Content-Length: 0\r\n",
    b"Content-Length: -1\r\n",
    b"Content-Length: 99999999999999999999\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive\r\n",
    b"X: " + b"y" * 5000 + b"\r\n",
    b" folded\r\n",
    b": no name\r\n",
    b"\r\n",
    b"\n",
    b"{}",
    b"2\r\n{}\r\n",
    b"0\r\n\r\n",
    b"ffffffffffffffff\r\n",
    b"1;extension=" + b"z" * 300 + b"\r\n \r\n",
    b" " * MAX_BODY_BYTES,
    b"\x00\xff\x16\x03\x01",
)

PIECE: Final = st.one_of(st.sampled_from(FRAGMENTS), st.binary(max_size=40))
GOOD_HEAD: Final = st.just(b"HTTP/1.1 200 OK\r\n")
ANSWER: Final = st.one_of(
    st.lists(PIECE, max_size=12).map(b"".join),
    st.tuples(GOOD_HEAD, st.lists(PIECE, max_size=8).map(b"".join)).map(b"".join),
    # What a mistake in one place makes of a good answer.
    st.tuples(st.integers(0, 60), st.binary(max_size=3)).map(
        lambda change: response(b"{}")[: change[0]] + change[1] + response(b"{}")[change[0] + 1 :]
    ),
)


@pytest.mark.no_cover
@pytest.mark.parametrize("reader", READERS)
@given(
    answers=st.lists(ANSWER, min_size=1, max_size=3),
    cuts=st.lists(st.integers(1, 200), max_size=6),
    keep=st.booleans(),
    cancel=st.one_of(st.none(), st.tuples(st.integers(0, 8), st.booleans())),
)
@EXAMPLES
def test_any_bytes_in_any_pieces(
    reader: Reader, answers: list[bytes], cuts: list[int], keep: bool, cancel: tuple[int, bool] | None
) -> None:
    asyncio.run(_fetch_all(reader, answers, cuts, keep=keep, cancel=cancel))


async def _fetch_all(
    reader: Reader, answers: list[bytes], cuts: list[int], *, keep: bool, cancel: tuple[int, bool] | None
) -> None:
    left = list(answers)

    async def handler(_head: bytes, writer: asyncio.StreamWriter) -> bool:
        if not left:
            writer.write(response(b"good"))
            return True
        answer = left.pop(0)
        for size in cuts:
            writer.write(answer[:size])
            answer = answer[size:]
            await asyncio.sleep(0)
        writer.write(answer)
        return keep

    wire = transport(reader)
    async with raw_server(handler) as server:
        client = BridgeClient([server.address], Network(Resolver(), wire))
        for number in range(len(answers)):
            fetch = _outcome(client)
            if cancel is not None and number == 0:
                await cancelled_at(fetch, *cancel)
            else:
                outcome = await fetch
                assert isinstance(outcome, bytes) or outcome in REASONS
        # What was cancelled before it was sent is left over.
        async with asyncio.timeout(60):
            while left:
                await _outcome(client)
            assert await client.fetch("reading") == b"good"
        assert not any(device.used for device in wire._devices.values())
        await wire.aclose()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def _outcome(client: BridgeClient) -> bytes | str:
    try:
        async with asyncio.timeout(0.05):
            return await client.fetch("reading")
    except FetchError as error:
        return error.reason
    except TimeoutError:
        return "timeout"


def test_the_strategy_reaches_documents_and_every_kind_of_failure() -> None:
    """Both readers agree on what plain cases are: a document, and each reason that bytes can give."""
    cases = {
        response(b"{}"): b"{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n": b"{}",
        b"garbage\r\n\r\n": "protocol",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n": "no_data",
        b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n": "http_status",
        response(b" " * (MAX_BODY_BYTES + 1)): "too_large",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n": "timeout",
    }

    async def outcome(reader: Reader, answer: bytes) -> bytes | str:
        async def handler(_head: bytes, writer: asyncio.StreamWriter) -> bool:
            writer.write(answer)
            return True

        wire = transport(reader)
        async with raw_server(handler) as server:
            found = await _outcome(BridgeClient([server.address], Network(Resolver(), wire)))
            await wire.aclose()
        return found

    for reader in READERS:
        for answer, expected in cases.items():
            assert asyncio.run(outcome(reader, answer)) == expected
