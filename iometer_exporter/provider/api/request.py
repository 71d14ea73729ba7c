"""Requests to the provider API: a document as it was written, and its variables."""

from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

SUBSCRIPTION_ID: Final = "1"
"""Id of a subscription, the only one of its socket."""


def operation(document: str, variables: dict[str, Any]) -> dict[str, Any]:
    """The JSON of a request; a variable that is None is left out, which leaves the API its own default."""
    given = {name: value for name, value in variables.items() if value is not None}
    return {"query": document, "variables": given}


def timestamp(time: datetime | None) -> str | None:
    """The time as the API writes it, in whole seconds, the earlier one."""
    return None if time is None else time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def socket_url(url: str) -> str:
    """The address of the socket that belongs to the URL of the API."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(scheme="wss" if parts.scheme == "https" else "ws"))
