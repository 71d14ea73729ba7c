"""When the state file is written, and what is logged of it."""

# ruff: noqa: ASYNC240 (a test may look at the disk)

import asyncio
import errno
import json
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from iometer_exporter.errors import StateError
from iometer_exporter.state.file import StateFile
from iometer_exporter.state.keeper import StateKeeper
from tests.turns import turns_of_others

PATIENCE: Final = 30.0
SHORT: Final = 0.01


class Numbers:
    """A keeper of numbers."""

    def __init__(self, kind: str = "number", known: dict[str, int] | None = None) -> None:
        self.kind = kind
        self.known = known or {}
        self.restored: list[tuple[float, bool]] = []
        self.on_change: Callable[[], None] | None = None

    def entries(self) -> Iterator[tuple[str, Any]]:
        yield from self.known.items()

    def restore(self, key: str, payload: Any, *, started: float, is_behind: bool) -> None:
        if not isinstance(payload, int):
            raise StateError("no number")
        self.known[key] = payload
        self.restored.append((started, is_behind))

    def set(self, key: str, number: int) -> None:
        self.known[key] = number
        if self.on_change is not None:
            self.on_change()


@asynccontextmanager
async def keeping(path: Path, *keepers: Numbers, interval: float = SHORT) -> AsyncIterator[StateKeeper]:
    keeper = StateKeeper(path, keepers, started=5.0, interval=interval)
    await keeper.start()
    try:
        yield keeper
    finally:
        await keeper.aclose()


def write(path: Path, entries: list[Any]) -> None:
    """As an exporter that has ended left it."""
    file = StateFile(path)
    file.write(entries, ended=True)
    file.close()


def on_disk(path: Path) -> dict[str, Any]:
    """What another process would be given now."""
    return {f"{kind}/{key}": payload for kind, key, payload in StateFile(path).read()[0]}


async def settled(keeper: StateKeeper) -> None:
    """Until the thread that writes has done what it has been told so far, and what follows from it."""
    for _ in range(5):
        await keeper._worker.run(lambda: None)


async def eventually(probe: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE
    while not probe():
        assert time.monotonic() < give_up
        await asyncio.sleep(0.005)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    return lambda: [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


async def test_changes_are_written_and_given_back(path: Path, logged: Callable[[], list[str]]) -> None:
    numbers = Numbers()
    async with keeping(path, numbers):
        numbers.set("a", 1)
        await eventually(lambda: path.exists() and on_disk(path) == {"number/a": 1})
        numbers.set("b", 2)
        await eventually(lambda: on_disk(path) == {"number/a": 1, "number/b": 2})
    again = Numbers()
    async with keeping(path, again):
        assert again.known == {"a": 1, "b": 2}
        assert again.restored == [(5.0, False)] * 2
    assert logged() == []


async def test_without_a_change_nothing_is_written_until_the_end(path: Path) -> None:
    async with keeping(path, Numbers(known={"a": 1})):
        await asyncio.sleep(0.1)
        assert not path.exists()
    assert on_disk(path) == {"number/a": 1}


async def test_versions_keep_their_distance(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iometer_exporter.state.keeper._GATHERING_SECONDS", 0.0)
    numbers = Numbers()
    async with keeping(path, numbers, interval=3600.0):
        numbers.set("a", 1)
        await eventually(path.exists)
        numbers.set("a", 2)
        await asyncio.sleep(0.1)
        assert on_disk(path) == {"number/a": 1}
    assert on_disk(path) == {"number/a": 2}


async def test_while_more_is_known_than_written_the_mark_says_so(path: Path) -> None:
    numbers = Numbers()
    lock = Path(f"{path}.lock")
    async with keeping(path, numbers, interval=3600.0):
        await eventually(lock.exists)
        assert lock.stat().st_size == 0
        numbers.set("a", 1)
        await eventually(lambda: lock.stat().st_size == 1)
    assert lock.stat().st_size == 0
    entries, is_behind = StateFile(path).read()
    assert list(entries) == [("number", "a", 1)]
    assert is_behind is False


async def test_a_change_before_the_lock_is_marked_too(path: Path) -> None:
    numbers = Numbers()
    other = StateFile(path)
    other.lock()
    lock = Path(f"{path}.lock")
    async with keeping(path, numbers):
        numbers.set("a", 1)
        await asyncio.sleep(0.1)
        other.close()
        await eventually(path.exists)
        await eventually(lambda: lock.stat().st_size == 0)
        numbers.set("a", 2)
        await eventually(lambda: on_disk(path) == {"number/a": 2})


async def test_two_keepers_get_what_is_theirs_and_the_rest_is_dropped(path: Path) -> None:
    write(path, [("x", "a", 1), ("y", "a", 2), ("z", "a", 3), ("x", "b", "no number")])
    x, y = Numbers("x"), Numbers("y")
    async with keeping(path, x) as keeper:
        await keeper.add(y)
        assert (x.known, y.known) == ({"a": 1}, {"a": 2})
        keeper.remove(x)
        keeper.remove(x)
        y.set("b", 3)
        await eventually(lambda: on_disk(path) == {"y/a": 2, "y/b": 3})
        assert x.on_change is None


async def test_entries_that_cannot_be_used_are_told_once(path: Path, logged: Callable[[], list[str]]) -> None:
    write(path, [("number", str(n), "x") for n in range(200)])
    numbers = Numbers()
    async with keeping(path, numbers):
        assert numbers.known == {}
    assert logged() == ["entries of the state file not used: 200"]


async def test_many_entries_leave_the_loop_its_turn(path: Path) -> None:
    numbers = Numbers(known={f"k{n}": n for n in range(5000)})
    async with turns_of_others() as turns, keeping(path, numbers):
        pass
    assert turns.count > 5000 / 64
    async with turns_of_others() as turns, keeping(path, again := Numbers()):
        assert again.known == numbers.known
        assert turns.count > 5000 / 64


async def test_a_bad_file_is_one_warning_and_the_next_one_is_good(
    path: Path, logged: Callable[[], list[str]]
) -> None:
    path.write_text("{}")
    numbers = Numbers(known={"a": 1})
    async with keeping(path, numbers):
        numbers.set("b", 2)
        await eventually(path.exists)
    assert on_disk(path) == {"number/a": 1, "number/b": 2}
    assert logged() == [
        f"state file not used: {path} is not a state file of this program: "
        "it is set aside as state.json.bad-1"
    ]


async def test_what_is_no_file_is_one_warning_and_never_written(
    path: Path, logged: Callable[[], list[str]]
) -> None:
    path.mkdir()
    numbers = Numbers()
    async with keeping(path, numbers):
        for number in range(5):
            numbers.set("a", number)
            await asyncio.sleep(0.03)
    assert logged() == [f"state file not used: {path} is not a regular file: nothing is kept"]
    assert list(path.parent.iterdir()) == [path]


async def test_a_path_that_cannot_be_written_is_one_warning(
    tmp_path: Path, logged: Callable[[], list[str]]
) -> None:
    path = tmp_path / "none" / "state.json"
    numbers = Numbers()
    async with keeping(path, numbers):
        for number in range(5):
            numbers.set("a", number)
            await asyncio.sleep(0.03)
        assert logged() == ["state file not written: No such file or directory"]
        path.parent.mkdir()
        await eventually(path.exists)
    assert on_disk(path) == {"number/a": 4}
    assert len(logged()) == 1


async def test_a_full_disk_is_one_warning_and_its_end_is_told(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    numbers = Numbers()
    tried = 0

    def full(*_: object) -> None:
        nonlocal tried
        tried += 1
        raise OSError(errno.ENOSPC, "No space left on device")

    async with keeping(path, numbers):
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)
            numbers.set("a", 1)
            await eventually(lambda: tried > 3)
        await eventually(path.exists)
        await eventually(lambda: len(caplog.messages) == 2)
    assert caplog.messages == [
        "state file not written: No space left on device",
        "state file is written again",
    ]


async def test_a_second_exporter_reads_and_writes_when_the_first_has_ended(
    path: Path, logged: Callable[[], list[str]]
) -> None:
    first, second = Numbers(known={"a": 1}), Numbers()
    async with keeping(path, first):
        first.set("a", 2)
        await eventually(lambda: path.exists() and on_disk(path) == {"number/a": 2})
        keeper = StateKeeper(path, [second], started=5.0, interval=SHORT)
        await keeper.start()
        assert second.known == {"a": 2}
        second.set("b", 3)
        await eventually(lambda: bool(logged()))
        await asyncio.sleep(0.05)
        assert on_disk(path) == {"number/a": 2}
    await eventually(lambda: on_disk(path) == {"number/a": 2, "number/b": 3})
    await keeper.aclose()
    assert logged() == [
        f"state file not written: {path} is written by another exporter: give each a file of its own"
    ]


async def test_a_disk_that_hangs_delays_neither_the_loop_nor_the_end_for_long(
    path: Path, monkeypatch: pytest.MonkeyPatch, logged: Callable[[], list[str]]
) -> None:
    numbers = Numbers(known={"a": 1})
    hangs = threading.Event()
    monkeypatch.setattr("iometer_exporter.state.keeper._LONGEST_ENDING_SECONDS", 0.05)
    async with keeping(path, numbers):
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", lambda _: hangs.wait(PATIENCE))
            numbers.set("b", 2)
            await eventually(lambda: Path(f"{path.parent}/.state.json.new").exists())
            # The loop runs on; and the end comes although the disk never answers.
            await asyncio.sleep(0.05)
            keeper = StateKeeper(path.with_name("other"), [], started=5.0)
            await keeper.start()
            await keeper.aclose()
            numbers.set("c", 3)
            assert logged() == ["state file not written in time"]
            hangs.set()
    assert json.loads(path.read_text().splitlines()[0])["ended"] is True


async def test_an_exporter_that_is_told_to_end_while_it_writes_ends_in_order(path: Path) -> None:
    numbers = Numbers(known={f"k{n}": n for n in range(2000)})
    keeper = StateKeeper(path, [numbers], started=5.0, interval=SHORT)
    await keeper.start()
    for number in range(20):
        numbers.set("a", number)
        await asyncio.sleep(0.002)
    await keeper.aclose()
    assert len(on_disk(path)) == 2001
    assert json.loads(path.read_text().splitlines()[0])["ended"] is True
    assert sorted(p.name for p in path.parent.iterdir()) == ["state.json", "state.json.lock"]


async def test_what_a_killed_exporter_left_stays_behind_until_it_is_written_anew(path: Path) -> None:
    """Two kills, one after the other: the second one must not make the file of the first one good."""
    write(path, [("number", "a", 1)])
    lock = Path(f"{path}.lock")
    lock.write_bytes(b"1")
    numbers = Numbers()
    async with keeping(path, numbers, interval=3600.0) as keeper:
        assert numbers.restored == [(5.0, True)]
        await settled(keeper)
        assert lock.stat().st_size == 1
    assert lock.stat().st_size == 0


async def test_a_file_of_another_boot_is_marked_as_behind(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = StateFile(path)
    file.write([])
    file.close()
    monkeypatch.setattr("iometer_exporter.state.file._BOOT_ID", path.with_name("no boot"))
    async with keeping(path, Numbers(), interval=3600.0):
        await eventually(lambda: Path(f"{path}.lock").stat().st_size == 1)


async def test_a_fault_of_a_keeper_stops_neither_the_start_nor_the_writing(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Faulty(Numbers):
        def restore(self, key: str, payload: Any, *, started: float, is_behind: bool) -> None:
            raise RuntimeError("a fault")

        def entries(self) -> Iterator[tuple[str, Any]]:
            if self.known:
                raise RuntimeError("a fault")
            return super().entries()

    write(path, [("number", "a", 1)])
    numbers = Faulty()
    async with keeping(path, numbers):
        numbers.set("a", 1)
        await eventually(lambda: len(caplog.records) == 2)
        await asyncio.sleep(0.05)
        numbers.known.clear()
        await eventually(lambda: on_disk(path) == {})
    assert caplog.messages[:2] == [
        "reading the state file failed, please report this",
        "writing the state file failed, please report this",
    ]
    assert [record.levelname for record in caplog.records][:2] == ["ERROR", "ERROR"]
