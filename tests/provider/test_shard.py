from collections import Counter
from uuid import UUID, uuid5

from hypothesis import given
from hypothesis import strategies as st

from iometer_exporter.provider.served.shard import WHOLE, in_shard

IDS = [str(uuid5(UUID(int=0), str(number))) for number in range(4000)]


def shard_of(installation_id: str, count: int) -> int:
    [number] = [n for n in range(1, count + 1) if in_shard(installation_id, (n, count))]
    return number


@given(st.text(), st.integers(min_value=1, max_value=40))
def test_every_installation_is_in_exactly_one_shard(installation_id: str, count: int) -> None:
    assert 1 <= shard_of(installation_id, count) <= count


def test_one_shard_has_all() -> None:
    assert all(in_shard(installation_id, WHOLE) for installation_id in IDS)


def test_shards_are_of_about_one_size() -> None:
    sizes = Counter(shard_of(installation_id, 8) for installation_id in IDS)
    assert set(sizes) == set(range(1, 9))
    assert max(sizes.values()) < 1.2 * len(IDS) / 8
    assert min(sizes.values()) > 0.8 * len(IDS) / 8


def test_one_shard_more_moves_only_what_it_takes() -> None:
    moved = 0
    for installation_id in IDS:
        before, after = shard_of(installation_id, 8), shard_of(installation_id, 9)
        assert after in (before, 9)
        moved += after != before
    assert 0.8 * len(IDS) / 9 < moved < 1.2 * len(IDS) / 9


def test_the_place_of_an_installation_never_changes() -> None:
    """Another version of this program, on another host, must come to the same result."""
    assert [shard_of(f"installation-{number}", 8) for number in range(12)] == GOLDEN


GOLDEN = [7, 6, 7, 3, 7, 8, 4, 4, 3, 1, 7, 1]
