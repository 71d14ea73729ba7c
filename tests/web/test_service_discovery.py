import pytest

from iometer_exporter.bridges.discovery.announcements import Service
from iometer_exporter.bridges.snapshot import KnownBridge
from iometer_exporter.config.file import BridgeConfig, Config, DiscoveryConfig
from iometer_exporter.exporter import Exporter
from iometer_exporter.net.addresses import Address
from iometer_exporter.web.service_discovery import bridge_groups, probe_groups
from tests import documents
from tests.rawserver import bridge, raw_server
from tests.web.test_app import exporter

HOUSE = KnownBridge("house", "192.0.2.1:80", "configured", "1ISK1", "658c", {"site": "farm"})
SIX = KnownBridge("IOmeter-AB12CD", "[2001:db8::1]:8080", "discovered", "", "", {})

HOUSE_META = {
    "__meta_iometer_name": "house",
    "__meta_iometer_meter": "1ISK1",
    "__meta_iometer_device_id": "658c",
    "__meta_iometer_source": "configured",
    "__meta_iometer_label_site": "farm",
}
SIX_META = {
    "__meta_iometer_name": "IOmeter-AB12CD",
    "__meta_iometer_meter": "",
    "__meta_iometer_device_id": "",
    "__meta_iometer_source": "discovered",
}


def test_groups_of_bridges() -> None:
    assert bridge_groups([HOUSE, SIX]) == [
        {"targets": ["192.0.2.1:80"], "labels": HOUSE_META},
        {"targets": ["[2001:db8::1]:8080"], "labels": SIX_META},
    ]


def test_groups_of_probes_need_no_relabelling() -> None:
    assert probe_groups([HOUSE, SIX], exporter="exporter:10180", scheme="http") == [
        {
            "targets": ["exporter:10180"],
            "labels": {
                **meta,
                "__scheme__": "http",
                "__metrics_path__": "/probe",
                "__param_target": address,
                "instance": address,
            },
        }
        for meta, address in ((HOUSE_META, "192.0.2.1:80"), (SIX_META, "[2001:db8::1]:8080"))
    ]


async def test_known_bridges_are_served_with_what_was_learnt_of_them() -> None:
    async with raw_server(bridge(documents.reading, documents.status)) as server, exporter(server) as client:
        before = (await client.get("/sd")).json()
        await client.get("/metrics")
        answer = await client.get("/sd")
    assert before[0]["labels"]["__meta_iometer_meter"] == ""
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == [
        {
            "targets": [server.address.with_port],
            "labels": {
                "__meta_iometer_name": "bridge0",
                "__meta_iometer_meter": "1ISK0000000001",
                "__meta_iometer_device_id": "658c2b34",
                "__meta_iometer_source": "configured",
            },
        }
    ]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("exporter.example:9000", "exporter.example:9000"),
        ("exporter.example", "exporter.example:80"),
        ("[::1]:10180", "[::1]:10180"),
    ],
)
async def test_the_exporter_is_where_it_was_asked(host: str, expected: str) -> None:
    async with raw_server(bridge(documents.reading, documents.status)) as server, exporter(server) as client:
        [group] = (await client.get("/sd?form=probe", headers={"Host": host})).json()
    assert group["targets"] == [expected]
    assert group["labels"]["__param_target"] == server.address.with_port


async def test_a_strange_host_header_is_400() -> None:
    async with exporter() as client:
        answer = await client.get("/sd?form=probe", headers={"Host": "a b:c"})
    assert (answer.status_code, answer.text[:12]) == (400, "header Host:")


async def test_an_unknown_form_is_400() -> None:
    async with exporter() as client:
        answer = await client.get("/sd?form=json")
    assert (answer.status_code, answer.text) == (
        400,
        "form is either left out or 'probe': write /sd or /sd?form=probe\n",
    )


async def test_there_is_no_list_before_the_first_round() -> None:
    async with exporter(ready=False) as client:
        answer = await client.get("/sd")
    assert (answer.status_code, answer.text) == (503, "not ready: the first discovery round is under way\n")


async def test_no_bridge_is_an_empty_list() -> None:
    async with exporter() as client:
        assert (await client.get("/sd")).json() == []


async def test_names_are_resolved_and_an_unresolvable_one_is_left_as_it_is() -> None:
    bridges = (BridgeConfig(Address("localhost", 8001), "a"), BridgeConfig(Address("bridge.invalid"), "b"))
    config = Config(bridges=bridges, discovery=DiscoveryConfig(enabled=False))
    async with Exporter(lambda: config) as running:
        addresses = [known.address for known in await running.fleet.known()]
    assert addresses[0] in ("127.0.0.1:8001", "[::1]:8001")
    assert addresses[1] == "bridge.invalid:80"


async def test_a_configured_mdns_name_is_served_with_the_address_that_discovery_knows() -> None:
    from iometer_exporter.bridges.fleet import Fleet

    service = Service("IOmeter-AB12CD", "iometer-ab12cd.invalid", (Address("192.0.2.7"),))
    config = Config(bridges=(BridgeConfig(Address("IOmeter-AB12CD.invalid"), "house"),))
    async with Fleet(config, lambda: [service]) as fleet:
        assert [(known.name, known.address) for known in await fleet.known()] == [("house", "192.0.2.7:80")]
