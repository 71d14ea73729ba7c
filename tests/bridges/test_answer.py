"""Answers of a bridge, read from bytes: what is taken, where the bounds are, what is said of the rest."""

import pytest

from iometer_exporter.bridges.http.answer import (
    MAX_ANSWER_BYTES,
    MAX_BODY_BYTES,
    MAX_HEAD_BYTES,
    AnswerReader,
    BoundedAnswer,
)
from iometer_exporter.bridges.http.failures import ProtocolError
from iometer_exporter.bridges.http.h11_reader import H11Reader
from iometer_exporter.bridges.http.httptools_reader import HttptoolsReader
from iometer_exporter.errors import FetchError
from tests.rawserver import response
from tests.wire import READERS, Reader

GOOD = response(b"{}")
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(params=READERS)
def reader(request: pytest.FixtureRequest) -> AnswerReader:
    kind: Reader = request.param
    begun = kind()
    begun.begin()
    return begun


@pytest.fixture
def answer() -> BoundedAnswer:
    return BoundedAnswer()


def feed(reader: AnswerReader, *pieces: bytes) -> None:
    """Hand over the pieces, each worked through to its end."""
    for piece in pieces:
        more = reader.feed(piece)
        while more:
            more = reader.resume()


def refusal(reader: AnswerReader, *pieces: bytes, end: bool = False) -> str:
    with pytest.raises((ProtocolError, FetchError)) as caught:  # noqa: PT012 (either may)
        feed(reader, *pieces)
        if end:
            reader.end()
    return str(caught.value)


def test_a_reader_begins_with_nothing(reader: AnswerReader) -> None:
    assert (reader.status, reader.body, reader.complete, reader.reusable, reader.wire) == (
        0,
        b"",
        False,
        False,
        0,
    )
    assert reader.resume() is False


def test_an_answer_is_read_piece_by_piece(reader: AnswerReader) -> None:
    head, body = GOOD[:-2], GOOD[-2:]
    feed(reader, head[:10])
    assert (reader.status, reader.wire, reader.complete) == (0, 10, False)
    feed(reader, head[10:])
    assert (reader.status, reader.wire, reader.complete) == (200, len(head), False)
    feed(reader, body[:1])
    assert (reader.complete, reader.body) == (False, b"")
    feed(reader, body[1:])
    assert (reader.complete, reader.body, reader.reusable, reader.wire) == (True, b"{}", True, len(GOOD))


def test_nothing_of_an_answer_is_left_for_the_next(reader: AnswerReader) -> None:
    """Each bound is reached twice: what has been counted for one answer counts for no other."""
    headers = b"".join(b"X-%d: y\r\n" % number for number in range(99))
    one = (
        b"HTTP/1.1 103 Early Hints\r\n\r\n" * 10
        + b"HTTP/1.1 200 OK\r\n"
        + headers
        + b"Transfer-Encoding: chunked\r\n\r\n"
        + b"1\r\n \r\n" * 500
        + b"0\r\n\r\n"
    )
    two = response(b"x" * MAX_BODY_BYTES)
    for whole, body in (
        (one, b" " * 500),
        (two, b"x" * MAX_BODY_BYTES),
        (one, b" " * 500),
        (two, b"x" * MAX_BODY_BYTES),
    ):
        feed(reader, whole)
        assert (reader.status, reader.complete, reader.reusable) == (200, True, True)
        assert (reader.body == body, reader.wire) == (True, len(whole))
        reader.begin()
        assert (reader.status, reader.body, reader.complete, reader.reusable, reader.wire) == (
            0,
            b"",
            False,
            False,
            0,
        )


@pytest.mark.parametrize("length", ["content-length", "CONTENT-LENGTH", "Content-Length"])
def test_a_body_is_refused_by_its_length_alone(reader: AnswerReader, length: str) -> None:
    head = f"HTTP/1.1 200 OK\r\n{length}: {MAX_BODY_BYTES + 1}\r\n\r\n".encode()
    assert refusal(reader, head) == "announced a body of 65537 bytes, more than 65536"


def test_a_body_of_any_framing_may_be_as_long_as_the_bound(reader: AnswerReader) -> None:
    feed(reader, response(b"x" * MAX_BODY_BYTES))
    assert len(reader.body) == MAX_BODY_BYTES
    reader.begin()
    feed(reader, CHUNKED + b"10000\r\n" + b"x" * MAX_BODY_BYTES + b"\r\n0\r\n\r\n")
    assert len(reader.body) == MAX_BODY_BYTES
    reader.begin()
    feed(reader, b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * MAX_BODY_BYTES)
    reader.end()
    assert (len(reader.body), reader.reusable) == (MAX_BODY_BYTES, False)


def test_a_body_without_a_length_is_bounded_too(reader: AnswerReader) -> None:
    feed(reader, b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * MAX_BODY_BYTES)
    assert refusal(reader, b"x") == "sent a body of more than 65536 bytes"


def test_what_is_too_large_has_that_reason(answer: BoundedAnswer) -> None:
    answer.announced = MAX_BODY_BYTES + 1
    with pytest.raises(FetchError) as announced:
        answer.take_head(200)
    with pytest.raises(FetchError) as body:
        answer.take_body(b"x" * (MAX_BODY_BYTES + 1))
    for _ in range(512):
        answer.take_chunk()
    with pytest.raises(FetchError, match=r"^sent a body in more than 512 chunks$") as chunks:
        answer.take_chunk()
    answer.wire = MAX_ANSWER_BYTES + 1
    with pytest.raises(FetchError, match=r"^sent an answer of more than 131072 bytes$") as whole:
        answer.check_size()
    assert {each.value.reason for each in (announced, body, chunks, whole)} == {"too_large"}


def test_an_answer_may_be_as_large_as_the_bounds(answer: BoundedAnswer) -> None:
    answer.wire = MAX_HEAD_BYTES
    answer.check_size()
    answer.wire += 1
    with pytest.raises(ProtocolError, match=r"^a head of more than 32768 bytes$"):
        answer.check_size()
    answer.announced = MAX_BODY_BYTES
    answer.take_head(200)
    answer.wire = MAX_ANSWER_BYTES
    answer.check_size()
    answer.finish(reusable=True)
    # Whatever comes after it is for the connection to judge.
    answer.wire = MAX_ANSWER_BYTES + 1
    answer.check_size()


def test_headers_and_interim_answers_are_counted(reader: AnswerReader) -> None:
    headers = b"".join(b"X-%d: y\r\n" % number for number in range(100))
    interim = b"HTTP/1.1 103 Early Hints\r\n" + headers + b"\r\n"
    feed(reader, interim * 10)
    assert (reader.status, reader.complete) == (0, False)
    assert refusal(reader, interim) == "more than 10 interim answers"


def test_one_header_too_many_is_refused(reader: AnswerReader) -> None:
    headers = b"".join(b"X-%d: y\r\n" % number for number in range(101))
    assert refusal(reader, b"HTTP/1.1 200 OK\r\n" + headers + b"\r\n") == "more than 100 headers"


def test_trailers_count_as_headers() -> None:
    reader = HttptoolsReader()
    trailers = b"".join(b"X-%d: y\r\n" % number for number in range(100))
    assert refusal(reader, CHUNKED + b"0\r\n" + trailers + b"\r\n") == "more than 100 headers"


def test_an_interim_answer_says_nothing_of_the_real_one(answer: BoundedAnswer) -> None:
    answer.take_header(b"Content-Length", b"70000")
    answer.take_header(b"Transfer-Encoding", b"Chunked")
    assert (answer.announced, answer.chunked) == (70000, True)
    answer.take_head(103)
    assert (answer.status, answer.announced, answer.chunked) == (0, None, False)
    answer.take_head(200)
    assert answer.status == 200


@pytest.mark.parametrize(
    ("value", "announced"),
    [(b"0", 0), (b"7", 7), (b"-1", None), (b"", None), (b"two", None), (b"9" * 5000, 10**20 - 1)],
)
def test_a_length_is_taken_if_it_is_one(answer: BoundedAnswer, value: bytes, announced: int | None) -> None:
    """More digits than Python turns into a number are no fault of this program."""
    answer.take_header(b"cOntent-length", value)
    assert answer.announced == announced


def test_headers_of_the_same_length_as_those_that_matter_are_others(answer: BoundedAnswer) -> None:
    answer.take_header(b"X-ontent-length", b"7")
    answer.take_header(b"Xontent-length", b"7")
    answer.take_header(b"Xransfer-encoding", b"chunked")
    assert (answer.announced, answer.chunked, answer.headers) == (None, False, 3)


def test_a_coding_that_nobody_asked_for_is_refused(reader: AnswerReader, answer: BoundedAnswer) -> None:
    with pytest.raises(ProtocolError, match=r"^a transfer encoding that was not asked for$"):
        answer.take_header(b"Transfer-Encoding", b"gzip, chunked")
    assert "transfer" in refusal(reader, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n").lower()


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (0, "a status code that does not exist (0)"),
        (99, "a status code that does not exist (99)"),
        (101, "another protocol that was not asked for (status 101)"),
    ],
)
def test_a_status_that_can_be_none_is_refused(answer: BoundedAnswer, status: int, text: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        answer.take_head(status)
    assert str(caught.value) == text


@pytest.mark.parametrize("status", [100, 102, 199, 200, 204, 304, 404, 599])
def test_every_other_status_is_taken(answer: BoundedAnswer, status: int) -> None:
    answer.take_head(status)
    assert answer.status == (status if status >= 200 else 0)


def test_a_change_of_the_protocol_is_refused(reader: AnswerReader) -> None:
    head = b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n"
    assert refusal(reader, head) == "another protocol that was not asked for (status 101)"


@pytest.mark.parametrize("headers", [b"", b"Content-Length: 2\r\n"], ids=["no length", "a length"])
def test_an_interim_answer_is_passed_over(reader: AnswerReader, headers: bytes) -> None:
    feed(reader, b"HTTP/1.1 100 Continue\r\n\r\n")
    assert (reader.status, reader.complete) == (0, False)
    feed(reader, b"HTTP/1.1 200 OK\r\n" + headers + b"\r\n{}")
    reader.end()
    assert (reader.status, reader.body) == (200, b"{}")


@pytest.mark.parametrize(
    ("answer", "reusable"),
    [
        (GOOD, True),
        (response(b"{}", headers="Connection: close\r\n"), False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", False),
        (GOOD + b"HTTP/1.1 408 Request Timeout\r\n\r\n", False),
        (GOOD + b"HTTP/1.1 4", False),
        (GOOD + b"\x00garbage", False),
        (GOOD * 2, False),
    ],
)
def test_a_connection_is_of_more_use_if_nothing_says_otherwise(
    reader: AnswerReader, answer: bytes, reusable: bool
) -> None:
    feed(reader, answer)
    assert (reader.body, reader.complete, reader.reusable) == (b"{}", True, reusable)
    reader.end()
    assert (reader.body, reader.complete) == (b"{}", True)


def test_what_comes_after_a_complete_answer_ends_its_connection() -> None:
    """Only this reader may be fed again: with the other the connection is given back first."""
    reader = HttptoolsReader()
    feed(reader, GOOD)
    assert reader.reusable
    feed(reader, GOOD)
    assert (reader.body, reader.complete, reader.reusable) == (b"{}", True, False)


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        (b"", "Server disconnected without sending a response."),
        (b"H", "peer closed connection without sending complete headers"),
        (b"HTTP/1.1 200 OK\r\nX: y\r\n", "peer closed connection without sending complete headers"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}",
            "peer closed connection without sending complete message body (received 2 bytes, expected 9)",
        ),
        (
            CHUNKED + b"5\r\n{}",
            "peer closed connection without sending complete message body (incomplete chunked read)",
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "peer closed connection without sending complete headers"),
    ],
    ids=["nothing", "a byte", "a head", "a length", "chunks", "interim"],
)
def test_a_cut_answer_says_how_far_it_came(reader: AnswerReader, sent: bytes, text: str) -> None:
    if sent:
        feed(reader, sent)
    assert refusal(reader, end=True) == text


def test_a_body_with_a_length_that_is_cut_among_chunks_is_a_cut_of_chunks(answer: BoundedAnswer) -> None:
    answer.wire = 1
    answer.status = 200
    answer.announced, answer.chunked = 5, True
    assert "incomplete chunked read" in str(answer.cut())


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        (b"nonsense\r\nX: y\r\n\r\n", "illegal status line: b'nonsense'"),
        (b"HTTP/x 200 OK\r\n\r\n", "illegal status line: b'HTTP/x 200 OK'"),
        (b"HTTP/1.1 OK\r\n\r\n", "illegal status line: b'HTTP/1.1 OK'"),
        (b"\x16\x03\x01\r\n\r\n", "illegal status line: b'\\x16\\x03\\x01'"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n",
            "conflicting Content-Length headers",
        ),
    ],
    ids=["text", "version", "no status", "TLS", "two lengths"],
)
def test_both_readers_say_the_same_of_plain_nonsense(reader: AnswerReader, sent: bytes, text: str) -> None:
    assert refusal(reader, sent) == text


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: y\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200\r\nno colon\r\n\r\n",
        CHUNKED + b"nonsense\r\n",
    ],
    ids=["first header", "header", "no words", "chunk"],
)
def test_nonsense_further_on_is_not_taken_for_a_status_line(reader: AnswerReader, sent: bytes) -> None:
    text = refusal(reader, sent)
    assert text
    assert "status line" not in text
    assert "bytearray" not in text
    assert not text.endswith(")")


def test_a_second_answer_of_nonsense_is_no_status_line(reader: AnswerReader) -> None:
    feed(reader, GOOD)
    reader.begin()
    assert "nonsense" in refusal(reader, b"nonsense\r\n\r\n")


@pytest.mark.parametrize(
    "pieces",
    [[b"HTTP/1.1 100 Continue\r\n\r\nnonsense\r\n\r\n"], [b"HT", b"ML>\r\n\r\n"]],
    ids=["interim", "pieces"],
)
def test_no_line_is_blamed_for_another(pieces: list[bytes]) -> None:
    reader = HttptoolsReader()
    assert refusal(reader, *pieces) == "Expected HTTP/, RTSP/ or ICE/"


def test_httptools_leaves_nothing_for_another_turn() -> None:
    reader = HttptoolsReader()
    assert reader.feed(CHUNKED + b"1\r\n \r\n" * 100) is False
    assert reader.feed(b"0\r\n\r\n") is False
    assert reader.complete


def test_one_header_without_an_end_is_a_head_too_large(reader: AnswerReader) -> None:
    head = b"HTTP/1.1 200 OK\r\nX: "
    feed(reader, head, b"y" * (MAX_HEAD_BYTES - len(head)))
    assert refusal(reader, b"y") == "a head of more than 32768 bytes"


def test_h11_gives_others_their_turn() -> None:
    reader = H11Reader()
    reader.begin()
    assert reader.feed(CHUNKED + b"1\r\n \r\n" * 31 + b"0\r\n\r\n") is True
    assert not reader.complete
    assert reader.resume() is False
    assert reader.body == b" " * 31
    reader.begin()
    assert reader.feed(CHUNKED + b"1\r\n \r\n" * 30 + b"0\r\n\r\n") is False
    assert reader.complete


def test_chunks_are_counted_as_they_come(reader: AnswerReader) -> None:
    feed(reader, CHUNKED, b"2\r\n{", b"}\r\n", b"1\r\n \r\n" * 510 + b"0\r\n\r\n")
    assert reader.body == b"{}" + b" " * 510
    reader.begin()
    assert refusal(reader, CHUNKED + b"1\r\n \r\n" * 513) == "sent a body in more than 512 chunks"


def test_lines_may_end_with_lf_alone(reader: AnswerReader) -> None:
    feed(reader, b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}")
    assert reader.body == b"{}"
