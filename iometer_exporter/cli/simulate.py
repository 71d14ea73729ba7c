"""`simulate` and `demo`: bridges for those who have none at hand."""

import click


@click.command()
def simulate() -> None:
    """Serve simulated bridges."""


@click.command()
def demo() -> None:
    """Show the exporter with a simulated home."""
