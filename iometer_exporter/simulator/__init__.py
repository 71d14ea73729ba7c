"""Simulated bridges and homes that behave like real ones, for `demo`, `simulate` and the tests."""

from iometer_exporter.simulator.bridge import Firmware, SimulatedBridge
from iometer_exporter.simulator.faults import (
    ENDPOINTS,
    FAULTS,
    SITUATIONS,
    Endpoint,
    Fault,
    FaultSpec,
    Timing,
    check_faults,
    parse_fault,
)
from iometer_exporter.simulator.home import Home
from iometer_exporter.simulator.profile import power
from iometer_exporter.simulator.server import BridgeServer
from iometer_exporter.simulator.simulation import Simulation, describe

__all__ = [
    "ENDPOINTS",
    "FAULTS",
    "SITUATIONS",
    "BridgeServer",
    "Endpoint",
    "Fault",
    "FaultSpec",
    "Firmware",
    "Home",
    "SimulatedBridge",
    "Simulation",
    "Timing",
    "check_faults",
    "describe",
    "parse_fault",
    "power",
]
