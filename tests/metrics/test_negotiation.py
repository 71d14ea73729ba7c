import pytest
from hypothesis import given
from hypothesis import strategies as st

from iometer_exporter.metrics.exposition import OPENMETRICS, TEXT, Format
from iometer_exporter.metrics.negotiation import accepts_gzip, choose_format

PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROMETHEUS_2_WITH_PROTOBUF = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,"
    + PROMETHEUS_2
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROMETHEUS_3_TEXT_ONLY = (
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.2"
)
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
OM = "application/openmetrics-text"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (PROMETHEUS_2, OPENMETRICS),
        (PROMETHEUS_2_WITH_PROTOBUF, OPENMETRICS),
        (PROMETHEUS_3, OPENMETRICS),
        (PROMETHEUS_3_TEXT_ONLY, TEXT),
        (BROWSER, TEXT),
        ("", TEXT),
        ("*/*", TEXT),
        ("text/*", TEXT),
        ("application/*", OPENMETRICS),
        ("text/plain", TEXT),
        ("text/plain;version=0.0.4", TEXT),
        (OM, OPENMETRICS),
        (f"{OM};version=1.0.0", OPENMETRICS),
        (f"{OM}; version=1.0.0; charset=utf-8", OPENMETRICS),
        (f'{OM};version="1.0.0"', OPENMETRICS),
        (OM.upper(), OPENMETRICS),
        (f" {OM} ; Q=0.5 , text/plain ; q=0.4 ", OPENMETRICS),
        (f"{OM};version=0.0.1", TEXT),
        (f"{OM};version=9.9.9", TEXT),
        (f"{OM};version=abc", TEXT),
        (f"{OM};version=", TEXT),
        (f"{OM};version=9.9.9,{OM};version=1.0.0;q=0.1", OPENMETRICS),
        (f"{OM};q=0.4,text/plain;q=0.5", TEXT),
        (f"text/plain;q=0.4,{OM};q=0.5", OPENMETRICS),
        (f"text/plain;q=0.5,{OM};q=0.5", TEXT),
        (f"{OM};q=0.9,{OM};version=1.0.0;q=0.1,text/plain;q=0.5", TEXT),
        (f"{OM},*/*", OPENMETRICS),
        (f"*/*,{OM}", OPENMETRICS),
        (f"{OM};q=0,*/*", TEXT),
        (f"text/plain;q=0,{OM};q=0.1", OPENMETRICS),
        ("text/plain;q=0,*/*", OPENMETRICS),
        ("text/plain;q=0,*/*;q=0", TEXT),
        (f"{OM};q=0", TEXT),
        (f"{OM};q=1.1,text/plain;q=0.1", TEXT),
        (f"{OM};q=-1,text/plain;q=0.1", TEXT),
        (f"{OM};q=nan,text/plain;q=0.1", TEXT),
        (f"{OM};q=inf,text/plain;q=0.1", TEXT),
        (f"{OM};q=high,text/plain;q=0.1", TEXT),
        (f"{OM};q=,text/plain;q=0.1", TEXT),
        ("application/json", TEXT),
        ("text", TEXT),
        (",,;;==", TEXT),
        (";q=1", TEXT),
        ("\x00\xff", TEXT),
    ],
)
def test_the_format_is_the_one_that_the_client_likes_best(accept: str, expected: Format) -> None:
    assert choose_format(accept) is expected


@given(
    st.text()
    | st.lists(
        st.tuples(
            st.sampled_from(["text/plain", OM, "*/*", "text/*", "application/*", "x"]),
            st.sampled_from(["", ";q=", ";version=", ";q=0.5;version=", ";"]),
            st.sampled_from(
                ["", "0", "1", "0.0.4", "1.0.0", "abc", "1e400", "-0", "nan", "\N{SUPERSCRIPT TWO}"]
            ),
        ).map("".join)
    ).map(",".join)
)
def test_any_header_gives_a_format(header: str) -> None:
    assert choose_format(header) in (TEXT, OPENMETRICS)
    assert accepts_gzip(header) in (True, False)


@pytest.mark.parametrize(
    ("accept_encoding", "expected"),
    [
        ("", False),
        ("gzip", True),
        ("GZIP", True),
        ("gzip, deflate, br", True),
        ("deflate, gzip;q=0.1", True),
        ("gzip;q=1.0", True),
        ("gzip;q=0", False),
        ("gzip;q=0.0", False),
        ("gzip; q=0, *", False),
        ("*", True),
        ("*;q=0", False),
        ("*;q=0, gzip", True),
        ("identity", False),
        ("gzip;q=abc", False),
        ("gzip;q=2", False),
        ("x-gzip", False),
        ("br;q=1.0, *;q=0.5", True),
    ],
)
def test_gzip_is_used_where_the_client_allows_it(accept_encoding: str, expected: bool) -> None:
    assert accepts_gzip(accept_encoding) is expected
