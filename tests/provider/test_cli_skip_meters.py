"""`provider backfill --skip-meters`: a list, and the page of an exporter that reads bridges."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.core import CollectorRegistry, GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from iometer_exporter.cli.provider import served_meters
from iometer_exporter.config.web_file import load_web_config
from iometer_exporter.errors import ConfigError, IOmeterError
from iometer_exporter.metrics.families import BUILD_INFO, READING_TIMESTAMP, UP
from iometer_exporter.web.gate import WebGate
from tests import documents
from tests.processes import exporter, free_port
from tests.provider.cloud import Cloud
from tests.rawserver import Handler, answering, bridge, hanging, response, served
from tests.secured import Certificates, serving

BUILD = 'iometer_exporter_build_info{python_version="3.11.7",version="0.1.0"} 1.0'


def page(*lines: str) -> bytes:
    return response("".join(f"{line}\n" for line in (BUILD, *lines)).encode())


def backfill(cloud: Cloud, source: str, *words: str) -> Result:
    return cloud.run("backfill", "--since", "1h", "-o", "-", "--skip-meters", source, *words)


def meters(text: str) -> set[str]:
    return set(re.findall(r'\bmeter="([^"]*)"', text))


def box(number: str) -> Handler:
    """A bridge that reads the meter."""
    return bridge(
        lambda: documents.reading(meter=number), lambda: documents.status(meter=number, device_id=number)
    )


def some_meters(cloud: Cloud) -> tuple[str, str]:
    """Two meters of the cloud that have readings."""
    first, second, *_ = sorted(meters(cloud.good("backfill", "--since", "1h", "-o", "-")))
    return first, second


def test_the_meters_of_a_list_are_left_out(cloud: Cloud, tmp_path: Path) -> None:
    first, second = some_meters(cloud)
    file = tmp_path / "meters.txt"
    file.write_text(f"# in the office\n\n  {first}  # the old one\r\n{second}\nUNKNOWN\n")
    every = meters(cloud.good("backfill", "--since", "1h", "-o", "-"))
    result = backfill(cloud, str(file))
    assert result.exit_code == 0
    assert meters(result.stdout) == every - {first, second}
    assert result.stderr.splitlines()[0] == (
        f"Left to bridges by {file}: {', '.join(sorted([first, second, 'UNKNOWN']))}"
    )
    [told] = re.findall(r"^Left to bridges: (\d+) readings of 2 meters, and there were none of UNKNOWN\.$",
                        result.stderr, re.MULTILINE)  # fmt: skip
    assert int(told) > 2


def test_what_an_exporter_reads_from_bridges_is_left_out(cloud: Cloud, tmp_path: Path) -> None:
    first, second = some_meters(cloud)
    every = meters(cloud.good("backfill", "--since", "1h", "-o", "-"))

    with (
        served(box(first)) as one,
        served(box(second)) as other,
        exporter(tmp_path, "--no-discovery", f"--bridge=a={one}", f"--bridge=b={other}") as (_, url),
    ):
        result = backfill(cloud, f"{url}metrics")
    assert result.exit_code == 0
    assert meters(result.stdout) == every - {first, second}
    assert result.stderr.splitlines()[0] == f"Left to bridges by {url}metrics: {first}, {second}"
    assert re.search(r"^Left to bridges: \d+ readings of 2 meters\.$", result.stderr, re.MULTILINE)


def test_a_bridge_without_a_meter_is_told(cloud: Cloud) -> None:
    first, _ = some_meters(cloud)
    lines = (
        f'iometer_reading_timestamp_seconds{{bridge="house",meter="{first}"}} 1',
        'iometer_up{bridge="shed"} 0',
    )
    with served(answering(page(*lines))) as address:
        result = backfill(cloud, f"http://{address}/metrics")
    assert result.exit_code == 0
    assert result.stderr.splitlines()[0] == (
        f"Warning: http://{address}/metrics shows no meter of shed, whose readings are not left out"
    )
    assert first not in meters(result.stdout)


def test_a_page_does_not_command_the_terminal(cloud: Cloud) -> None:
    with served(answering(page('iometer_up{bridge="\x07"} 1', 'iometer_x{bridge="b",meter="\x07"} 1'))) as at:
        result = backfill(cloud, f"http://{at}/metrics")
    assert result.exit_code == 0
    assert "\x07" not in result.stderr


def test_meters_of_a_cloud_are_not_those_of_bridges() -> None:
    """An exporter may serve both."""
    lines = [BUILD, 'iometer_power_watts{installation="a,bridge=",meter="1"} 5', 'iometer_up{bridge="b"} 1']
    with pytest.raises(
        IOmeterError, match="http://x/ shows no bridge with a meter: there is nothing to leave out"
    ):
        served_meters._numbers_of_page(iter(lines), "http://x/")


@given(st.dictionaries(st.text(min_size=1), st.text(min_size=1), min_size=1))
def test_names_are_read_as_they_are_written(bridges: dict[str, str]) -> None:
    class Page(Collector):
        def collect(self) -> Iterator[GaugeMetricFamily]:
            for family, labels in (
                (UP, ["bridge"]),
                (READING_TIMESTAMP, ["bridge", "meter"]),
                (BUILD_INFO, ["a"]),
            ):
                metric = GaugeMetricFamily(family.name, family.help, labels=labels)
                for name, meter in bridges.items():
                    metric.add_metric([name, meter][: len(labels)], 1)
                yield metric

    registry = CollectorRegistry()
    registry.register(Page())
    text = generate_latest(registry).decode(errors="surrogatepass")
    lines = [f"{line}\n" for line in text.split("\n") if line]
    assert served_meters._numbers_of_page(iter(lines), "http://x/") == set(bridges.values())


NO_PAGE = (
    "is no page of iometer-exporter, write its address with the path, such as http://localhost:10180/metrics"
)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (response(b"<html></html>"), NO_PAGE),
        (response(b""), NO_PAGE),
        (response(b"node_load1 0.2\n"), NO_PAGE),
        (response(b"x" * 100_000), NO_PAGE),
        (page(), "shows no bridge with a meter: there is nothing to leave out"),
        (
            response(b"", status="404 Not Found"),
            "answers 404, write the address of an exporter's page such as",
        ),
        (response(b"", status="302 Found", headers="Location: http://x/\r\n"), "answers 302, "),
        (
            response(b"", status="401 Unauthorized"),
            "asks for a password: write the numbers of its meters into",
        ),
    ],
)
def test_what_is_no_page_of_an_exporter(cloud: Cloud, answer: bytes, text: str) -> None:
    with served(answering(answer)) as address:
        result = backfill(cloud, f"http://{address}/metrics")
    assert isinstance(result.exception, IOmeterError)
    assert str(result.exception).startswith(f"http://{address}/metrics {text}")
    # Nothing has been asked of the cloud, or written.
    assert result.stdout == ""


def test_an_exporter_that_does_not_answer(cloud: Cloud) -> None:
    url = f"http://127.0.0.1:{free_port()}/metrics"
    assert str(backfill(cloud, url).exception) == f"no answer from {url}: Connection refused"
    with served(hanging) as address:
        result = backfill(cloud, f"http://{address}/", "--timeout", "200ms")
    assert str(result.exception) == f"no answer from http://{address}/ within 0.2 s"
    with served(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf", keep=False)) as address:
        result = backfill(cloud, f"http://{address}/")
    assert isinstance(result.exception, IOmeterError)


def test_a_certificate_that_nobody_vouches_for(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates = Certificates(tmp_path)
    with serving(WebGate(load_web_config(certificates.config()))) as port:
        url = f"https://127.0.0.1:{port}/metrics"
        doubted = str(backfill(cloud, url).exception)
        assert doubted.startswith(f"the certificate of {url} is not trusted (")
        assert doubted.endswith("name an authority of your own in SSL_CERT_FILE")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "servers.pem"))
        assert str(backfill(cloud, url).exception).startswith(f"{url} is no page of iometer-exporter")


@pytest.mark.parametrize("url", ["http://", "https://x:99999/", "http://u:p@x/metrics", "HTTP://x/a b"])
def test_a_url_that_cannot_be_asked_is_wrong_usage(cloud: Cloud, url: str) -> None:
    result = backfill(cloud, url)
    assert result.exit_code == 2
    assert f"{url!r} is no URL to ask, write one such as http://localhost:10180/metrics" in result.output


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no number of a meter, write one on each line"),
        ("# none\n\n", "has no number of a meter, write one on each line"),
        (
            "1ISK0050439202\n1 ISK 00 5043 9203\n",
            "line 2: '1 ISK 00 5043 9203' is not the number of one meter",
        ),
        ("\x1b[31m\n", "line 1: '\\x1b[31m' is not the number of one meter"),
    ],
)
def test_a_list_that_is_none(cloud: Cloud, tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "meters.txt"
    file.write_text(text)
    error = backfill(cloud, str(file)).exception
    assert isinstance(error, ConfigError)
    assert str(error).startswith(f"{file}: {message}")


def test_a_list_that_is_not_there(cloud: Cloud, tmp_path: Path) -> None:
    error = backfill(cloud, str(tmp_path / "meters.txt")).exception
    assert str(error) == f"cannot read {tmp_path / 'meters.txt'}: No such file or directory"
