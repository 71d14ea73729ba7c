import resource
from collections.abc import Iterator

import pytest

from iometer_exporter.net.descriptors import client_connections, kept_connections, raise_limit


@pytest.fixture(autouse=True)
def _limit() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_limit_is_raised_to_the_hard_one() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    raised = raise_limit()
    assert raised == min(hard, 65536)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (raised, hard)
    assert raise_limit() == raised


def test_a_limit_that_may_not_be_raised_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))

    def refused(*_: object) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "setrlimit", refused)
    assert raise_limit() == 256


def test_without_a_limit_there_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    infinity = resource.RLIM_INFINITY
    monkeypatch.setattr(resource, "getrlimit", lambda _: (infinity, infinity))
    assert raise_limit() == 65536
    assert kept_connections() == 4096


@pytest.mark.parametrize(
    ("descriptors", "clients"), [(8, 8), (256, 64), (1024, 256), (65536, 2048), (1_000_000, 2048)]
)
def test_clients_get_a_part(descriptors: int, clients: int) -> None:
    assert client_connections(descriptors) == clients


@pytest.mark.parametrize(("soft", "kept"), [(256, 128), (1024, 512), (20_000, 4096)])
def test_connections_to_bridges_are_kept_within_half(soft: int, kept: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < soft:
        pytest.skip(f"this system allows {hard} descriptors only")
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert kept_connections() == kept
