"""Faults between a provider and its cloud, by name."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

from iometer_exporter.errors import ConfigError

ProviderFault = Literal[
    "duplicates",
    "late",
    "decrease",
    "spike",
    "replay",
    "clock-jump",
    "disconnect",
    "no-sockets",
    "rate-limit",
    "http-500",
    "garbage",
    "slow",
    "graphql-errors",
    "null",
    "unknown-enum",
    "unauthorized",
]
"""What a simulated cloud can be told to do."""

PROVIDER_FAULTS: Final[dict[ProviderFault, str]] = {
    "duplicates": "A tenth of the readings comes twice.",
    "late": "A twentieth of the readings comes minutes to hours late.",
    "decrease": "Every fourth reading of the first installation shows less import than before.",
    "spike": "Every fourth reading of the first installation shows absurdly much import.",
    "replay": "With every fourth reading of the first installation an old one comes back.",
    "clock-jump": "Every fourth reading of the first installation is stamped two days ahead.",
    "disconnect": "Every socket is cut after 100 messages.",
    "no-sockets": "Sockets are refused, HTTP works.",
    "rate-limit": "Every third request is answered 429 with Retry-After: 1.",
    "http-500": "Every third request is answered 500.",
    "garbage": "Every third request is answered 200 with HTML.",
    "slow": "Every answer takes 3 s.",
    "graphql-errors": "The license of every tenth installation is null, with an error beside the data.",
    "null": "Every tenth installation has null where the schema promises a value.",
    "unknown-enum": "Every tenth installation has states that the schema does not know.",
    "unauthorized": "Token and secret are not valid any more.",
}
"""Every kind of fault and what it does."""


@dataclass(slots=True)
class Faults:
    """The faults in force, and how hard they strike; all may be changed at any time."""

    kinds: set[ProviderFault] = field(default_factory=set)
    duplicate_share: float = 0.1
    late_share: float = 0.05
    messages_per_socket: int = 100
    every: int = 3
    """Each how many-th HTTP request fails where some do."""

    retry_after: str = "1"
    slow_seconds: float = 3.0

    def hits(self, index: int) -> bool:
        """Whether the installation of an index is one of those that faults of every tenth strike."""
        return index % 10 == 0


def parse_provider_fault(text: str) -> ProviderFault:
    """The fault of this name; raises ConfigError for an unknown one."""
    kind = next((fault for fault in PROVIDER_FAULTS if fault == text), None)
    if kind is None:
        near = difflib.get_close_matches(text, PROVIDER_FAULTS, n=1, cutoff=0.0)
        raise ConfigError(f"there is no fault {text!r}, the nearest is {near[0]!r}")
    return kind


def provider_faults(kinds: Iterable[str]) -> Faults:
    """Faults of these kinds; raises ConfigError for an unknown one."""
    return Faults({parse_provider_fault(kind) for kind in kinds})
