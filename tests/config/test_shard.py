"""The shard that the name of a pod says."""

import re
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iometer_exporter.config.shard import (
    LARGEST_SHARDS,
    POD_NAME_VARIABLE,
    AutoShard,
    own_shard,
    parse_shard,
    pod_name,
)
from iometer_exporter.errors import ConfigError

NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?", fullmatch=True)
"""What a StatefulSet may be called."""
COUNTS = st.integers(min_value=1, max_value=LARGEST_SHARDS)


def shard_of(name: str, count: int) -> tuple[int, int]:
    return own_shard(AutoShard(count), {}, lambda: name)


@given(NAMES, COUNTS, st.data())
def test_each_pod_of_a_set_has_the_shard_of_its_ordinal(name: str, count: int, data: st.DataObject) -> None:
    ordinal = data.draw(st.integers(min_value=0, max_value=count - 1))
    for text in (f"{name}-{ordinal}", f"{name}-{ordinal}.{name}.metering.svc.cluster.local"):
        assert shard_of(text, count) == (ordinal + 1, count)


@given(NAMES, COUNTS)
def test_the_pods_of_a_set_share_all_shards(name: str, count: int) -> None:
    numbers = [shard_of(f"{name}-{ordinal}", count)[0] for ordinal in range(count)]
    assert numbers == list(range(1, count + 1))


@given(NAMES, COUNTS, st.integers(min_value=0, max_value=10**8))
def test_a_pod_too_many_is_told_so(name: str, count: int, beyond: int) -> None:
    with pytest.raises(ConfigError, match=f"auto/{count} is for the pods 0 to {count - 1}, "):
        shard_of(f"{name}-{count + beyond}", count)


@given(st.text(), COUNTS)
def test_any_name_is_a_shard_or_a_sentence(name: str, count: int) -> None:
    try:
        number, of = shard_of(name, count)
    except ConfigError as error:
        told = str(error)
    else:
        told = f"{name!r} is shard {number}"
        assert of == count
        assert name.partition(".")[0].endswith(f"-{number - 1}")
    assert repr(name) in told


@pytest.mark.parametrize(
    "name",
    ["", "laptop", "iometer", "3", "-3", "iometer3", "iometer-", "iometer-03", "iometer-x3", "iometer-3\n",
     "iometer-٣", "iometer.3", "iometer-3-7d9f8b6c5d-x2v4q"],
)  # fmt: skip
def test_a_name_without_an_ordinal(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        shard_of(name, 8)
    assert str(caught.value) == (
        "provider.shard: auto/8 needs the name of a pod that ends with its number, such as "
        f"iometer-exporter-3, and this one is {name!r}: set IOMETER_EXPORTER_POD_NAME, or write i/8"
    )


def test_the_first_pod_too_many() -> None:
    assert shard_of("iometer-exporter-7", 8) == (8, 8)
    with pytest.raises(ConfigError) as caught:
        shard_of("iometer-exporter-8", 8)
    assert str(caught.value) == (
        "provider.shard: auto/8 is for the pods 0 to 7, and this one is 'iometer-exporter-8': "
        "write as many shards as the StatefulSet has replicas"
    )


def test_the_variable_beats_the_host_name() -> None:
    def host() -> str:
        return "node-5"

    assert own_shard(AutoShard(8), {POD_NAME_VARIABLE: "iometer-2"}, host) == (3, 8)
    # An empty one is as good as none.
    assert own_shard(AutoShard(8), {POD_NAME_VARIABLE: ""}, host) == (6, 8)
    assert pod_name({}) == socket.gethostname()


def test_a_shard_that_is_written_asks_for_no_name() -> None:
    assert own_shard((2, 8), {}, lambda: pytest.fail("asked for the host name")) == (2, 8)


@given(COUNTS, st.data())
def test_shards_as_they_are_written(count: int, data: st.DataObject) -> None:
    number = data.draw(st.integers(min_value=1, max_value=count))
    assert parse_shard(f"{number}/{count}") == (number, count)
    assert parse_shard(f"auto/{count}") == AutoShard(count)


WRITTEN = re.compile(r"(auto|[1-9][0-9]*)/([1-9][0-9]*)", re.ASCII)


@given(st.text() | st.from_regex(r"(auto|[0-9]{1,5})/[0-9]{1,5}", fullmatch=True))
def test_whatever_is_written_is_a_shard_or_an_error(text: str) -> None:
    match = WRITTEN.fullmatch(text)
    count = int(match[2]) if match else 0
    if match and count <= LARGEST_SHARDS and match[1] == "auto":
        assert parse_shard(text) == AutoShard(count)
    elif match and count <= LARGEST_SHARDS and int(match[1]) <= count:
        assert parse_shard(text) == (int(match[1]), count)
    else:
        with pytest.raises(ConfigError, match=r"^is the text .*, expected i/n such as 2/8, the part"):
            parse_shard(text)
