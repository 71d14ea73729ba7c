import io
import json
import logging
import re
import sys
from collections.abc import Iterator

import pytest

from iometer_exporter.log import LogFormat, set_up

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    names = ("httpx", "httpcore", "asyncio", "uvicorn", "zeroconf")
    levels = {name: logging.getLogger(name).level for name in names}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


def start(log_format: LogFormat, level: str = "info") -> tuple[logging.Logger, io.StringIO]:
    stream = io.StringIO()
    set_up(level=level, log_format=log_format, stream=stream)
    return logging.getLogger("iometer_exporter.some"), stream


def without_time(line: str) -> str:
    found = re.fullmatch(rf"time={TIME.pattern} (.*)\n", line)
    assert found, line
    return found[1]


def test_a_logfmt_line_has_time_level_and_message() -> None:
    log, stream = start("logfmt")
    log.info("ready")
    assert without_time(stream.getvalue()) == "level=info msg=ready"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain", "plain"),
        ("192.168.1.50:80", "192.168.1.50:80"),
        ("http://[fd00::1]:80/v1/reading", "http://[fd00::1]:80/v1/reading"),
        ("100%", "100%"),
        ("", '""'),
        ("two words", '"two words"'),
        ("a=b", '"a=b"'),
        ('say "hi"', r'"say \"hi\""'),
        ("back\\slash", r'"back\\slash"'),
        ("line\nbreak\r\t", r'"line\nbreak\r\t"'),
        ("Zähler", r'"Z\u00e4hler"'),
        ("\x1b[31m", r'"\u001b[31m"'),
        (7, "7"),
        (None, "None"),
        (0.5, "0.5"),
    ],
)
def test_logfmt_values_are_quoted_where_they_have_to_be(value: object, written: str) -> None:
    log, stream = start("logfmt")
    log.warning("state", extra={"bridge": value})
    assert without_time(stream.getvalue()) == f"level=warning msg=state bridge={written}"


def test_arguments_and_extras_are_written_in_their_order() -> None:
    log, stream = start("logfmt")
    log.error("no document: %s", "HTTP 500", extra={"bridge": "house", "reason": "http_status"})
    assert (
        without_time(stream.getvalue())
        == 'level=error msg="no document: HTTP 500" bridge=house reason=http_status'
    )


def test_a_json_line_has_the_same_fields() -> None:
    log, stream = start("json")
    log.warning("no document: %s", "a\nb", extra={"bridge": 'Zähler "1"'})
    assert stream.getvalue().count("\n") == 1
    line = json.loads(stream.getvalue())
    assert TIME.fullmatch(line.pop("time"))
    assert line == {"level": "warning", "msg": "no document: a\nb", "bridge": 'Zähler "1"'}


@pytest.mark.parametrize("log_format", ["logfmt", "json"])
def test_an_exception_takes_one_line_with_its_place(log_format: LogFormat) -> None:
    log, stream = start(log_format)
    try:
        raise ValueError("wrong\nvalue")
    except ValueError:
        log.exception("failed")
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert "Traceback" not in text
    assert re.search(r"ValueError: wrong\\nvalue \(test_log\.py:\d+\)", text)


def test_an_error_that_was_never_raised_has_no_place() -> None:
    log, stream = start("logfmt")
    log.error("failed", exc_info=ValueError("wrong"))
    assert without_time(stream.getvalue()) == 'level=error msg=failed error="ValueError: wrong"'


def test_exc_info_without_an_exception_adds_nothing() -> None:
    log, stream = start("logfmt")
    log.error("failed", exc_info=True)
    assert without_time(stream.getvalue()) == "level=error msg=failed"


@pytest.mark.parametrize(("level", "written"), [("debug", 4), ("info", 3), ("WARNING", 2), ("error", 1)])
def test_only_lines_from_the_level_on_are_written(level: str, written: int) -> None:
    log, stream = start("logfmt", level)
    for write in (log.debug, log.info, log.warning, log.error):
        write("line")
    assert stream.getvalue().count("\n") == written


def test_libraries_that_tell_of_every_request_are_quiet() -> None:
    _, stream = start("logfmt", "debug")
    for name in ("httpx", "httpcore", "asyncio", "uvicorn"):
        logging.getLogger(name).info("request")
    logging.getLogger("zeroconf").error("no multicast")
    assert stream.getvalue() == ""


def test_stderr_is_the_default_and_a_second_set_up_replaces_the_first(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, first = start("logfmt")
    set_up(level="info", log_format="logfmt")
    logging.getLogger("iometer_exporter").info("once")
    out, err = capsys.readouterr()
    assert (out, first.getvalue()) == ("", "")
    assert without_time(err) == "level=info msg=once"
    assert sys.stderr is not None
