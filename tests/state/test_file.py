"""The state file on a real disk: written as a whole, read with suspicion."""

import errno
import fcntl
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from iometer_exporter.errors import StateError
from iometer_exporter.state import file as statefile
from iometer_exporter.state.file import Entry, StateFile
from tests.properties import examples

ENTRIES: Final[list[Entry]] = [("meter", "meter:1", {"a": [1, "x"]}), ("cloud", "\N{SNOWMAN}", None)]


def written(path: Path, *, ended: bool = True) -> bytes:
    file = StateFile(path)
    file.write(ENTRIES, ended=ended)
    file.mark(behind=False)
    file.close()
    return path.read_bytes()


def read(path: Path) -> tuple[list[Entry], bool]:
    entries, is_behind = StateFile(path).read()
    return list(entries), is_behind


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    written(path)
    assert read(path) == (ENTRIES, False)
    assert names(tmp_path) == {"state.json", "state.json.lock"}


@pytest.mark.parametrize("mask", [0, 0o077])
def test_it_is_of_its_owner_alone(tmp_path: Path, mask: int) -> None:
    path = tmp_path / "state.json"
    path.touch(0o666)
    before = os.umask(mask)
    try:
        written(path)
    finally:
        os.umask(before)
    for name in ("state.json", "state.json.lock"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_no_file_and_an_empty_one_are_nothing(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    assert read(path) == ([], False)
    path.touch()
    assert read(path) == ([], False)
    assert names(tmp_path) == {"state.json"}


def test_many_entries_are_read_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    StateFile(path).write([("meter", str(number), {"n": number}) for number in range(20_000)])
    entries, _ = StateFile(path).read()
    assert next(entries) == ("meter", "0", {"n": 0})
    assert sum(1 for _ in entries) == 19_999


def test_it_says_whether_more_was_known_in_the_end(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    file = StateFile(path)
    file.write(ENTRIES)
    file.mark(behind=True)
    assert read(path)[1]
    file.mark(behind=False)
    assert not read(path)[1]
    file.close()
    # A copy without the mark beside it: who knows since when.
    (tmp_path / "state.json.lock").unlink()
    assert read(path)[1]


@pytest.mark.parametrize("boots", [("a", "b"), ("", "")])
def test_after_another_boot_only_an_orderly_end_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, boots: tuple[str, str]
) -> None:
    boot = tmp_path / "boot_id"
    monkeypatch.setattr(statefile, "_BOOT_ID", boot)
    path = tmp_path / "state.json"
    for ended in (False, True):
        boot.unlink(missing_ok=True)
        if boots[0]:
            boot.write_text(f"{boots[0]}\n")
        written(path, ended=ended)
        if boots[1]:
            boot.write_text(f"{boots[1]}\n")
        assert read(path) == (ENTRIES, not ended)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"bridges: []\n", "is not a state file of this program"),
        (b"\0" * 5000, "is not a state file of this program"),
        (b"[]", "is not a state file of this program"),
        (b"[" * 100_000, "is not a state file of this program"),
        (b'{"format": "iometer-exporter state", "version": 2}\n', "is of another version of this program"),
        (b'{"format": "iometer-exporter state", "version": "1"}\n', "is of another version of this program"),
        (b'{"format": "iometer-exporter state", "version": 1}\n', "is damaged"),
    ],
)
def test_what_is_no_state_file_is_set_aside(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(content)
    with pytest.raises(StateError) as caught:
        read(path)
    assert str(caught.value) == f"{path} {reason}: it is set aside as state.json.bad-1"
    assert (tmp_path / "state.json.bad-1").read_bytes() == content
    assert read(path) == ([], False)
    written(path)
    assert read(path) == (ENTRIES, False)


def test_any_damage_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    good = written(path)
    for place in range(len(good)):
        path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        with pytest.raises(StateError):
            read(path)
    for length in range(1, len(good) - 1):
        path.write_bytes(good[:length])
        with pytest.raises(StateError):
            read(path)
    lines = good.splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], lines[2], lines[1], lines[3]]))
    with pytest.raises(StateError):
        read(path)


@examples(50, suppress_health_check=(HealthCheck.function_scoped_fixture,))
@given(content=st.binary(max_size=200), is_headed=st.booleans())
def test_any_bytes_are_entries_or_set_aside(tmp_path: Path, content: bytes, is_headed: bool) -> None:
    path = tmp_path / "state.json"
    head = b'{"format":"iometer-exporter state","version":1,"boot":"","ended":true}\n' if is_headed else b""
    path.write_bytes(head + content)
    if head + content:
        with pytest.raises(StateError):
            read(path)
    assert read(path) == ([], False)
    assert len([name for name in names(tmp_path) if ".bad-" in name]) <= 3


def test_entries_of_another_shape_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    odd: list[Any] = [["meter"], {"a": 1}, [1, "key", 2], None, ENTRIES[0]]
    StateFile(path).write(odd)
    assert read(path)[0] == [ENTRIES[0]]


def test_of_the_files_set_aside_the_oldest_gives_way(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    for number in range(5):
        path.write_text(f"bad {number}")
        os.utime(path, (number, number))
        with pytest.raises(StateError):
            read(path)
    kept = {name: (tmp_path / name).read_text() for name in names(tmp_path)}
    assert kept == {
        "state.json.bad-1": "bad 3",
        "state.json.bad-2": "bad 4",
        "state.json.bad-3": "bad 2",
    }


def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    link = tmp_path / "state.json"
    link.symlink_to(tmp_path / "disk" / "real.json")
    written(link)
    assert link.is_symlink()
    assert names(tmp_path / "disk") == {"real.json", "real.json.lock"}
    assert read(link) == (ENTRIES, False)


def make(kind: str, path: Path) -> None:
    if kind == "folder":
        path.mkdir()
        (path / "file").touch()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/null")
    elif kind == "endless":
        path.symlink_to("/dev/zero")
    else:
        path.symlink_to(path)


@pytest.mark.parametrize("kind", ["folder", "fifo", "device", "endless", "loop"])
def test_what_is_no_regular_file_is_neither_read_nor_replaced(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "state.json"
    make(kind, path)
    before = path.lstat().st_ino
    file = StateFile(path)
    with pytest.raises(StateError, match=r"is not a regular file: nothing is kept$"):
        file.read()
    assert file.is_blocked
    with pytest.raises((StateError, OSError)):
        file.write(ENTRIES)
    assert path.lstat().st_ino == before
    assert names(tmp_path) <= {"state.json", "state.json.lock"}
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_lock_that_is_no_regular_file_is_not_opened_for_writing(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "state.json.lock").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        StateFile(tmp_path / "state.json").write(ENTRIES)
    (tmp_path / "other.json.lock").mkdir()
    with pytest.raises(OSError, match="directory"):
        StateFile(tmp_path / "other.json").write(ENTRIES)
    os.mkfifo(tmp_path / "third.json.lock")
    with pytest.raises(StateError, match="is not a regular file: remove it"):
        StateFile(tmp_path / "third.json").write(ENTRIES)
    assert victim.read_text() == "precious"


def test_what_stands_where_the_new_version_is_written_gives_way(tmp_path: Path) -> None:
    """As a process leaves it that was killed; a link there is not followed."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / ".state.json.new").symlink_to(victim)
    written(tmp_path / "state.json")
    assert victim.read_text() == "precious"
    assert names(tmp_path) == {"victim", "state.json", "state.json.lock"}


def test_where_there_is_no_folder_writing_fails_and_reading_finds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "none" / "state.json"
    assert read(path) == ([], False)
    with pytest.raises(FileNotFoundError):
        StateFile(path).write(ENTRIES)


def test_a_file_that_can_be_neither_read_nor_set_aside_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.json"
    path.write_text("precious")

    def refused(*_: object) -> None:
        raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "replace", refused)
    file = StateFile(path)
    with pytest.raises(StateError, match=r"cannot be set aside \(Permission denied\), so nothing is kept"):
        file.read()
    assert file.is_blocked
    assert path.read_text() == "precious"


def test_a_version_that_fails_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.json"
    good = written(path)
    file = StateFile(path)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            file.write([])
    assert path.read_bytes() == good
    assert names(tmp_path) == {"state.json", "state.json.lock"}
    file.write([])
    assert read(path)[0] == []


def test_two_exporters_do_not_write_over_each_other(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    first, second = StateFile(path), StateFile(path)
    first.write(ENTRIES)
    first.lock()
    with pytest.raises(StateError, match="is written by another exporter: give each a file of its own"):
        second.write([])
    second.mark(behind=True)
    assert read(path) == (ENTRIES, False)
    first.close()
    second.write([])
    assert read(path)[0] == []


def test_the_lock_of_a_process_that_was_killed_is_free(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    program = (
        "import os, pathlib, sys; from iometer_exporter.state.file import StateFile;"
        "StateFile(pathlib.Path(sys.argv[1])).lock(); os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(path)], check=False, timeout=60)
    assert killed.returncode == -9
    written(path)


def test_a_file_system_without_locks_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    written(tmp_path / "state.json")
    assert read(tmp_path / "state.json")[0] == ENTRIES


def test_a_file_of_many_gigabytes_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(b'{"format":"iometer-exporter state","version":1}\n')
    os.truncate(path, 1 << 40)
    with pytest.raises(StateError, match="is larger than any state: it is set aside"):
        read(path)
