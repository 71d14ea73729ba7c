"""Every error of this package that a caller is meant to handle.

IOmeterError
├── ConfigError       the configuration or a flag asks for something impossible
├── ObisError         a text is not an OBIS code
├── PayloadError      bytes are no valid document of a bridge (names the field)
├── ProbeTargetError  a probe's target that is not an address or may not be asked
├── FetchError        a bridge gave no document (carries the reason of the metric table)
├── ProviderError     the provider API gave no data (carries the reason of its metric)
├── StateError        a state file, or an entry in it, that cannot be used
├── DiscoveryError    mDNS cannot be used on this host
├── OutputError       stdout or a file cannot be written (disk full, ...)
└── StartError        the process cannot do its job here (port in use, ...)
"""

from typing import Literal, get_args

Reason = Literal[
    "timeout",
    "connect",
    "resolve",
    "http_status",
    "no_data",
    "too_large",
    "invalid_json",
    "invalid_document",
    "protocol",
]
"""Reason why a fetch gave no valid document: label `reason` of `iometer_scrape_errors_total`."""

REASONS: tuple[Reason, ...] = get_args(Reason)

ProviderReason = Literal[
    "timeout",
    "connect",
    "resolve",
    "unauthorized",
    "rate_limited",
    "http_status",
    "too_large",
    "invalid_json",
    "invalid_document",
    "graphql",
    "protocol",
]
"""Reason why the provider API gave no data: label `reason` of `iometer_provider_request_errors_total`."""

PROVIDER_REASONS: tuple[ProviderReason, ...] = get_args(ProviderReason)


class IOmeterError(Exception):
    """Root of the package's errors; its text is one sentence for the user."""


class ConfigError(IOmeterError):
    """A configuration file, environment variable or flag that cannot be honoured.

    `problems` has a sentence for each thing that is wrong; the error's text is all of them.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems: tuple[str, ...] = problems


class ObisError(IOmeterError):
    """A text that is not an OBIS code in hexadecimal or decimal form."""


class PayloadError(IOmeterError):
    """A body that is not a document of the expected kind; the text names the field."""

    def __init__(self, message: str, *, reason: Reason = "invalid_document") -> None:
        super().__init__(message)
        self.reason: Reason = reason


class ProbeTargetError(IOmeterError):
    """A target of a probe that is not an address, does not resolve, or is not allowed."""


class FetchError(IOmeterError):
    """An endpoint of a bridge that gave no document, and why; `status` is that of an HTTP answer."""

    def __init__(self, reason: Reason, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.reason: Reason = reason
        self.status = status


class ProviderError(IOmeterError):
    """The provider API gave no data or bad data: what it did (`answered status 500`), and the reason of that.

    `retry_after` is how long it asked to be left alone, in seconds.
    """

    def __init__(
        self, reason: ProviderReason, what_happened: str, *, retry_after: float | None = None
    ) -> None:
        super().__init__(f"the provider API {what_happened}")
        self.reason: ProviderReason = reason
        self.what_happened = what_happened
        self.retry_after = retry_after


class StateError(IOmeterError):
    """A state file, or an entry in it, that is damaged, of something else or of a newer version."""


class DiscoveryError(IOmeterError):
    """Multicast DNS cannot be used here."""


class OutputError(IOmeterError):
    """Output of a command that cannot be printed or written, such as on a full disk."""


class StartError(IOmeterError):
    """The process cannot start its job on this host."""
