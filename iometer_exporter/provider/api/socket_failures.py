"""The ProviderError for an exception of a WebSocket; apart, as only subscriptions need websockets."""

from typing import Final

from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidStatus,
    PayloadTooBig,
    WebSocketException,
)

from iometer_exporter.errors import ProviderError, ProviderReason
from iometer_exporter.provider.api.failures import UNREACHED, causes, provider_error
from iometer_exporter.provider.api.status import check_status

SOCKET_FAILED: Final = (*UNREACHED, WebSocketException)
"""Exceptions of a socket that cannot be opened, or has ended."""

_CLOSED: Final[dict[int, tuple[ProviderReason, str]]] = {
    4401: ("unauthorized", "does not accept the credentials"),
    4403: ("unauthorized", "does not accept the credentials"),
    4408: ("timeout", "waited too long for the credentials"),
    4429: ("rate_limited", "asks for fewer requests"),
    1009: ("too_large", "sent a message that is too large"),
}
"""Meaning of the codes of graphql-transport-ws and of WebSocket with which a socket is closed."""


def socket_error(error: BaseException) -> ProviderError:
    """As `provider_error`, for an exception of a socket too."""
    for cause in causes(error):
        if (found := _of_socket(cause)) is not None:
            return found
    return provider_error(error)


def _of_socket(cause: BaseException) -> ProviderError | None:
    if isinstance(cause, InvalidStatus):
        response = cause.response
        try:
            check_status(response.status_code, response.headers.get("Retry-After"))
        except ProviderError as error:
            return error
        return ProviderError("http_status", f"answered status {response.status_code} instead of a socket")
    if isinstance(cause, PayloadTooBig):
        return ProviderError("too_large", "sent a message that is too large")
    if isinstance(cause, ConnectionClosed):
        # Who failed first tells the cause: a message too large is closed by this side.
        code = cause.sent if not cause.rcvd_then_sent and cause.sent else cause.rcvd or cause.sent
        number = code.code if code else 1006
        reason, meaning = _CLOSED.get(number, ("connect", f"closed the socket (code {number})"))
        return ProviderError(reason, meaning)
    if isinstance(cause, InvalidHandshake):
        return ProviderError("protocol", f"does not speak WebSocket ({type(cause).__name__})")
    return None
