"""JSON of the provider API, strict and with all digits of its numbers."""

from json import JSONDecodeError
from typing import Any

from iometer_exporter.errors import ProviderError
from iometer_exporter.meter import json_values


def decode(body: bytes | str) -> Any:
    """The JSON document, numbers with all their digits; raises ProviderError for anything else."""
    try:
        return json_values.decode(body)
    except RecursionError as error:
        raise ProviderError("invalid_json", "sent JSON that is nested too deeply") from error
    except ValueError as error:
        # The text of the error may quote the document.
        detail = f" at byte {error.pos}" if isinstance(error, JSONDecodeError) else ""
        raise ProviderError("invalid_json", f"sent a body that is not JSON{detail}") from error


def decode_answer(body: bytes) -> dict[str, Any]:
    """The object of an answer to a GraphQL request; raises ProviderError for anything else."""
    answer = decode(body)
    if not isinstance(answer, dict):
        raise ProviderError("invalid_document", "sent JSON that is not an answer to a GraphQL request")
    if "data" not in answer and "errors" not in answer:
        raise no_answer()
    return answer


def no_answer() -> ProviderError:
    """The error for a document that is well-formed and none of the protocol."""
    return ProviderError("invalid_document", "sent what is not an answer to a GraphQL request")
