"""`provider`: the commands for the vendor's cloud, each in a module of its own."""

import click

from iometer_exporter.cli.provider_backfill import backfill
from iometer_exporter.cli.provider_installations import installations
from iometer_exporter.cli.provider_license import license_
from iometer_exporter.cli.provider_status import status
from iometer_exporter.cli.provider_token import token
from iometer_exporter.cli.provider_watch import watch


@click.group("provider")
def provider() -> None:
    """See and manage a provider's installations.

    In the vendor's cloud, with an API key of its admin backend. A household with bridges in its own network
    needs none of this.
    """


for _command in (status, installations, token, license_, watch, backfill):
    provider.add_command(_command)
