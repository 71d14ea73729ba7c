"""What is sent to the provider API: a document as it was written, and its variables."""

from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from gql import GraphQLRequest
from graphql import DocumentNode, parse


class Request(GraphQLRequest):
    """A request whose document is parsed once in the process, and sent without being printed anew."""

    def __init__(self, document: str, variables: dict[str, Any]) -> None:
        # A variable that is not given leaves the API its own default.
        given = {name: value for name, value in variables.items() if value is not None}
        super().__init__(_parsed(document), variable_values=given)
        self._text = document

    @property
    def payload(self) -> dict[str, Any]:
        """The body of the request."""
        return {"query": self._text, "variables": self.variable_values}


def timestamp(time: datetime | None) -> str | None:
    """The time as the API writes it, in whole seconds, the earlier one."""
    return None if time is None else time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def socket_url(url: str) -> str:
    """The address of the socket that belongs to the URL of the API."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(scheme="wss" if parts.scheme == "https" else "ws"))


@cache
def _parsed(document: str) -> DocumentNode:
    return parse(document, no_location=True)
