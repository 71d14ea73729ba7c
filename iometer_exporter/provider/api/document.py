"""JSON of the provider API, strict and with all digits of its numbers."""

from decimal import Decimal, InvalidOperation
from json import JSONDecodeError, loads
from typing import Any, NoReturn

from iometer_exporter.errors import ProviderError


def decode(body: bytes | str) -> Any:
    """The JSON document, numbers with all their digits; raises ProviderError for anything else."""
    try:
        try:
            return loads(body, parse_float=Decimal, parse_constant=_no_constant)
        except InvalidOperation:
            # An exponent beyond even Decimal: infinite or zero, for the check of its field to judge.
            return loads(body, parse_float=lambda text: Decimal(float(text)), parse_constant=_no_constant)
    except RecursionError as error:
        raise ProviderError("invalid_json", "sent JSON that is nested too deeply") from error
    except (JSONDecodeError, UnicodeDecodeError, ValueError) as error:
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


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)
