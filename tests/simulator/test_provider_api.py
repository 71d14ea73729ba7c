"""The provider API as the vendor documents its use: gql, with introspection."""

from importlib.resources import files
from typing import Any

import httpx
import pytest
from gql import gql
from graphql import (
    GraphQLSchema,
    build_client_schema,
    build_schema,
    get_introspection_query,
    lexicographic_sort_schema,
    print_schema,
    validate_schema,
)

from iometer_exporter.errors import ConfigError, StartError
from iometer_exporter.simulator.cloud import ProviderSimulation
from iometer_exporter.simulator.cloud.fleet import (
    EXPIRED,
    NO_DEVICE,
    NO_LICENSE,
    NO_METER,
    NOT_STARTED,
    TWO_METERS,
)
from iometer_exporter.simulator.cloud.gate import PATH
from tests.simulator.conftest import Clock
from tests.simulator.provider_client import (
    FRAGMENTS,
    INSTALLATIONS,
    ONE,
    ask,
    authorization,
    error_of,
    post,
    session,
    unix,
)

PROVIDER = (
    """
query Provider(
  $pagination: Pagination, $id: Uuid, $externalId: String, $key: Uuid!, $pool: Uuid!, $limit: Int
) {
  provider {
    id
    name
    installations(pagination: $pagination) { ...InstallationFragment }
    installation(id: $id, externalId: $externalId) { ...InstallationFragment }
    signingKeys { id name enabled }
    signingKey(id: $key) { id name enabled }
    licensePools { ...LicensePoolFragment }
    licensePool(id: $pool) { ...LicensePoolFragment }
    readings(limit: $limit) { readings { time } cursor }
  }
}
"""
    + FRAGMENTS
)


def document() -> GraphQLSchema:
    return build_schema(files("iometer_exporter").joinpath("provider/api/schema.graphql").read_text("utf-8"))


def in_order(schema: GraphQLSchema) -> str:
    return print_schema(lexicographic_sort_schema(schema))


def test_the_schema_of_the_document_is_valid() -> None:
    assert validate_schema(document()) == []


async def test_the_served_schema_is_that_of_the_document(clock: Clock) -> None:
    async with ProviderSimulation(clock=clock) as simulation, session(simulation) as opened:
        found = await opened.execute(gql(get_introspection_query(descriptions=True)))
    assert in_order(build_client_schema(found)) == in_order(document())  # type: ignore[arg-type]


async def test_a_client_that_asks_for_the_schema_gets_all_of_a_provider(clock: Clock) -> None:
    async with ProviderSimulation(installations=60, clock=clock) as simulation:
        key, pool = simulation.cloud.licenses.keys[1], simulation.cloud.licenses.pools[2]
        async with session(simulation, fetch_schema_from_transport=True) as opened:
            answer = await ask(
                opened,
                PROVIDER,
                pagination={"offset": 40, "limit": 100},
                externalId="home-000003",
                key=key["id"],
                pool=pool["id"].upper(),
                limit=1,
            )
    provider = answer["provider"]
    assert provider["name"] == "Simulated Energy"
    assert len(provider["installations"]) == 20
    assert provider["installation"]["externalId"] == "home-000003"
    assert provider["signingKey"] == key == provider["signingKeys"][1]
    assert provider["licensePool"] == pool == provider["licensePools"][2]
    assert len(provider["readings"]["readings"]) == 1
    assert provider["readings"]["cursor"]


async def test_a_query_may_come_with_get(clock: Clock) -> None:
    async with ProviderSimulation(clock=clock) as simulation:
        header = {"Authorization": authorization(simulation)}
        async with httpx.AsyncClient(trust_env=False, verify=False, headers=header) as client:
            response = await client.get(simulation.url, params={"query": "{ provider { name } }"})
            assert response.json() == {"data": {"provider": {"name": "Simulated Energy"}}}
            change = f'installationId: "{simulation.fleet.id(2)}", setTerm: {{period: 1, autoRenewal: true}}'
            query = f"mutation {{ updateLicense({change}) {{ status }} }}"
            mutation = await client.get(simulation.url, params={"query": query})
            assert mutation.status_code == 400
            assert "query" in mutation.json()["errors"][0]["message"]
            assert (await post(simulation, query)).json() == {"data": {"updateLicense": {"status": "active"}}}
            playground = await client.get(simulation.url)
            assert "text/html" in playground.headers["content-type"]


@pytest.mark.parametrize("size", [0, 1, 5, 23])
async def test_pages_have_every_installation_once(clock: Clock, size: int) -> None:
    async with ProviderSimulation(installations=size, clock=clock) as simulation:
        async with session(simulation) as opened:
            found, offset = [], 0
            while True:
                page = await ask(opened, INSTALLATIONS, pagination={"offset": offset, "limit": 5})
                found += page["provider"]["installations"]
                if len(page["provider"]["installations"]) < 5:
                    break
                offset += 5
            everything = await ask(opened, INSTALLATIONS)
        assert found == everything["provider"]["installations"]
        assert [item["id"] for item in found] == [simulation.fleet.id(index) for index in range(size)]


async def test_installations_of_every_kind(clock: Clock) -> None:
    async with ProviderSimulation(installations=40, clock=clock) as simulation, session(simulation) as opened:
        answer = await ask(opened, INSTALLATIONS)
    all_of_them = answer["provider"]["installations"]
    assert (all_of_them[NO_METER]["meters"], all_of_them[NO_METER]["currentMeter"]) == ([], None)
    assert (all_of_them[NO_DEVICE]["devices"], all_of_them[NO_DEVICE]["currentDevice"]) == ([], None)
    assert len({meter["number"] for meter in all_of_them[TWO_METERS]["meters"]}) == 2
    assert all_of_them[TWO_METERS]["currentMeter"] == all_of_them[TWO_METERS]["meters"][0]
    assert all_of_them[6]["currentDevice"] == all_of_them[6]["devices"][1]
    assert all_of_them[NO_LICENSE]["license"] is None
    states = [item["license"]["status"] for item in all_of_them if item["license"]]
    assert states[EXPIRED] == "expired"
    assert states[NOT_STARTED] == "inactive"
    assert states.count("active") == 37
    for item in all_of_them:
        for meter in item["meters"]:
            (time,) = {reading["time"] for reading in meter["latestReadings"]}
            assert unix(time) <= clock()


async def test_latest_readings_are_the_truth(clock: Clock) -> None:
    async with ProviderSimulation(installations=3, clock=clock) as simulation:
        for _ in range(3):
            async with session(simulation) as opened:
                answer = await ask(opened, INSTALLATIONS)
            for index, item in enumerate(answer["provider"]["installations"]):
                (meter,) = item["meters"]
                found = {reading["obisCode"]: reading for reading in meter["latestReadings"]}
                time = unix(found["1-0:1.8.0"]["time"])
                assert 0 <= clock() - time < 906
                assert found["1-0:1.8.0"]["value"] == simulation.energy_import_wh(index, 0, time)
                assert found["1-0:16.7.0"]["value"] == simulation.power_watts(index, 0, time)
                if index == 1:
                    assert found["1-0:2.8.0"]["value"] == simulation.energy_export_wh(index, 0, time)
            clock.now += 1_234


async def test_one_installation_by_either_id(clock: Clock) -> None:
    async with ProviderSimulation(installations=20, clock=clock) as simulation, session(simulation) as opened:
        for index in (0, 9, 19):
            found = await ask(opened, ONE, id=simulation.fleet.id(index).upper())
            assert found["provider"]["installation"]["id"] == simulation.fleet.id(index)
        found = await ask(opened, ONE, externalId="home-000020")
        assert found["provider"]["installation"] is None  # it has no external id
        found = await ask(opened, ONE, id="578936dc-8020-4022-a560-2f59d2dca9ee")
        assert found["provider"]["installation"] is None


async def test_codes_in_both_forms_and_the_way_back(clock: Clock) -> None:
    query = """{ provider { installation(externalId: "home-000001") {
      __typename
      currentMeter {
        installation { externalId }
        latestReadings { dec: obisCode hex: obisCode(format: hex) meter { number } }
      }
    } } }"""
    async with ProviderSimulation(installations=1, clock=clock) as simulation, session(simulation) as opened:
        answer = await ask(opened, query)
    found = answer["provider"]["installation"]
    number = simulation.fleet.meter(0).number
    assert found == {
        "__typename": "Installation",
        "currentMeter": {
            "installation": {"externalId": "home-000001"},
            "latestReadings": [
                {"dec": "1-0:1.8.0", "hex": "01-00:01.08.00*ff", "meter": {"number": number}},
                {"dec": "1-0:16.7.0", "hex": "01-00:10.07.00*ff", "meter": {"number": number}},
            ],
        },
    }


@pytest.mark.parametrize(
    ("query", "variables", "message"),
    [
        (ONE, {}, "installation requires either id or externalId"),
        (ONE, {"id": "abc"}, "is no UUID"),
        (INSTALLATIONS, {"pagination": {"limit": -1}}, "may not be negative"),
        (INSTALLATIONS, {"pagination": {"page": 1}}, "page"),
        ("{ provider { readings(limit: 101) { cursor } } }", {}, "limit must be from 1 to 100"),
        ("{ provider { readings(limit: 0) { cursor } } }", {}, "limit must be from 1 to 100"),
        ('{ provider { readings(cursor: "x") { cursor } } }', {}, "is not a cursor"),
        ('{ provider { readings(startTime: "today") { cursor } } }', {}, "is no RFC 3339 timestamp"),
        ("{ provider { weather } }", {}, "Cannot query field 'weather'"),
        ("{ provider {", {}, "Syntax Error"),
        ("subscription { readings { time } }", {}, "over a WebSocket"),
    ],
)
async def test_a_wrong_question_gets_an_error(
    clock: Clock, query: str, variables: dict[str, Any], message: str
) -> None:
    async with ProviderSimulation(clock=clock) as simulation:
        assert message in await error_of(simulation, query, **variables)


async def test_what_was_done_can_be_asked_for(clock: Clock) -> None:
    async with ProviderSimulation(clock=clock) as simulation:
        await post(simulation, "{ provider { readings(limit: 7) { cursor } } }")
        async with httpx.AsyncClient(trust_env=False, verify=False) as client:
            answer = (await client.get(simulation.url.removesuffix(PATH) + "/simulator")).json()
            assert (await client.get(simulation.url.removesuffix(PATH) + "/v2")).status_code == 404
    assert answer["sent"] == {"query": 7}
    assert answer["statuses"]["200"] >= 1
    assert 0 < answer["busy_seconds"] == simulation.busy_seconds < answer["cpu_seconds"]


async def test_a_cloud_that_was_down_comes_back_at_its_address(clock: Clock) -> None:
    simulation = ProviderSimulation(clock=clock)
    async with simulation:
        url = simulation.url
        await post(simulation, "{ provider { name } }")
    with pytest.raises(httpx.ConnectError):
        await post(simulation, "{ provider { name } }")
    async with simulation:
        assert simulation.url == url
        assert (await post(simulation, "{ provider { name } }")).status_code == 200


async def test_one_of_several_operations_is_chosen_by_its_name(clock: Clock) -> None:
    query = "query A { __typename } query B { kind: __typename provider { name } }"
    async with (
        ProviderSimulation(clock=clock) as simulation,
        httpx.AsyncClient(trust_env=False, verify=False) as client,
    ):
        found = [
            await client.post(
                simulation.url,
                json={"query": query, "operationName": name},
                headers={"Authorization": authorization(simulation)},
            )
            for name in ("A", "B", "C")
        ]
    assert found[0].json() == {"data": {"__typename": "Query"}}
    assert found[1].json() == {"data": {"kind": "Query", "provider": {"name": "Simulated Energy"}}}
    assert found[2].json()["errors"]


async def test_two_simulations_cannot_have_one_port(clock: Clock) -> None:
    async with ProviderSimulation(clock=clock) as simulation:
        with pytest.raises(StartError, match=f"port {simulation.port} of '127.0.0.1' cannot be listened on"):
            await ProviderSimulation(port=simulation.port).__aenter__()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"installations": -1}, "-1 installations cannot be"),
        ({"interval": 0}, "readings every 0 s cannot be"),
        ({"token": "a:b"}, "the token may have no colon"),
        ({"secret": ""}, "may not be empty"),
        ({"faults": ["fire"]}, "there is no fault 'fire'"),
    ],
)
def test_what_cannot_be_simulated_is_an_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ProviderSimulation(**options)
