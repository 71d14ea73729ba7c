"""What a backfill keeps in a folder: all that was fetched, of its owner alone, and never half of a page."""

import asyncio
import io
import os
import resource
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iometer_exporter.errors import IOmeterError, OutputError, ProviderError
from iometer_exporter.provider.api.models import Installation, InstallationsPage, MeterReading, ReadingsPage
from iometer_exporter.provider.backfill import Backfill
from iometer_exporter.provider.collecting import ReadingsWalk, name_installations
from iometer_exporter.provider.kept_pages import NAME, Asked, KeptPages
from iometer_exporter.provider.reading.retrying import Retrying
from iometer_exporter.provider.served.shard import Shard, in_shard
from iometer_exporter.text import FirstFew
from tests.properties import examples
from tests.provider.fleet import installation
from tests.provider.test_backfill import LIMITS, START, reading

ASKED = Asked("https://api.example/v1/query", "account-1", 86400.0, (1, 1))
HOMES = [installation(f"i{number}", external_id=("x", "y", "x", "", "ä")[number]) for number in range(5)]
READINGS = [
    reading(
        15 * quarter + number / 7,
        f"{1000 * number + quarter}.{number}",
        installation=home.id,
        external_id=home.external_id,
        meter=f"M{number}",
        more={"1-0:16.7.0": (quarter - 3.5, "W"), "1-0:2.8.0": (12.50, "kWh")} if number % 2 else None,
    )
    for quarter in range(7)
    for number, home in reversed(list(enumerate(HOMES)))
]
PAGES = [READINGS[begin : begin + 4] for begin in range(0, len(READINGS), 4)]


class StoppedError(Exception):
    """The process ends here."""


@dataclass
class Cloud:
    """Pages of installations and readings, whose cursors lead to the next page as long as they are known."""

    stop_after: int = 1000
    """Pages of readings, after which the process ends."""
    knows_cursors: bool = True
    asked: list[str | None] = field(default_factory=list)
    starts: set[datetime | None] = field(default_factory=set)
    offsets: list[int] = field(default_factory=list)

    async def installations(self, offset: int, limit: int) -> InstallationsPage:
        self.offsets.append(offset)
        found: tuple[Installation, ...] = tuple(HOMES[offset : offset + limit])
        return InstallationsPage(found, len(found))

    async def readings(self, *, start: datetime | None = None, cursor: str | None = None) -> ReadingsPage:
        if len(self.asked) == self.stop_after:
            raise StoppedError
        self.asked.append(cursor)
        self.starts.add(start)
        if cursor is not None and not self.knows_cursors:
            raise ProviderError("graphql", "reported: unknown cursor")
        number = int(cursor or 0)
        following = str(number + 1) if number + 1 < len(PAGES) else None
        return ReadingsPage(tuple(PAGES[number]), following, (f"problem {number}",), (f"error {number}",))


@dataclass
class Run:
    """What came of one run of a backfill that keeps what it fetches."""

    text: str
    problems: str
    lost: list[str]
    cut_bytes: int


def run(folder: Path, cloud: Cloud, *, asked: Asked = ASKED, start: datetime = START) -> Run:
    """One run, from what is kept on to the end, or to where the process ends."""
    return asyncio.run(_run(folder, cloud, asked, start))


async def _run(folder: Path, cloud: Cloud, asked: Asked, start: datetime) -> Run:
    out, problems, lost = io.BytesIO(), FirstFew(), []
    retrying = Retrying(lambda error, _wait: pytest.fail(str(error)))
    with KeptPages(folder) as kept, Backfill(folder, limits=LIMITS, shard=asked.shard) as filling:
        walk = ReadingsWalk(kept.begin(asked, start), filling, problems)
        async for _ in name_installations(cloud, filling, 2, retrying, kept):
            pass
        assert sum(walk.recall(kept)) == kept.size
        async for _ in walk.fetch(cloud, retrying, kept=kept, lost=lambda error: lost.append(str(error))):
            pass
        filling.write(out)
        return Run(out.getvalue().decode(), str(problems), lost, kept.cut_bytes)


def stopped(folder: Path, after: int) -> Cloud:
    """The cloud of a run whose process ended after so many pages of readings."""
    cloud = Cloud(stop_after=after)
    with pytest.raises(StoppedError):
        run(folder, cloud)
    return cloud


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(tmp_path_factory.mktemp("undisturbed"), Cloud())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What is kept of all."""
    folder = tmp_path_factory.mktemp("whole")
    run(folder, Cloud())
    return (folder / NAME).read_bytes()


@pytest.mark.parametrize("after", range(len(PAGES)))
def test_wherever_it_was_stopped_it_goes_on_from_there(tmp_path: Path, undisturbed: Run, after: int) -> None:
    before = stopped(tmp_path, after)
    cloud = Cloud()
    # Another start of an hour later is that of the first run.
    found = run(tmp_path, cloud, start=START + timedelta(hours=1))
    assert found == undisturbed
    assert before.asked + cloud.asked == [None, *map(str, range(1, len(PAGES)))]
    assert cloud.starts == {START}
    assert bool(cloud.offsets) == (after == 0)


def test_stopped_again_and_again(tmp_path: Path, undisturbed: Run) -> None:
    asked = []
    for _ in range(len(PAGES) // 2):
        asked += stopped(tmp_path, 2).asked
    cloud = Cloud()
    assert run(tmp_path, cloud) == undisturbed
    assert asked + cloud.asked == [None, *map(str, range(1, len(PAGES)))]


def test_nothing_is_asked_for_again_after_the_last_page(tmp_path: Path, undisturbed: Run) -> None:
    run(tmp_path, Cloud())
    cloud = Cloud(stop_after=0)
    assert run(tmp_path, cloud) == undisturbed
    assert (cloud.asked, cloud.offsets) == ([], [])


def test_a_part_of_the_installations_is_begun_anew(tmp_path: Path, undisturbed: Run) -> None:
    with KeptPages(tmp_path) as kept:
        kept.begin(ASKED, START)
        kept.keep_names([("i4", "ä")])
    cloud = Cloud()
    assert run(tmp_path, cloud) == undisturbed
    assert cloud.offsets[0] == 0


@examples(50)
@given(data=st.data())
def test_cut_off_anywhere_it_goes_on_from_the_last_whole_page(
    tmp_path_factory: pytest.TempPathFactory, undisturbed: Run, whole: bytes, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(whole)))
    # A machine that fails may leave anything there, such as zeros.
    tail = data.draw(st.sampled_from([b"", bytes(40), bytes(len(whole) - at), b"\xff" * 9]))
    folder = tmp_path_factory.mktemp("cut")
    (folder / NAME).write_bytes(whole[:at] + tail)
    _goes_on_or_says_damaged(folder, undisturbed, is_of_header=at < _end_of_header(whole))


@examples(50)
@given(data=st.data())
def test_a_damaged_byte_is_never_believed(
    tmp_path_factory: pytest.TempPathFactory, undisturbed: Run, whole: bytes, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(whole) - 1))
    damage = data.draw(st.integers(1, 255))
    folder = tmp_path_factory.mktemp("damaged")
    (folder / NAME).write_bytes(whole[:at] + bytes([whole[at] ^ damage]) + whole[at + 1 :])
    _goes_on_or_says_damaged(folder, undisturbed, is_of_header=at < _end_of_header(whole))


def _end_of_header(whole: bytes) -> int:
    return 9 + int.from_bytes(whole[1:5], "little")


def _goes_on_or_says_damaged(folder: Path, undisturbed: Run, *, is_of_header: bool) -> None:
    if is_of_header:
        with pytest.raises(OutputError, match=f"{NAME} is damaged, or of something else: remove it$"):
            run(folder, Cloud())
        return
    size = (folder / NAME).stat().st_size
    cloud = Cloud()
    found = run(folder, cloud)
    assert (found.text, found.problems) == (undisturbed.text, undisturbed.problems)
    # Each page is fetched once, from the first one that is not whole on.
    assert cloud.asked == [None, *map(str, range(1, len(PAGES)))][len(PAGES) - len(cloud.asked) :]
    assert 0 <= found.cut_bytes < size
    # Mended for good.
    again = Cloud(stop_after=0)
    assert run(folder, again) == undisturbed


def test_a_lost_cursor_costs_all_to_be_fetched_again_and_nothing_is_doubled(
    tmp_path: Path, undisturbed: Run
) -> None:
    stopped(tmp_path, 4)
    cloud = Forgetful()
    found = run(tmp_path, cloud)
    assert found.text == undisturbed.text
    assert found.lost == ["the provider API reported: unknown cursor"]
    assert cloud.asked == ["4", None, *map(str, range(1, len(PAGES)))]


@dataclass
class Forgetful(Cloud):
    """Knows the cursors of this run only."""

    knows_cursors: bool = False

    async def readings(self, *, start: datetime | None = None, cursor: str | None = None) -> ReadingsPage:
        self.knows_cursors = self.knows_cursors or cursor is None
        return await super().readings(start=start, cursor=cursor)


def test_an_api_that_knows_no_cursor_at_all_is_not_asked_for_ever(tmp_path: Path) -> None:
    stopped(tmp_path, 4)
    cloud = Cloud(knows_cursors=False)
    with pytest.raises(ProviderError, match="unknown cursor"):
        run(tmp_path, cloud)
    assert cloud.asked == ["4", None, "1"]


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (Asked("http://b", "account-1", 86400.0, (1, 1)), "of the API at {url} and not http://b"),
        (Asked(ASKED.url, "account-2", 86400.0, (1, 1)), "of the account account-1 and not account-2"),
        (Asked(ASKED.url, "account-1", 3600.0, (1, 1)), "of the last 1 d and not 1 h"),
        (Asked(ASKED.url, "account-1", 86400.0, (2, 3)), "of the shard 1/1 and not 2/3"),
        (
            Asked(ASKED.url, "account-2", 86400.0, (2, 3)),
            "of the account account-1 and not account-2, of the shard 1/1 and not 2/3",
        ),
    ],
)
def test_what_asks_for_something_else_is_refused(tmp_path: Path, other: Asked, told: str) -> None:
    stopped(tmp_path, 3)
    before = (tmp_path / NAME).read_bytes()
    with pytest.raises(IOmeterError) as error:
        run(tmp_path, Cloud(), asked=other)
    assert str(error.value) == (
        f"what is kept in the folder {tmp_path} is of another backfill, {told.format(url=ASKED.url)}: "
        "ask for the same, or take another folder"
    )
    assert (tmp_path / NAME).read_bytes() == before


def test_only_the_readings_of_the_shard_are_kept(tmp_path: Path) -> None:
    shard: Shard = (1, 2)
    ours = [each for each in READINGS if in_shard(each.installation_id, shard)]
    assert 0 < len(ours) < len(READINGS)
    asked = Asked(ASKED.url, ASKED.account, ASKED.since, shard)
    text = run(tmp_path, Cloud(), asked=asked).text
    assert sorted(kept_readings(tmp_path), key=repr) == sorted(ours, key=repr)
    again = Cloud(stop_after=0)
    assert run(tmp_path, again, asked=asked).text == text


def kept_readings(folder: Path) -> list[MeterReading]:
    with KeptPages(folder) as kept:
        found = [each for page, _ in kept.pages() for each in page.readings]
    return [each._replace(meter_id=f"id-{each.reading.meter}") for each in found]


def test_readings_come_back_as_they_were(tmp_path: Path) -> None:
    run(tmp_path, Cloud())
    assert kept_readings(tmp_path) == READINGS


def test_it_is_of_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        stopped(tmp_path / "kept", 1)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "kept").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "kept" / NAME).stat().st_mode) == 0o600


def test_two_do_not_write_into_one_folder(tmp_path: Path) -> None:
    with KeptPages(tmp_path), pytest.raises(IOmeterError) as error:
        KeptPages(tmp_path)
    assert str(error.value) == (
        f"the folder {tmp_path} is in use by another backfill: give each a folder of its own"
    )
    with KeptPages(tmp_path):
        pass


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _link(path: Path) -> None:
    (path.parent / "elsewhere").write_bytes(b"precious")
    path.symlink_to("elsewhere")


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (_fifo, f"{NAME} is not a file of this user: take another folder"),
        (_link, "cannot keep readings in the folder .*: Too many levels of symbolic links"),
        (Path.mkdir, "cannot keep readings in the folder .*: Is a directory"),
        (lambda path: path.write_text("# my notes"), "is damaged, or of something else: remove it"),
        (Path.touch, "is damaged, or of something else: remove it"),
    ],
    ids=["fifo", "link", "folder", "text", "empty"],
)
def test_what_is_no_file_of_this_is_left_alone(
    tmp_path: Path, make: Callable[[Path], object], told: str
) -> None:
    make(tmp_path / NAME)
    before = (tmp_path / NAME).lstat()
    with pytest.raises(IOmeterError, match=told):
        KeptPages(tmp_path)
    after = (tmp_path / NAME).lstat()
    assert (after.st_mode, after.st_size, after.st_ino) == (before.st_mode, before.st_size, before.st_ino)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_a_file_of_somebody_else_is_not_written(tmp_path: Path) -> None:
    stopped(tmp_path, 1)
    os.chown(tmp_path / NAME, 12345, 12345)
    with pytest.raises(IOmeterError, match="is not a file of this user: take another folder"):
        KeptPages(tmp_path)


def test_a_file_of_another_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as changed:
        changed.setattr("iometer_exporter.provider.kept_pages._VERSION", 2)
        stopped(tmp_path, 1)
    with pytest.raises(IOmeterError, match="is of another version of this program: remove it"):
        KeptPages(tmp_path)


@pytest.mark.parametrize("there", [True, False], ids=["folder of the user", "folder that it made"])
def test_nothing_of_it_is_left_once_it_is_removed(tmp_path: Path, there: bool) -> None:
    folder = tmp_path / "kept"
    if there:
        folder.mkdir()
        (folder / "notes").touch()
    stopped(folder, 1)
    with KeptPages(folder) as kept:
        kept.remove()
    assert [each.relative_to(tmp_path).as_posix() for each in tmp_path.rglob("*")] == (
        ["kept", "kept/notes"] if there else []
    )


def test_a_full_disk_is_told_and_what_was_kept_is_good(tmp_path: Path, undisturbed: Run) -> None:
    folder = tmp_path / "kept"
    stopped(folder, 3)
    size = (folder / NAME).stat().st_size
    cloud = Cloud()
    # The next page does not fit as a whole.
    with small_files(size + 20), pytest.raises(OutputError) as error:
        run(folder, cloud)
    assert str(error.value) == f"cannot keep readings in the folder {folder}: File too large"
    assert cloud.asked == ["3"]
    assert (folder / NAME).stat().st_size == size + 20
    found = run(folder, again := Cloud())
    assert found.cut_bytes == 20
    assert (found.text, again.asked[0]) == (undisturbed.text, "3")


@contextmanager
def small_files(size: int) -> Iterator[None]:
    """No file may grow beyond so many bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    ("folder", "why"),
    [("nowhere/kept", "No such file or directory"), ("file", "Not a directory")],
)
def test_a_folder_that_cannot_be(tmp_path: Path, folder: str, why: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError) as error:
        KeptPages(tmp_path / folder)
    assert str(error.value) == f"cannot keep readings in the folder {tmp_path / folder}: {why}"


def test_it_is_forced_to_the_disk_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    run(tmp_path / "seldom", Cloud())
    # The header, and the folder with its name.
    assert len(synced) == 2
    monkeypatch.setattr("iometer_exporter.provider.kept_pages._SYNC_SECONDS", 0.0)
    run(tmp_path / "always", Cloud())
    assert len(synced) > 2 + len(PAGES)


def test_times_are_exact_to_the_microsecond(tmp_path: Path) -> None:
    times = [datetime(2026, 2, 3, 4, 5, 6, micros, UTC) for micros in (0, 1, 333_333, 999_999)]
    sent = [
        each._replace(received=time, reading=each.reading._replace(time=time))
        for each, time in zip(READINGS, times, strict=False)
    ]
    with KeptPages(tmp_path) as kept:
        kept.begin(ASKED, START)
        kept.keep(ReadingsPage(tuple(sent), None))
    assert kept_readings(tmp_path) == sent
