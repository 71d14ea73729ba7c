import pytest
from hypothesis import given
from hypothesis import strategies as st

from iometer_exporter.config.values import parse_duration, parse_power
from iometer_exporter.errors import ConfigError
from iometer_exporter.net.addresses import Address, check_host, parse_address, parse_port


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("0s", 0.0),
        ("500ms", 0.5),
        ("10s", 10.0),
        ("1.5s", 1.5),
        ("20m", 1200.0),
        ("24h", 86400.0),
        ("7d", 604800.0),
        ("1w", 604800.0),
        ("1h30m", 5400.0),
        ("1m500ms", 60.5),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "s", "10 s", "-10s", "+10s", "1e3s", "10S", "10sec", "10s ", "1,5s", "inf", "nan", "٣s"],
)
def test_what_is_no_duration_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_duration(text)
    assert (
        str(caught.value)
        == f"{text!r} is not a duration, write a number and a unit such as 500ms, 10s, 20m or 24h"
    )


@pytest.mark.parametrize(
    ("text", "watts"), [("100kW", 100_000.0), ("500W", 500.0), ("0.5 MW", 500_000.0), ("1.5kW", 1500.0)]
)
def test_powers(text: str, watts: float) -> None:
    assert parse_power(text) == watts


@pytest.mark.parametrize("text", ["", "100", "kW", "-1kW", "100kw", "100KW", "1e3W", "100  kW", "100kWh"])
def test_what_is_no_power_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_power(text)
    assert str(caught.value) == f"{text!r} is not a power, write a number and a unit such as 500W or 100kW"


@pytest.mark.parametrize(
    ("text", "address", "shown"),
    [
        ("192.168.1.50", Address("192.168.1.50", 80), "192.168.1.50"),
        ("192.168.1.50:80", Address("192.168.1.50", 80), "192.168.1.50"),
        ("192.168.1.50:8080", Address("192.168.1.50", 8080), "192.168.1.50:8080"),
        ("iometer-ec63e8.local", Address("iometer-ec63e8.local", 80), "iometer-ec63e8.local"),
        ("iometer-ec63e8.local.:81", Address("iometer-ec63e8.local.", 81), "iometer-ec63e8.local.:81"),
        ("simulator_1:18080", Address("simulator_1", 18080), "simulator_1:18080"),
        ("fd00::1", Address("fd00::1", 80), "[fd00::1]"),
        ("[fd00::1]", Address("fd00::1", 80), "[fd00::1]"),
        ("[FD00:0::1]:8080", Address("fd00::1", 8080), "[fd00::1]:8080"),
        ("fe80::1%eth0", Address("fe80::1%eth0", 80), "[fe80::1%eth0]"),
    ],
)
def test_addresses_and_how_they_are_shown(text: str, address: Address, shown: str) -> None:
    assert parse_address(text) == address
    assert str(address) == shown
    assert parse_address(shown) == address


def test_the_longest_addresses_there_are() -> None:
    host = "a." * 126 + "a"
    assert parse_address(f"{host}:65535") == Address(host, 65535)
    zoned = f"fe80:1111:2222:3333:4444:5555:6666:7777%{'e' * 15}"
    assert parse_address(f"[{zoned}]:65535") == Address(zoned, 65535)


@pytest.mark.parametrize(
    ("address", "header"),
    [
        (Address("bridge.local"), "bridge.local"),
        (Address("192.168.1.50", 8080), "192.168.1.50:8080"),
        (Address("fd00::1"), "[fd00::1]"),
        (Address("fe80::1%eth0"), "[fe80::1]"),
        (Address("fe80::1%eth0", 8080), "[fe80::1]:8080"),
    ],
)
def test_the_host_that_a_request_names_has_no_zone(address: Address, header: str) -> None:
    assert address.host_header == header


NO_HOST = "is not a host, write a name or an IP address such as 192.168.1.50, without http:// and path"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", f"'' {NO_HOST}"),
        (":80", f"'' {NO_HOST}"),
        ("http://192.168.1.50", f"'http://192.168.1.50' {NO_HOST}"),
        ("http://192.168.1.50:80", f"'http://192.168.1.50:80' {NO_HOST}"),
        ("http://[fd00::1]/", f"'http://[fd00::1]/' {NO_HOST}"),
        ("192.168.1.50:80/v1", f"'192.168.1.50:80/v1' {NO_HOST}"),
        ("192.168.1.50/v1", f"'192.168.1.50/v1' {NO_HOST}"),
        ("192.168.1", f"'192.168.1' {NO_HOST}"),
        ("192.168.1.256", f"'192.168.1.256' {NO_HOST}"),
        ("-bridge", f"'-bridge' {NO_HOST}"),
        ("two words", f"'two words' {NO_HOST}"),
        ("brücke", f"'brücke' {NO_HOST}"),
        ("a..b", f"'a..b' {NO_HOST}"),
        ("a" * 64, f"'{'a' * 64}' {NO_HOST}"),
        ("bridge\n", f"'bridge\\n' {NO_HOST}"),
        ("user@bridge", f"'user@bridge' {NO_HOST}"),
        ("bridge:", "'' is not a port, write a number from 1 to 65535"),
        ("bridge:http", "'http' is not a port, write a number from 1 to 65535"),
        ("bridge:0", "'0' is not a port, write a number from 1 to 65535"),
        ("bridge:65536", "'65536' is not a port, write a number from 1 to 65535"),
        ("[fd00::1]:x", "'x' is not a port, write a number from 1 to 65535"),
        ("[fd00::1]:", "'' is not a port, write a number from 1 to 65535"),
        ("[fd00::1", "'[fd00::1' is not an address, write [IPV6] or [IPV6]:PORT"),
        ("[fd00::1]80", "'[fd00::1]80' is not an address, write [IPV6] or [IPV6]:PORT"),
        ("[bridge]:80", "'[bridge]:80' is not an address: 'bridge' is not an IPv6 address"),
        ("[]", "'[]' is not an address: '' is not an IPv6 address"),
        ("[192.168.1.50]", "'[192.168.1.50]' is not an address: '192.168.1.50' is not an IPv6 address"),
        ("[fe80::1%]", "'[fe80::1%]' is not an address: 'fe80::1%' is not an IPv6 address"),
        ("fe80::1%a b", "'fe80::1%a b' is not an address: 'fe80::1%a b' is not an IPv6 address"),
        (
            "[fe80::1%\r\nX: y]",
            r"'[fe80::1%\r\nX: y]' is not an address: 'fe80::1%\r\nX: y' is not an IPv6 address",
        ),
        (
            f"fe80::1%{'e' * 16}",
            f"'fe80::1%{'e' * 16}' is not an address: 'fe80::1%{'e' * 16}' is not an IPv6 address",
        ),
        ("10.0.0.1%eth0", f"'10.0.0.1%eth0' {NO_HOST}"),
        (f"{'a.' * 127}", f"'{'a.' * 30}…' is not a host, a name has at most 253 characters"),
        (
            f"fe80::1%{'e' * 99999}",
            f"'fe80::1%{'e' * 52}…' is not an address, one has at most 270 characters",
        ),
        ("a:b:c", "'a:b:c' is not an address: 'a:b:c' is not an IPv6 address"),
    ],
)
def test_what_is_no_address_is_refused_with_what_to_write(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_address(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(("text", "port"), [("1", 1), ("80", 80), ("65535", 65535), ("00080", 80)])
def test_ports(text: str, port: int) -> None:
    assert parse_port(text) == port


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "65536",
        "-1",
        "+80",
        "8O",
        " 80",
        "80.0",
        "²",
        "9" * 5000,
        "0" * 5000,
        "000000080",
        "655350",
        "00655359",
    ],
)
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_port(text)
    assert str(caught.value) == f"{text!r} is not a port, write a number from 1 to 65535"


def test_a_host_with_a_port_is_no_host() -> None:
    with pytest.raises(ConfigError) as caught:
        check_host("192.168.1.50:80")
    assert str(caught.value) == f"'192.168.1.50:80' {NO_HOST}"


@given(st.text() | st.text(alphabet="[]:.-%0123456789abfmshkW ", max_size=20))
def test_any_text_is_understood_or_a_configuration_error(text: str) -> None:
    for parse in (parse_address, parse_duration, parse_power, parse_port, check_host):
        try:
            parse(text)
        except ConfigError as error:
            message = str(error)
            assert message.isprintable()
