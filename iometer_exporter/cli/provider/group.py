"""`provider`: the commands for the vendor's cloud, each in a module of its own."""

import click

from iometer_exporter.cli.provider.backfill import backfill
from iometer_exporter.cli.provider.installations import installations
from iometer_exporter.cli.provider.license import license_
from iometer_exporter.cli.provider.status import status
from iometer_exporter.cli.provider.token import token
from iometer_exporter.cli.provider.watch import watch


@click.group("provider")
def provider() -> None:
    """See and manage a provider's installations.

    In the vendor's cloud, with an API key of its admin backend. A household with bridges in its own network
    needs none of this.
    """


for _command in (status, installations, token, license_, watch, backfill):
    provider.add_command(_command)
