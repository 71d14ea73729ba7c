"""Messages of commands that ask for many installations: progress, and problems."""

import sys
from collections.abc import AsyncGenerator

import click

from iometer_exporter.provider.api.models import Installation
from iometer_exporter.provider.lookup import InstallationPages
from iometer_exporter.text import FirstFew


def report_problems(problems: FirstFew) -> None:
    """Say on stderr what was wrong with what the API sent."""
    if problems.count:
        click.echo(f"Left out: {problems}", err=True)


async def with_progress(pages: InstallationPages) -> AsyncGenerator[tuple[Installation, ...], None]:
    """Each of the pages, while a terminal shows how far it is."""
    try:
        async for page in pages:
            yield page
            show_progress(f"{pages.found} installations so far")
    finally:
        show_progress("")


def show_progress(text: str) -> None:
    """Replace the line on a terminal that says how far it is."""
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{text}", err=True, nl=False)
