"""Registration tokens and licenses, and what changes them."""

import httpx
import pytest
from gql.transport.exceptions import TransportQueryError

from iometer_exporter.simulator.cloud import ProviderSimulation
from iometer_exporter.simulator.cloud.fleet import NO_LICENSE
from iometer_exporter.simulator.cloud.gate import PATH
from tests.simulator.conftest import Clock
from tests.simulator.provider_client import ONE, ask, error_of, session, stamp, unix

CREATE = """
mutation CreateRegistrationToken(
  $installationId: Uuid, $externalId: String!, $signingKeyId: Uuid!, $license: LicenseInput!
) {
  createRegistrationToken(
    installationId: $installationId, externalId: $externalId, signingKeyId: $signingKeyId, license: $license
  ) { installationId token qrCode deeplink }
}
"""

UPDATE = """
mutation UpdateLicense($installationId: Uuid!, $setTerm: SetLicenseTerm, $setEndTime: SetLicenseEndTime) {
  updateLicense(installationId: $installationId, setTerm: $setTerm, setEndTime: $setEndTime) {
    ...LicenseFragment
  }
}
fragment LicenseTermFragment on LicenseTerm { period autoRenewal }
fragment LicensePoolFragment on LicensePool { id name size usage term { ...LicenseTermFragment } }
fragment LicenseFragment on License {
  pool { ...LicensePoolFragment } term { ...LicenseTermFragment } startTime endTime status
}
"""


async def test_a_registration_token_for_a_new_customer_takes_a_license(clock: Clock) -> None:
    async with ProviderSimulation(clock=clock) as simulation, session(simulation) as opened:
        key, pool = simulation.cloud.licenses.keys[0]["id"], simulation.cloud.licenses.pools[0]
        license = {"poolId": pool["id"], "startDate": "2026-02-01"}
        used = pool["usage"]
        found = [
            (await ask(opened, CREATE, externalId=name, signingKeyId=key, license=license))[
                "createRegistrationToken"
            ]
            for name in ("anna", "bert", "home-000002")
        ]
        assert pool["usage"] == used + 2
        assert len({item["installationId"] for item in found}) == 3
        assert found[2]["installationId"] == simulation.fleet.id(1)
        given = await ask(
            opened,
            CREATE,
            externalId="carl",
            signingKeyId=key,
            license=license,
            installationId="578936dc-8020-4022-a560-2f59d2dca9ee",
        )
        assert given["createRegistrationToken"]["installationId"] == "578936dc-8020-4022-a560-2f59d2dca9ee"
        for item in found:
            assert item["token"].count(".") == 2
            assert item["deeplink"].endswith(item["token"])
        async with httpx.AsyncClient(trust_env=False, verify=False) as client:
            picture = await client.get(simulation.url.removesuffix(PATH) + found[0]["qrCode"])
        assert picture.headers["content-type"].startswith("image/svg+xml")


async def test_a_token_that_cannot_be(clock: Clock) -> None:
    async with ProviderSimulation(clock=clock) as simulation:
        keys, pools = simulation.cloud.licenses.keys, simulation.cloud.licenses.pools
        good = {"poolId": pools[0]["id"], "startDate": "2026-02-01"}
        bad = good | {"poolId": keys[0]["id"]}
        for key, license, message in (
            (keys[1]["id"], good, "no such signing key that is enabled"),
            (pools[0]["id"], good, "no such signing key that is enabled"),
            (keys[0]["id"], bad, "no such license pool"),
            (keys[0]["id"], good | {"startDate": "soon"}, "is no RFC 3339 date"),
        ):
            assert message in await error_of(
                simulation, CREATE, externalId="a", signingKeyId=key, license=license
            )
        pools[0]["usage"] = pools[0]["size"]
        assert "used up" in await error_of(
            simulation, CREATE, externalId="a", signingKeyId=keys[0]["id"], license=good
        )


async def test_a_license_gets_a_new_term_and_then_a_hard_end(clock: Clock) -> None:
    async with ProviderSimulation(clock=clock) as simulation, session(simulation) as opened:
        id = simulation.fleet.id(2)
        before = (await ask(opened, ONE, id=id))["provider"]["installation"]["license"]
        assert (before["term"], before["endTime"]) == (None, None)

        term = {"period": 240, "autoRenewal": False}
        after = (await ask(opened, UPDATE, installationId=id, setTerm=term))["updateLicense"]
        assert after["term"] == term
        start, end = before["startTime"], after["endTime"]
        assert (int(end[:4]) - int(start[:4]), end[4:]) == (20, start[4:])
        assert after["status"] == "active"

        end = stamp(clock() - 5)
        after = (await ask(opened, UPDATE, installationId=id, setEndTime={"endTime": end}))["updateLicense"]
        assert after == before | {"term": None, "endTime": end, "status": "expired"}
        assert (await ask(opened, ONE, id=id))["provider"]["installation"]["license"] == after


async def test_an_update_that_cannot_be(clock: Clock) -> None:
    async with ProviderSimulation(clock=clock) as simulation, session(simulation) as opened:
        term, end = {"period": 1, "autoRenewal": True}, {"endTime": stamp(clock())}
        id, without = simulation.fleet.id(2), simulation.fleet.id(NO_LICENSE)
        for variables, message in (
            ({"installationId": id}, "either setTerm or setEndTime"),
            ({"installationId": id, "setTerm": term, "setEndTime": end}, "either setTerm or setEndTime"),
            ({"installationId": id, "setTerm": term | {"period": 0}}, "from 1 to 1200 months"),
            ({"installationId": without, "setTerm": term}, "no such installation"),
        ):
            with pytest.raises(TransportQueryError, match=message):
                await ask(opened, UPDATE, **variables)


async def test_a_license_that_renews_itself_does_not_expire(clock: Clock) -> None:
    async with ProviderSimulation(clock=clock) as simulation, session(simulation) as opened:
        ends = set()
        for _ in range(4):
            answer = await ask(opened, ONE, id=simulation.fleet.id(0))
            license = answer["provider"]["installation"]["license"]
            assert license["status"] == "active"
            assert unix(license["endTime"]) > clock()
            ends.add(license["endTime"])
            clock.now += 366 * 86_400
        assert len(ends) == 4
