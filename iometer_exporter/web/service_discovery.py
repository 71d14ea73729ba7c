"""Prometheus HTTP service discovery: the known bridges as target groups."""

from collections.abc import Iterable, Mapping
from typing import TypedDict

from iometer_exporter.bridges.snapshot import KnownBridge


class Group(TypedDict):
    """One target group, as Prometheus reads it."""

    targets: list[str]
    labels: dict[str, str]


def bridge_groups(bridges: Iterable[KnownBridge]) -> list[Group]:
    """A group per bridge, its target the bridge itself, for a scrape configuration with relabelling."""
    return [{"targets": [bridge.address], "labels": dict(_meta(bridge))} for bridge in bridges]


def probe_groups(bridges: Iterable[KnownBridge], *, exporter: str, scheme: str) -> list[Group]:
    """A group per bridge, its target the `/probe` of the exporter at `host:port`, complete as it is."""
    return [
        {
            "targets": [exporter],
            "labels": {
                **_meta(bridge),
                "__scheme__": scheme,
                "__metrics_path__": "/probe",
                "__param_target": bridge.address,
                "instance": bridge.address,
            },
        }
        for bridge in bridges
    ]


def _meta(bridge: KnownBridge) -> Mapping[str, str]:
    return {
        "__meta_iometer_name": bridge.name,
        "__meta_iometer_meter": bridge.meter,
        "__meta_iometer_device_id": bridge.device_id,
        "__meta_iometer_source": bridge.source,
        **{f"__meta_iometer_label_{name}": value for name, value in bridge.labels.items()},
    }
