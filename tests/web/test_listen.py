import errno
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from iometer_exporter.errors import ConfigError, StartError
from iometer_exporter.web import listen as sockets
from iometer_exporter.web.listen import ListenAddress, listen, parse_listen_address, url_of


@pytest.fixture
def busy() -> Iterator[int]:
    """A port of 127.0.0.1 that is in use."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[socket.socket]]:
    """All sockets opened by the module during the test."""
    found: list[socket.socket] = []

    class Recorded(socket.socket):
        def __init__(self, *kind: int) -> None:
            super().__init__(*kind)
            found.append(self)

    monkeypatch.setattr(socket, "socket", Recorded)
    yield found
    for item in found:
        item.close()


def message_of(*addresses: ListenAddress) -> str:
    with pytest.raises(StartError) as caught:
        listen(addresses)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        (":10180", "", 10180),
        ("127.0.0.1:10180", "127.0.0.1", 10180),
        ("localhost:1", "localhost", 1),
        ("[::1]:10180", "::1", 10180),
        ("[::]:10180", "::", 10180),
        ("[]:10180", "", 10180),
        ("0.0.0.0:0", "0.0.0.0", 0),
        (":0", "", 0),
    ],
)
def test_listen_addresses(text: str, host: str, port: int) -> None:
    assert parse_listen_address(text) == ListenAddress(host, port)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (text, f"{text!r} is not a listen address, write :10180, 127.0.0.1:10180 or [::1]:10180")
        for text in ("", "10180", "localhost", "::1:10180", "[::1:10180", "::1]:10180")
    ]
    + [
        (f"127.0.0.1:{port}", f"{port!r} is not a port, write a number from 1 to 65535")
        for port in ("", "http", "65536", "-1", "00")
    ],
)
def test_what_is_no_listen_address_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_listen_address(text)
    assert str(caught.value) == message


def test_any_free_port_is_one_that_is_free_for_both(monkeypatch: pytest.MonkeyPatch) -> None:
    others: list[socket.socket] = []
    bind = sockets._bind

    def beaten(family: int, address: tuple[object, ...]) -> socket.socket:
        opened = bind(family, address)
        if family == socket.AF_INET6 and len(others) < 3:
            others.append(socket.create_server(("127.0.0.1", opened.getsockname()[1])))
        return opened

    monkeypatch.setattr(sockets, "_bind", beaten)
    four, six = listen([ListenAddress("", 0)])
    with four, six, others[0], others[1], others[2]:
        assert four.getsockname()[1] == six.getsockname()[1]
        assert four.getsockname()[1] not in {each.getsockname()[1] for each in others}


def test_any_free_port_is_looked_for_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def full(family: int, address: tuple[object, ...]) -> socket.socket:
        tried.append(family)
        raise OSError(errno.EADDRINUSE, "in use")

    monkeypatch.setattr(sockets, "_bind", full)
    assert message_of(ListenAddress("", 0)).startswith("cannot listen on :0: the port is in use")
    assert 10 < len(tried) < 100


def test_without_a_host_ipv4_and_ipv6_are_served_on_one_port() -> None:
    four, six = listen([ListenAddress("", 0)])
    with four, six:
        port = four.getsockname()[1]
        assert (four.family, six.family) == (socket.AF_INET, socket.AF_INET6)
        assert six.getsockname()[1] == port
        for host in ("127.0.0.1", "::1"):
            socket.create_connection((host, port), timeout=5).close()


def test_a_system_without_ipv6_is_served_on_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    bind = sockets._bind

    def without_ipv6(family: int, place: tuple[object, ...]) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return bind(family, place)

    monkeypatch.setattr(sockets, "_bind", without_ipv6)
    (four,) = listen([ListenAddress("", 0)])
    with four:
        assert four.family == socket.AF_INET


@pytest.mark.parametrize(
    ("host", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6), ("localhost", None)]
)
def test_with_a_host_only_that_is_served(host: str, family: int | None) -> None:
    (one,) = listen([ListenAddress(host, 0)])
    with one:
        assert family in (one.family, None)
        assert one.getblocking() is False
        socket.create_connection(one.getsockname()[:2], timeout=5).close()


def test_several_addresses_are_all_served() -> None:
    found = listen([ListenAddress("127.0.0.1", 0), ListenAddress("127.0.0.2", 0)])
    assert [item.getsockname()[0] for item in found] == ["127.0.0.1", "127.0.0.2"]
    for item in found:
        item.close()


IN_USE = "the port is in use, stop the other program or choose another with --web.listen-address"


def test_a_port_in_use_is_told_with_what_to_do(busy: int) -> None:
    assert message_of(ListenAddress("127.0.0.1", busy)) == f"cannot listen on 127.0.0.1:{busy}: {IN_USE}"


def test_a_port_in_use_on_ipv4_is_told_for_all_interfaces(busy: int) -> None:
    assert message_of(ListenAddress("", busy)) == f"cannot listen on :{busy}: {IN_USE}"


def test_a_port_in_use_on_ipv6_is_told_for_all_interfaces() -> None:
    with closing(socket.create_server(("::1", 0), family=socket.AF_INET6)) as server:
        port = server.getsockname()[1]
        assert message_of(ListenAddress("", port)) == f"cannot listen on :{port}: {IN_USE}"
        assert message_of(ListenAddress("::1", port)) == f"cannot listen on [::1]:{port}: {IN_USE}"


def test_an_address_of_another_host_is_told() -> None:
    assert (
        message_of(ListenAddress("192.0.2.1", 10180))
        == "cannot listen on 192.0.2.1:10180: this host has no such address"
    )


def test_a_name_that_does_not_resolve_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    assert (
        message_of(ListenAddress("nowhere.invalid", 1))
        == "cannot listen on nowhere.invalid:1: Name or service not known"
    )


def test_a_port_that_needs_root_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> socket.socket:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(sockets, "_bind", refuse)
    needs_root = "the port needs root rights, choose one above 1023 with --web.listen-address"
    assert message_of(ListenAddress("", 80)) == f"cannot listen on :80: {needs_root}"
    assert message_of(ListenAddress("127.0.0.1", 80)) == f"cannot listen on 127.0.0.1:80: {needs_root}"


@pytest.mark.parametrize("host", ["127.0.0.1", ""])
def test_a_failure_closes_all_that_was_opened(busy: int, opened: list[socket.socket], host: str) -> None:
    message_of(ListenAddress("", 0), ListenAddress("127.0.0.2", 0), ListenAddress(host, busy))
    assert len(opened) >= 4
    assert [item.fileno() for item in opened] == [-1] * len(opened)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:{}/"),
        ("::1", "http://[::1]:{}/"),
        ("0.0.0.0", "http://localhost:{}/"),
        ("::", "http://localhost:{}/"),
    ],
)
def test_the_url_is_one_that_a_person_can_open(host: str, url: str) -> None:
    (one,) = listen([ListenAddress(host, 0)])
    with one:
        assert url_of(one) == url.format(one.getsockname()[1])
