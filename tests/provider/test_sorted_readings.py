"""Readings on disk until they are sorted: where, under which name, and what a full disk does."""

import os
import resource
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from iometer_exporter.errors import OutputError
from iometer_exporter.provider import sorted_readings as module
from iometer_exporter.provider.backfill import Backfill
from iometer_exporter.provider.sorted_readings import Spool
from tests.provider.test_backfill import LIMITS, reading

LARGE = reading(0, 1, more={f"1-0:{code}.7.0": (code, "W") for code in range(100)}).reading
MANY = [(index * 7919 % 1009, LARGE) for index in range(2500)]
"""More than SQLite sorts in memory."""


def open_files() -> list[str]:
    found = []
    for each in Path("/proc/self/fd").iterdir():
        try:
            found.append(os.readlink(each))
        except FileNotFoundError:
            continue
    return found


@contextmanager
def small_files() -> Iterator[None]:
    """No file may grow beyond 64 KiB, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(autouse=True)
def _small_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """A memory that is soon full."""
    monkeypatch.setattr(module, "_CACHE_KIB", 64)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this system does not show open files")
def test_what_is_kept_has_no_name_and_is_in_the_folder(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.add(MANY)
    found = spool.sorted()
    next(found)
    # The readings, and what is sorted of them.
    kept = [name for name in open_files() if "etilqs" in name]
    assert len(kept) >= 2
    assert all(name.startswith(f"{tmp_path}/") and name.endswith(" (deleted)") for name in kept)
    assert list(tmp_path.iterdir()) == []
    assert len(list(found)) == len(MANY) - 1
    spool.close()
    assert not [name for name in open_files() if "etilqs" in name]


def test_values_have_no_name_either(tmp_path: Path) -> None:
    with Backfill(tmp_path, limits=LIMITS, shard=(1, 1)) as filling:
        filling.add([reading(0, 1), reading(15, 2)])
        with open(os.devnull, "wb") as nowhere:
            filling.write(nowhere)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["with space", "o'clock", 'a"b', "ä\udcff"])
def test_a_folder_of_any_name_will_do(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    spool = Spool(folder)
    spool.add(MANY[:100])
    assert len(list(spool.sorted())) == 100
    spool.close()


def test_a_full_disk_is_told_with_the_folder(tmp_path: Path) -> None:
    told = f"^cannot keep readings in the folder {tmp_path} until they are sorted: "
    spool = Spool(tmp_path)
    with small_files(), pytest.raises(OutputError, match=told):
        spool.add(MANY)
    spool.close()


def test_a_disk_that_gets_full_while_sorting_is_told_with_the_folder(tmp_path: Path) -> None:
    told = f"^cannot keep readings in the folder {tmp_path} until they are sorted: "
    spool = Spool(tmp_path)
    spool.add(MANY)
    with small_files(), pytest.raises(OutputError, match=told):
        list(spool.sorted())
    spool.close()


def test_a_disk_that_gets_full_with_values_is_told_with_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Everything else stays in memory.
    monkeypatch.setattr(module, "_CACHE_KIB", 4096)
    told = f"^cannot keep readings in the folder {tmp_path} until they are sorted: File too large$"
    with (
        open(os.devnull, "wb") as nowhere,
        Backfill(tmp_path, limits=LIMITS, shard=(1, 1)) as filling,
    ):
        filling.add(reading(minute, minute) for minute in range(5000))
        with small_files(), pytest.raises(OutputError, match=told):
            filling.write(nowhere)
    assert list(tmp_path.iterdir()) == []


def test_values_that_cannot_be_read_again_are_told_with_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def seek(self, _place: int) -> None:
            pass

        def write(self, _data: bytes) -> None:
            pass

        def read(self, _size: int) -> bytes:
            raise OSError(5, "Input/output error")

        def close(self) -> None:
            pass

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: Broken())
    with (
        open(os.devnull, "wb") as nowhere,
        Backfill(tmp_path, limits=LIMITS, shard=(1, 1)) as filling,
    ):
        filling.add([reading(0, 1)])
        with pytest.raises(OutputError, match=f"in the folder {tmp_path} .*: Input/output error$"):
            filling.write(nowhere)


def test_an_error_of_the_output_is_not_that_of_the_folder(tmp_path: Path) -> None:
    class Full:
        def write(self, _data: bytes) -> int:
            raise OSError(28, "No space left on device")

    with Backfill(tmp_path, limits=LIMITS, shard=(1, 1)) as filling:
        filling.add([reading(0, 1)])
        with pytest.raises(OSError, match="No space left on device") as error:
            filling.write(Full())  # type: ignore[arg-type]
    assert not isinstance(error.value, OutputError)


def test_a_folder_that_takes_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=f"in the folder {tmp_path}/nowhere .*: not a writable directory"):
        Spool(tmp_path / "nowhere")
    assert sqlite3.connect("").execute("SELECT 1").fetchall() == [(1,)]
