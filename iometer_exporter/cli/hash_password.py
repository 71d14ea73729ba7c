"""`hash-password`: a line for `basic_auth_users` of a web configuration."""

import sys

import click


@click.command("hash-password")
@click.argument("user", default="prometheus")
def hash_password(user: str) -> None:
    """Print the line of a user for a web configuration.

    Asks for the password of USER (default: prometheus) twice, and shows it nowhere; without a terminal, it is
    the first line of stdin. The line belongs below `basic_auth_users:`.
    """
    # Imported here: bcrypt and YAML are needed for no other command.
    from iometer_exporter.web.basic_auth import user_line

    click.echo(user_line(user, _password()))


def _password() -> str:
    if sys.stdin.isatty():
        password: str = click.prompt("Password", hide_input=True, confirmation_prompt="Again", err=True)
        return password
    return sys.stdin.readline().removesuffix("\n").removesuffix("\r")
