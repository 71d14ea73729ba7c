"""The vendor's cloud with a simulated fleet, for `simulate provider` and the tests."""

from typing import TYPE_CHECKING, Any

from iometer_exporter.simulator.cloud.faults import (
    PROVIDER_FAULTS,
    Faults,
    ProviderFault,
    parse_provider_fault,
)

if TYPE_CHECKING:
    from iometer_exporter.simulator.cloud.simulation import ProviderSimulation, describe_provider

__all__ = [
    "PROVIDER_FAULTS",
    "Faults",
    "ProviderFault",
    "ProviderSimulation",
    "describe_provider",
    "parse_provider_fault",
]


def __getattr__(name: str) -> Any:
    # The GraphQL server is an extra, and takes its time to be imported.
    if name in ("ProviderSimulation", "describe_provider"):
        from iometer_exporter.simulator.cloud import simulation

        return getattr(simulation, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
