"""`provider backfill`: the readings that the cloud has kept, as a file for Prometheus."""

import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from iometer_exporter import wording
from iometer_exporter.cli.options import Parsed, option
from iometer_exporter.cli.output_file import Output
from iometer_exporter.cli.provider.options import Access, provider_options
from iometer_exporter.cli.provider.progress import report_problems, show_progress
from iometer_exporter.cli.provider.served_meters import parse_source, served_meters
from iometer_exporter.cli.web_address import WebAddress
from iometer_exporter.config.shard import own_shard
from iometer_exporter.config.values import parse_duration
from iometer_exporter.errors import ConfigError, IOmeterError, ProviderError
from iometer_exporter.net import event_loop
from iometer_exporter.provider.api.models import RETENTION_SECONDS
from iometer_exporter.text import FirstFew, clean

if TYPE_CHECKING:
    from iometer_exporter.provider.backfill import Backfill, Report
    from iometer_exporter.provider.collecting import ReadingsWalk
    from iometer_exporter.provider.kept_pages import KeptPages

_LABEL_NAME: Final = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_OWN_LABELS: Final = ("installation", "meter", "tariff", "phase")


def _parse_since(text: str) -> float:
    seconds = parse_duration(text)
    if not 0 < seconds <= RETENTION_SECONDS:
        raise ConfigError(f"{text!r} cannot be asked for, the API keeps readings for 24h: write 24h or less")
    return seconds


def _parse_label(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not _LABEL_NAME.fullmatch(name):
        raise ConfigError(f"{text!r} is not a label, write NAME=VALUE such as job=iometer")
    if name in _OWN_LABELS:
        raise ConfigError(f"{text!r} cannot be added, the series have a label {name} of their own")
    if clean(value) != value:
        raise ConfigError(f"{text!r} has characters that cannot be shown, leave them out")
    return name, value


@click.command("backfill")
@option(
    "--since",
    type=Parsed("duration", _parse_since),
    default="24h",
    show_default=True,
    help="How far back; the API keeps 24h.",
)
@option(
    "--output",
    "-o",
    "path",
    type=click.Path(path_type=Path, dir_okay=False, readable=False, allow_dash=True),
    required=True,
    help="File to write or to replace, - for stdout.",
)
@option(
    "--label",
    "labels",
    type=Parsed("NAME=VALUE", _parse_label),
    multiple=True,
    help="Label of every series, such as job=iometer, may be given several times.",
)
@option(
    "--skip-meters",
    "sources",
    type=Parsed("FILE|URL", parse_source),
    multiple=True,
    help="Leave out meters that bridges serve: a file with a number on each line, or the /metrics of an "
    "exporter, may be given several times.",
)
@option(
    "--work-dir",
    "work_dir",
    type=click.Path(path_type=Path, file_okay=False, readable=False),
    default=None,
    help="Keep what is fetched in this folder until the file is complete: the same command then goes on "
    "where it was stopped.",
)
@provider_options
def backfill(
    *,
    access: Access,
    since: float,
    path: Path,
    labels: tuple[tuple[str, str], ...],
    sources: tuple[Path | WebAddress, ...],
    work_dir: Path | None,
) -> None:
    """Write stored readings for Prometheus.

    The file is OpenMetrics with the families and labels of the live metrics, for
    `promtool tsdb create-blocks-from openmetrics`. Readings that the guard would refuse are left out.
    """
    # Imported here, as all that is needed for no other command.
    from iometer_exporter.provider.backfill import Backfill

    limits, shard = access.config.limits, own_shard(access.provider.shard)
    others = _served_by_bridges(sources, access.timeout)
    with (
        _keeping(work_dir) as kept,
        Output(path) as output,
        Backfill(
            work_dir or output.folder, limits=limits, shard=shard, labels=dict(labels), others=others
        ) as filling,
    ):
        event_loop.run(_collect(access, since, filling, kept))
        if not filling.report.received:
            if kept is not None:
                kept.remove()
            raise IOmeterError(f"the API has no readings of the last {wording.duration(since)}")
        with output.writing() as out:
            with _progress_bar("Sorting readings", filling.report.received) as bar:
                filling.sort(bar.update)
            with _progress_bar("Writing samples", filling.samples) as bar:
                filling.write(out, bar.update)
        if kept is not None:
            kept.remove()
        _print_report(filling.report, others, path if output.is_file else None)


@contextmanager
def _keeping(folder: Path | None) -> "Iterator[KeptPages | None]":
    """What is kept in the folder, if there is one; if the block fails, what is there now is said."""
    if folder is None:
        yield None
        return
    from iometer_exporter.provider.kept_pages import KeptPages

    with KeptPages(folder) as kept:
        try:
            yield kept
        except BaseException:
            if kept.is_begun and kept.has_readings:
                click.echo(
                    f"What was fetched is kept in {folder}: the same command goes on from there.", err=True
                )
            raise


def _served_by_bridges(sources: Iterable[Path | WebAddress], timeout: float) -> frozenset[str]:
    """The numbers of all meters that the sources name, after saying which."""
    numbers: set[str] = set()
    for source in sources:
        found = served_meters(source, timeout)
        # A terminal would obey what a page hides in them.
        numbers_in_words = ", ".join(clean(number) for number in sorted(found))
        click.echo(f"Left to bridges by {source}: {numbers_in_words}", err=True)
        numbers |= found
    return frozenset(numbers)


async def _collect(access: Access, since: float, filling: "Backfill", kept: "KeptPages | None") -> None:
    from iometer_exporter.provider.collecting import ReadingsWalk, name_installations
    from iometer_exporter.provider.reading.retrying import Retrying

    now = datetime.now(UTC)
    start = now - timedelta(seconds=since)
    problems, retrying = FirstFew(), Retrying(_report_interruption)
    async with access.client() as client:
        if kept is not None:
            account = await retrying.ask(client.account)
            start = _begin(kept, access, account.id, since, start)
        try:
            async for found in name_installations(client, filling, access.provider.page_size, retrying, kept):
                show_progress(f"{found} installations so far")
        finally:
            show_progress("")
        walk = ReadingsWalk(start, filling, problems)
        if kept is not None and kept.has_readings:
            _recall(walk, kept, filling, now)
        begin = walk.newest or start
        whole = max(round((now - begin).total_seconds()), 0)
        with _progress_bar("Fetching readings", whole) as bar:
            async for _ in walk.fetch(client, retrying, kept=kept, lost=_report_lost_place):
                # How many there will be is not known, but they come in the order in which they were received.
                if walk.newest is not None:
                    reached = round((walk.newest - begin).total_seconds())
                    bar.update(max(min(reached, whole) - bar.pos, 0))
            bar.update(whole - bar.pos)
    report_problems(problems)


def _begin(kept: "KeptPages", access: Access, account: str, since: float, start: datetime) -> datetime:
    from iometer_exporter.provider.kept_pages import Asked

    shard = own_shard(access.provider.shard)
    return kept.begin(Asked(access.provider.url, account, since, shard), start)


def _recall(walk: "ReadingsWalk", kept: "KeptPages", filling: "Backfill", now: datetime) -> None:
    """Go over what an earlier run has fetched, and say what it was."""
    if kept.cut_bytes:
        click.echo(
            f"The last {kept.cut_bytes} bytes in {kept.folder} were half written or damaged: what they held "
            "is fetched again.",
            err=True,
        )
    with _progress_bar("Reading what is kept", kept.size) as bar:
        for size in walk.recall(kept):
            bar.update(size)
    where = "they are all" if walk.at_end else "going on from there"
    click.echo(f"{filling.report.received} readings are kept in {kept.folder}: {where}.", err=True)
    if walk.newest is None or walk.at_end:
        return
    missed = (now - walk.newest).total_seconds() - RETENTION_SECONDS
    if missed > 0:
        click.echo(
            f"The API keeps readings for 24h: those it received in the {wording.duration(missed)} after the "
            "last of these are lost.",
            err=True,
        )


def _report_lost_place(error: ProviderError) -> None:
    _say_below_bar(
        f"The place where the earlier run stopped leads nowhere ({error}): everything is fetched again, and "
        "what comes twice is written once."
    )


def _report_interruption(error: ProviderError, wait: float) -> None:
    _say_below_bar(f"Interrupted: {error}; trying again in {wording.duration(wait)}.")


def _say_below_bar(sentence: str) -> None:
    # Where it is shown, it stands on this line.
    before = "\n" if sys.stderr.isatty() else ""
    click.echo(f"{before}{sentence}", err=True)


def _progress_bar(label: str, length: int) -> "click._termui_impl.ProgressBar[int]":
    return click.progressbar(length=length, label=label, file=sys.stderr, hidden=not sys.stderr.isatty())


def _print_report(report: "Report", others: frozenset[str], file: Path | None) -> None:
    """Say what has become of the readings, and where there is a file, what to do with it."""
    click.echo(
        f"{report.written} readings of {report.meters} meters written, {report.duplicates} duplicates and "
        f"{sum(report.refused.values())} refused readings left out.",
        err=True,
    )
    if report.refused:
        whys = ", ".join(f"{count} {why}" for why, count in sorted(report.refused.items()))
        click.echo(f"Refused: {whys}.", err=True)
    if others:
        absent = FirstFew()
        absent.add(*(clean(number) for number in sorted(others - report.left.keys())))
        click.echo(
            f"Left to bridges: {report.left.total()} readings of {len(report.left)} meters"
            f"{f', and there were none of {absent}' if absent.count else ''}.",
            err=True,
        )
    if file is not None:
        click.echo(
            f"Now: promtool tsdb create-blocks-from openmetrics {file} DATA_FOLDER_OF_PROMETHEUS", err=True
        )
