"""Keeps the state file in step with what is known, without ever delaying a scrape.

Whoever knows something that must outlive the process is a `Keeper`: it gives its entries when they are to be
written, gets them back at a start, and says when they have changed. To keep something more, write a class
with these four members and give it to `StateKeeper.add`; the file itself knows nothing of what is in it.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, Protocol, TypeVar

from iometer_exporter.errors import StateError
from iometer_exporter.state.file import Entry, StateFile, Writer

_log = logging.getLogger(__name__)

_INTERVAL_SECONDS: Final = 30.0
"""Seconds between two versions of the file."""

_GATHERING_SECONDS: Final = 1.0
"""Seconds from a change to the version that has it: the bridges of one scrape come one after the other."""

_ENTRIES_AT_ONCE: Final = 64
"""Entries that are put together before the event loop gets its turn: about two milliseconds."""

_REST_FACTOR: Final = 30.0
"""Shortest wait between two versions, as a multiple of the time that the last one took: a large fleet is
not written all the time."""

_LONGEST_ENDING_SECONDS: Final = 5.0
"""Seconds that the last version may take: a disk that hangs must not keep the process alive."""

_T = TypeVar("_T")


class Keeper(Protocol):
    """Entries of one kind: their only producer and consumer."""

    @property
    def kind(self) -> str:
        """The word that marks its entries in the file."""

    on_change: Callable[[], None] | None
    """To be called, if set, after any change of what `entries` gives."""

    def entries(self) -> Iterator[tuple[str, Any]]:
        """Keys and payloads (JSON) of all entries.

        It runs on the event loop, in turns with everything else: what changes meanwhile may be there or not.
        """

    def restore(self, key: str, payload: Any, *, started: float, is_behind: bool) -> None:
        """Take an entry of an earlier run, unless something newer is known; raises StateError if it is none.

        `started` is the Unix time now. If `is_behind`, that run may have known more than the entry says.
        """


class StateKeeper:
    """The state file of a running exporter, between `start` and `aclose`."""

    def __init__(
        self, path: Path, keepers: Iterable[Keeper], *, started: float, interval: float = _INTERVAL_SECONDS
    ) -> None:
        """Keep what the keepers know; `started` is the Unix time now."""
        self.path = path
        self._file = StateFile(path)
        self._started = started
        self._interval = interval
        self._keepers = list(keepers)
        self._changed = asyncio.Event()
        self._is_behind = False
        self._changes = 0
        self._problem: str | None = None
        self._worker = _Worker()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Give the keepers what the file has for them, and begin to write what changes.

        Nothing that is wrong with the file is an error: it is logged, and all goes on without it.
        """
        await self._load(self._keepers)
        if not self._file.is_blocked:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def add(self, keeper: Keeper) -> None:
        """Keep the entries of one more, and give it what the file has for it."""
        await self._load([keeper])
        self._keepers.append(keeper)

    def remove(self, keeper: Keeper) -> None:
        """Keep the entries of the keeper no longer."""
        if keeper in self._keepers:
            self._keepers.remove(keeper)
            keeper.on_change = None

    async def aclose(self) -> None:
        """Write what is known in the end, and leave the file to others."""
        try:
            if self._task is not None:
                self._task.cancel()
                await asyncio.gather(self._task, return_exceptions=True)
                async with asyncio.timeout(_LONGEST_ENDING_SECONDS):
                    await self._write(ended=True)
                    await self._worker.run(self._file.close)
        except TimeoutError:
            _log.warning("state file not written in time", extra={"file": str(self.path)})
        finally:
            for keeper in tuple(self._keepers):
                self.remove(keeper)
            self._worker.end()

    async def _load(self, keepers: Sequence[Keeper]) -> None:
        by_kind = {keeper.kind: keeper for keeper in keepers}
        taken, refused = 0, 0
        try:
            entries, is_behind = await self._worker.run(self._file.read)
            # Until it is written anew, however often this process is killed before.
            self._is_behind = self._is_behind or is_behind
            for number, (kind, key, payload) in enumerate(entries, start=1):
                if kind in by_kind:
                    try:
                        by_kind[kind].restore(key, payload, started=self._started, is_behind=is_behind)
                        taken += 1
                    except StateError:
                        refused += 1
                if not number % _ENTRIES_AT_ONCE:
                    await asyncio.sleep(0)
        except (StateError, OSError) as error:
            _log.warning("state file not used: %s", error)
        except Exception:
            # A fault of this program that some entry brings to light must stop no start.
            _log.exception("reading the state file failed, please report this")
        if refused:
            _log.warning("entries of the state file not used: %d", refused, extra={"file": str(self.path)})
        if taken:
            _log.info("state file read", extra={"file": str(self.path), "entries": taken})
        for keeper in keepers:
            keeper.on_change = self._note_change

    def _note_change(self) -> None:
        self._changes += 1
        self._changed.set()
        if not self._is_behind:
            self._is_behind = True
            self._mark()

    async def _run(self) -> None:
        # At once and not at the first version: two exporters on one file should hear of it early.
        await self._try(self._worker.run(self._file.lock))
        self._mark()
        while True:
            await self._changed.wait()
            await asyncio.sleep(min(_GATHERING_SECONDS, self._interval))
            began = asyncio.get_running_loop().time()
            await self._write()
            took = asyncio.get_running_loop().time() - began
            await asyncio.sleep(max(self._interval, _REST_FACTOR * took))

    async def _write(self, *, ended: bool = False) -> None:
        if not self._changed.is_set() and not ended:
            return
        self._changed.clear()
        changes = self._changes
        if not await self._try(self._write_all(ended=ended)):
            # The next time, whether or not anything changes until then.
            self._changed.set()
        else:
            self._is_behind = changes != self._changes
            self._mark()

    def _mark(self) -> None:
        """Note beside the file whether more is known than it says; one mark comes after the other."""
        is_behind = self._is_behind
        self._worker.submit(lambda: self._file.mark(behind=is_behind))

    async def _write_all(self, *, ended: bool) -> None:
        begun: list[Writer] = []
        try:
            await self._worker.run(lambda: begun.append(Writer(self._file, ended=ended)))
            [writer] = begun
            for some in self._slices():
                await self._worker.run(partial(writer.add, some))
            await self._worker.run(writer.finish)
        finally:
            # Not awaited: this may be the end of a task that was cancelled, even before there was a writer.
            self._worker.submit(partial(_discard, begun))

    def _slices(self) -> Iterator[list[Entry]]:
        some: list[Entry] = []
        for keeper in tuple(self._keepers):
            for key, payload in keeper.entries():
                some.append((keeper.kind, key, payload))
                if len(some) == _ENTRIES_AT_ONCE:
                    yield some
                    some = []
        yield some

    async def _try(self, work: Any) -> bool:
        """Do the work; a failure is logged once, until it is over or another one comes."""
        try:
            await work
        except (StateError, OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            if reason != self._problem:
                _log.warning("state file not written: %s", reason, extra={"file": str(self.path)})
            self._problem = reason
            return False
        except Exception as error:
            if repr(error) != self._problem:
                _log.exception("writing the state file failed, please report this")
            self._problem = repr(error)
            return False
        if self._problem is not None:
            _log.info("state file is written again", extra={"file": str(self.path)})
            self._problem = None
        return True


def _discard(writers: Iterable[Writer]) -> None:
    for writer in writers:
        writer.discard()


class _Worker:
    """A thread that does one thing after the other; it never keeps the process alive."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(self, job: Callable[[], object]) -> None:
        """Have the job done some time; what it raises is lost."""
        if self._thread is None:
            # Daemon: a disk that hangs must not hold up the end of the process.
            self._thread = threading.Thread(target=self._work, name="state-file", daemon=True)
            self._thread.start()
        self._jobs.put(lambda: _ignoring(job))

    async def run(self, job: Callable[[], _T]) -> _T:
        """Have the job done; gives what it returns, and raises what it raises."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_T] = loop.create_future()

        def work() -> None:
            try:
                result = job()
            except BaseException as error:
                _tell(loop, future, None, error)
            else:
                _tell(loop, future, result, None)

        self.submit(work)
        return await future

    def end(self) -> None:
        """Let the thread end when it has nothing more to do."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()


def _ignoring(job: Callable[[], object]) -> None:
    with suppress(Exception):
        job()


def _tell(
    loop: asyncio.AbstractEventLoop, future: "asyncio.Future[_T]", result: Any, error: BaseException | None
) -> None:
    def settle() -> None:
        if not future.done():
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

    # The loop may have ended while the disk took its time.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(settle)
