"""What can go wrong between a request and its answer; each error knows its reason of the metric table."""

from typing import ClassVar, Final

from iometer_exporter.errors import Reason

_LONGEST_QUOTE: Final = 120
"""Characters of an error text that may come from the other side."""


class ExchangeError(Exception):
    """An exchange that did not come to its end; the text may quote what the other side sent."""

    reason: ClassVar[Reason] = "protocol"

    def explained(self) -> str:
        """The error in words that do not fill the log."""
        return f"HTTP exchange broken: {str(self)[:_LONGEST_QUOTE] or type(self).__name__}"


class ConnectError(ExchangeError):
    """No connection could be opened."""

    reason = "connect"

    def explained(self) -> str:
        """The error in words, which are all ours."""
        return str(self)


class ReadError(ExchangeError):
    """A connection that ended, or fell silent, before the answer did."""


class ProtocolError(ExchangeError):
    """What was received is no answer."""


class StaleConnectionError(ExchangeError):
    """A kept-alive connection that was of no more use: the request may be sent once more on a new one."""
