"""Kept lines are those that would be written now, whatever happened before."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iometer_exporter.provider.served.lines import BLOCK, NEVER, Encoded, LineStore
from tests.properties import examples


class Items:
    """What a store keeps: by position the lines of each family and their last time."""

    def __init__(self, families: int = 3) -> None:
        self.families = families
        self.known: dict[int, tuple[list[bytes], float]] = {}
        self.encoded = 0
        self.store = LineStore(families, self._encode)

    def _encode(self, position: int, now: float) -> Encoded:
        self.encoded += 1
        lines, until = self.known.get(position, ([b""] * self.families, NEVER))
        if now > until:
            # The last family holds what becomes untrue.
            return [*lines[:-1], b""], NEVER
        return lines, until

    def put(self, position: int, text: str, until: float = NEVER) -> None:
        lines = [f"{family} {position} {text}\n".encode() for family in range(self.families)]
        if text == "none":
            lines = [b""] * self.families
        self.known[position] = (lines, until)
        self.store.change(position)

    def expected(self, family: int, now: float) -> bytes:
        return b"".join(
            lines[family]
            for _, (lines, until) in sorted(self.known.items())
            if family < self.families - 1 or now <= until
        )

    def refresh(self, now: float = 0.0) -> int:
        return sum(1 for _ in self.store.refresh(now))

    def text(self, family: int) -> bytes:
        return b"".join(self.store.pieces(family))


STEP = st.one_of(
    st.tuples(st.just("add"), st.integers(1, 2 * BLOCK)),
    st.tuples(st.just("change"), st.integers(0, 10**6)),
    st.tuples(st.just("remove"), st.integers(0, 10**6)),
    st.tuples(st.just("refresh"), st.integers(0, 50)),
)


@examples(25)
@given(st.lists(STEP, max_size=40), st.randoms(use_true_random=False))
def test_the_store_holds_what_a_fresh_encoding_gives(
    steps: list[tuple[str, int]], randomness: random.Random
) -> None:
    items = Items()
    now = 0.0
    for step, number in steps:
        places = sorted(items.known)
        if step == "add":
            for _ in range(number):
                items.put(items.store.add(), "x" * randomness.randrange(9), until=now + number)
        elif step == "refresh":
            now += number
            items.refresh(now)
            for family in range(items.families):
                assert items.text(family) == items.expected(family, now)
        elif places:
            place = places[number % len(places)]
            if step == "change":
                text = randomness.choice(["none", "y", "longer than before"])
                items.put(place, text, until=now + number % 7)
            else:
                del items.known[place]
                items.store.remove(place)
    items.refresh(now)
    for family in range(items.families):
        assert items.text(family) == items.expected(family, now)


def filled(count: int) -> Items:
    items = Items()
    for _ in range(count):
        items.put(items.store.add(), "x")
    items.refresh()
    items.encoded = 0
    return items


def test_nothing_is_encoded_again_that_did_not_change() -> None:
    items = filled(5 * BLOCK)
    assert items.refresh() == 0
    items.put(BLOCK + 3, "y")
    items.put(BLOCK + 4, "y")
    items.put(3 * BLOCK, "y")
    assert items.refresh() == 2
    assert items.encoded == 3
    assert items.refresh() == 0


def test_the_other_blocks_stay_the_same_objects() -> None:
    items = filled(3 * BLOCK)
    before = items.store.pieces(0)
    items.put(BLOCK, "y")
    items.refresh()
    after = items.store.pieces(0)
    assert [old is new for old, new in zip(before, after, strict=True)] == [True, False, True]
    assert f"0 {BLOCK} x\n".encode() in before[1]


def test_only_families_that_changed_are_written() -> None:
    items = filled(BLOCK)
    before = [items.store.pieces(family)[0] for family in range(3)]
    lines, until = items.known[7]
    items.known[7] = ([lines[0], b"new\n", lines[2]], until)
    items.store.change(7)
    items.refresh()
    assert [items.store.pieces(family)[0] is before[family] for family in range(3)] == [True, False, True]


def test_what_is_no_longer_true_goes_without_a_change() -> None:
    items = filled(2 * BLOCK)
    items.put(5, "x", until=100.0)
    items.refresh(100.0)
    assert items.text(2) == items.expected(2, 100.0)
    assert b"2 5 x" in items.text(2)
    assert items.refresh(100.5) == 1
    assert b"2 5 x" not in items.text(2)
    assert b"0 5 x" in items.text(0)
    assert items.refresh(101.0) == 0


def test_a_free_place_is_used_again() -> None:
    items = filled(BLOCK)
    del items.known[9]
    items.store.remove(9)
    items.refresh()
    assert items.store.add() == 9
    items.put(9, "new")
    items.refresh()
    assert items.store.positions == BLOCK
    assert items.text(0) == items.expected(0, 0.0)


def test_two_that_refresh_at_once_share_the_work() -> None:
    items = filled(4 * BLOCK)
    for block in range(4):
        items.put(block * BLOCK, "y")
    one, other = items.store.refresh(0.0), items.store.refresh(0.0)
    next(one)
    next(other)
    rest = [*one, *other]
    assert len(rest) == 2
    assert items.encoded == 4
    assert items.text(0) == items.expected(0, 0.0)


class Faulty:
    """An encoding that fails at some positions."""

    def __init__(self) -> None:
        self.bad: set[int] = set()

    def __call__(self, position: int, now: float) -> Encoded:
        if position in self.bad:
            raise ValueError(f"position {position}")
        return (f"a {position}\n".encode(), f"b {now:g}\n".encode()), NEVER


def texts(store: LineStore, now: float) -> list[list[str]]:
    """The lines of each family after a refresh."""
    for _ in store.refresh(now):
        pass
    return [b"".join(store.pieces(family)).decode().splitlines() for family in range(2)]


def test_a_fault_costs_the_lines_of_its_installation_and_no_others() -> None:
    encode = Faulty()
    store = LineStore(2, encode)
    for _ in range(BLOCK + 1):
        store.add()
    encode.bad = {5}
    found = texts(store, 1.0)
    assert set(found[0]) == {f"a {place}" for place in range(BLOCK + 1) if place != 5}
    assert str(store.fault) == "position 5"
    # It is tried again each time, though nothing has changed, and has its lines once it can.
    store.fault = None
    assert texts(store, 2.0) == found
    assert str(store.fault) == "position 5"
    encode.bad = set()
    assert set(texts(store, 3.0)[0]) == {f"a {place}" for place in range(BLOCK + 1)}


def test_a_fault_leaves_no_lines_of_before() -> None:
    """Its label may be that of another by now."""
    encode = Faulty()
    store = LineStore(2, encode)
    position = store.add()
    assert texts(store, 1.0) == [[f"a {position}"], ["b 1"]]
    encode.bad = {position}
    store.change(position)
    assert texts(store, 2.0) == [[], []]


def test_a_rewrite_that_is_interrupted_is_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    store = LineStore(2, Faulty())
    for _ in range(3):
        store.add()
    expected = [["a 0", "a 1", "a 2"], ["b 1", "b 1", "b 1"]]
    replace = LineStore._replace
    calls = 0

    def fails(*arguments: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise MemoryError
        replace(*arguments)

    monkeypatch.setattr(LineStore, "_replace", fails)
    with pytest.raises(MemoryError):
        texts(store, 1.0)
    assert store.pending
    assert texts(store, 1.0) == expected
