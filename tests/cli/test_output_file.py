"""The output file of a command: replaced once complete, or written to where it is no file."""

import errno
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from iometer_exporter.cli.output_file import Output
from iometer_exporter.errors import OutputError

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may do that")


def no_nameless_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system such as NFS, on which every file has a name from the begin."""
    really = os.open

    def opened(path: "str | Path", flags: int, *rest: int, **settings: int) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        return really(path, flags, *rest, **settings)

    monkeypatch.setattr(os, "open", opened)


@pytest.fixture(params=["nameless", "named", "no /proc"])
def _kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "named":
        no_nameless_files(monkeypatch)
    elif request.param == "no /proc":
        exists = os.path.exists
        monkeypatch.setattr(os.path, "exists", lambda path: "/proc/" not in str(path) and exists(path))


def write(path: Path, text: bytes = b"new") -> None:
    with Output(path) as output, output.writing() as file:
        file.write(text)


def give_up(path: Path, error: BaseException) -> None:
    with Output(path) as output, output.writing() as file:
        file.write(b"new")
        raise error


def fill(pipe: int) -> None:
    while True:
        try:
            os.write(pipe, bytes(65536))
        except BlockingIOError:
            return


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


@pytest.mark.usefixtures("_kind")
class TestFile:
    def test_a_new_file_is_its_owners_alone(self, tmp_path: Path) -> None:
        write(tmp_path / "file")
        assert (tmp_path / "file").read_bytes() == b"new"
        assert (names(tmp_path), mode(tmp_path / "file")) == (["file"], 0o600)

    @pytest.mark.parametrize("old", [0o600, 0o640, 0o644, 0o660, 0o4755])
    def test_what_it_replaces_gives_it_its_mode_but_no_power(self, tmp_path: Path, old: int) -> None:
        file = tmp_path / "file"
        file.write_text("old content")
        file.chmod(old)
        write(file)
        assert (file.read_bytes(), mode(file), names(tmp_path)) == (b"new", old & 0o777, ["file"])

    @as_root
    def test_owner_and_group_stay_where_they_may(self, tmp_path: Path) -> None:
        file = tmp_path / "file"
        file.touch(0o640)
        os.chown(file, 12345, 23456)
        write(file)
        assert (file.stat().st_uid, file.stat().st_gid, mode(file)) == (12345, 23456, 0o640)

    def test_links_stay_and_what_they_lead_to_is_replaced(self, tmp_path: Path) -> None:
        (tmp_path / "there").mkdir()
        target = tmp_path / "there" / "target"
        target.write_text("old content")
        (tmp_path / "second").symlink_to("there/target")
        (tmp_path / "first").symlink_to(tmp_path / "second")
        write(tmp_path / "first")
        assert (target.read_bytes(), target.is_symlink()) == (b"new", False)
        assert os.readlink(tmp_path / "first") == str(tmp_path / "second")
        assert os.readlink(tmp_path / "second") == "there/target"
        assert names(tmp_path / "there") == ["target"]

    def test_a_link_to_what_is_not_there_yet_makes_it(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to("target")
        write(tmp_path / "link")
        assert (tmp_path / "target").read_bytes() == b"new"
        assert (tmp_path / "link").is_symlink()

    def test_the_old_content_stays_until_the_new_one_is_complete(self, tmp_path: Path) -> None:
        file = tmp_path / "file"
        file.write_text("old")
        with Output(file) as output:
            assert output.is_file
            assert output.folder == tmp_path
            with output.writing() as out:
                out.write(b"new")
                out.flush()
                assert file.read_text() == "old"
        assert file.read_text() == "new"

    @pytest.mark.parametrize("error", [RuntimeError(), KeyboardInterrupt(), SystemExit(143)])
    def test_nothing_stays_of_what_has_been_given_up(self, tmp_path: Path, error: BaseException) -> None:
        file = tmp_path / "file"
        file.write_text("old")
        with pytest.raises(type(error)):
            give_up(file, error)
        assert (names(tmp_path), file.read_text()) == (["file"], "old")
        with Output(file):
            pass
        assert (names(tmp_path), file.read_text()) == (["file"], "old")

    def test_a_folder_that_is_not_there_is_told_at_once(self, tmp_path: Path) -> None:
        file = tmp_path / "nowhere" / "file"
        with pytest.raises(OutputError, match=f"^cannot write {file}: No such file or directory$"):
            Output(file)

    def test_an_error_while_writing_names_the_file(self, tmp_path: Path) -> None:
        file = tmp_path / "file"
        with (
            pytest.raises(OutputError, match=f"^cannot write {file}: No space left on device$"),
            Output(file) as output,
            output.writing(),
        ):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        assert names(tmp_path) == []


def test_a_path_that_leads_nowhere_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    for path, why in (("file/below", "Not a directory"), ("loop", "Too many levels of symbolic links")):
        with pytest.raises(OutputError, match=f"^cannot write .*/{path}: {why}$"):
            Output(tmp_path / path)


def test_an_error_of_another_kind_is_not_taken_for_that_of_no_nameless_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(OutputError, match="Permission denied"):
        Output(tmp_path / "file")


def test_a_system_without_nameless_files_does_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "O_TMPFILE")
    write(tmp_path / "file")
    assert names(tmp_path) == ["file"]


def test_a_group_that_may_not_be_given_is_given_no_rights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    file = tmp_path / "file"
    file.touch()
    file.chmod(0o664)
    monkeypatch.setattr(os, "fchown", refuse)
    write(file)
    assert mode(file) == 0o604


def test_a_fifo_is_written_to(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    found: list[bytes] = []
    reading = threading.Thread(target=lambda: found.append(fifo.read_bytes()))
    reading.start()
    with Output(fifo) as output:
        assert not output.is_file
        assert output.folder != tmp_path
        with output.writing() as file:
            file.write(b"new")
    reading.join(30)
    assert found == [b"new"]
    assert stat.S_ISFIFO(fifo.stat().st_mode)


def test_a_fifo_that_nobody_reads_any_more_is_told_in_a_sentence(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    with Output(fifo) as output:
        os.close(reader)
        with (
            pytest.raises(OutputError, match=f"^cannot write {fifo}: Broken pipe$"),
            output.writing() as file,
        ):
            file.write(b"new")
    assert stat.S_ISFIFO(fifo.stat().st_mode)


def test_giving_up_waits_for_no_reader_of_a_fifo(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    full = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    fill(full)
    with pytest.raises(KeyboardInterrupt):
        give_up(fifo, KeyboardInterrupt())
    os.close(full)
    os.close(reader)


def device(path: Path, minor: int) -> Path:
    """A node as in /dev, which a test may lose."""
    os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, minor))
    try:
        path.open("wb").close()
    except OSError:
        pytest.skip("this file system takes no devices")
    return path


@as_root
@pytest.mark.parametrize("link", [False, True], ids=["itself", "by way of a link"])
def test_a_device_is_written_to_and_stays_one(tmp_path: Path, link: bool) -> None:
    null, full = device(tmp_path / "null", 3), device(tmp_path / "full", 7)
    paths = {"null": null, "full": full}
    if link:
        for name in paths:
            paths[name] = tmp_path / f"link-{name}"
            paths[name].symlink_to(name)
    write(paths["null"])
    with pytest.raises(OutputError, match=r"No space left on device$"):
        write(paths["full"])
    assert stat.S_ISCHR(null.stat().st_mode)
    assert stat.S_ISCHR(full.stat().st_mode)


SCRIPT = """
import sys
from pathlib import Path
from iometer_exporter.cli.output_file import Output
with Output(Path(sys.argv[1])) as output, output.writing() as file:
    file.write(b"new")
"""


@pytest.mark.parametrize("path", ["-", "/dev/fd/1", "/proc/self/fd/1", "link"])
def test_stdout_by_any_name_is_appended_to_and_not_replaced(tmp_path: Path, path: str) -> None:
    # As /dev/stdout, which is not put at risk.
    (tmp_path / "link").symlink_to("/proc/self/fd/1")
    log = tmp_path / "log"
    log.write_text("old ")
    with log.open("ab") as file:
        subprocess.run([sys.executable, "-c", SCRIPT, path], stdout=file, check=True, cwd=tmp_path)
    assert log.read_bytes() == b"old new"
    assert names(tmp_path) == ["link", "log"]


def test_another_descriptor_is_written_to(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        file.write(b"old ")
        file.flush()
        write(Path(f"/dev/fd/{file.fileno()}"))
    assert (tmp_path / "file").read_bytes() == b"old new"
    with pytest.raises(OutputError, match=r"^cannot write /dev/fd/987: Bad file descriptor$"):
        Output(Path("/dev/fd/987"))


def test_what_a_killed_process_has_left_is_removed_unless_one_still_writes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_nameless_files(monkeypatch)
    left = tmp_path / ".iometer-exporter-abc.partial"
    left.write_text("of customers")
    (tmp_path / ".iometer-exporter-link.partial").symlink_to("file")
    (tmp_path / "file").write_text("of somebody")
    with Output(tmp_path / "one") as one:
        assert not left.exists()
        with Output(tmp_path / "two") as two, two.writing() as file:
            file.write(b"two")
        with one.writing() as file:
            file.write(b"one")
    assert names(tmp_path) == [".iometer-exporter-link.partial", "file", "one", "two"]
    assert (tmp_path / "file").read_text() == "of somebody"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_removes_what_has_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    no_nameless_files(monkeypatch)

    def be_killed() -> None:
        with Output(tmp_path / "file"):
            assert len(names(tmp_path)) == 1
            os.kill(os.getpid(), number)
            time.sleep(30)

    # As in a process of its own: whoever runs the tests may have a handler, which would end them.
    own = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
    before = signal.signal(number, own)
    try:
        with pytest.raises((SystemExit, KeyboardInterrupt)) as ending:
            be_killed()
        assert signal.getsignal(number) == own
    finally:
        signal.signal(number, before)
    assert names(tmp_path) == []
    if number != signal.SIGINT:
        assert ending.value.args == (128 + number,)


def test_an_ignored_signal_stays_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As below `nohup`.
    no_nameless_files(monkeypatch)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Output(tmp_path / "file"):
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
