"""What a walk over the inventory keeps of a large fleet."""

from iometer_exporter.provider.api.pages import _PARTS, _Seen
from tests.turns import turns_of_others


async def test_a_large_fleet_is_forgotten_in_turns() -> None:
    seen = _Seen()
    for number in range(200_000):
        assert seen.add(f"id-{number}")
    assert not seen.add("id-7")
    async with turns_of_others() as turns:
        await seen.forget()
    assert turns.count >= _PARTS
    assert seen.add("id-7")


async def test_a_small_fleet_is_forgotten_at_once() -> None:
    seen = _Seen()
    assert [seen.add(each) for each in ("a", "b", "a")] == [True, True, False]
    async with turns_of_others() as turns:
        await seen.forget()
    assert turns.count == 0
    assert not seen.add("a")
