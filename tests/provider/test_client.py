"""The client over real sockets: what it sends, what it makes of answers good and bad."""

import asyncio
import gzip
import json
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from iometer_exporter.errors import PROVIDER_REASONS, ProviderError
from iometer_exporter.provider.api import tls, transport
from iometer_exporter.provider.api.client import ProviderClient
from iometer_exporter.provider.api.models import LicensePool, LicenseTerm, RegistrationToken, SigningKey
from tests.provider.api import CREDENTIALS, Api, Handler, Request, always, answer, certificate, each, http_api
from tests.waiting import PATIENCE

ACCOUNT = {"provider": {"id": "p", "name": "Provider", "signingKeys": [], "licensePools": []}}
GOOD = answer({"data": ACCOUNT})


@asynccontextmanager
async def asked(handler: Handler, timeout: float = 5.0) -> AsyncIterator[tuple[ProviderClient, Api]]:
    async with http_api(handler) as api, ProviderClient(api.url, CREDENTIALS, timeout=timeout) as client:
        yield client, api


async def failure(handler: Handler, timeout: float = 5.0) -> ProviderError:
    async with asked(handler, timeout) as (client, _):
        with pytest.raises(ProviderError) as caught:
            await client.account()
    assert caught.value.reason in PROVIDER_REASONS
    assert "the-token" not in str(caught.value)
    assert "the-secret" not in str(caught.value)
    return caught.value


async def test_a_request_is_a_post_with_basic_authentication() -> None:
    async with asked(always(GOOD)) as (client, api):
        account = await client.account()
    assert (account.id, account.name, account.problems, account.errors) == ("p", "Provider", (), ())
    [request] = api.requests
    assert (request.method, request.path) == ("POST", "/v1/query")
    assert request.headers["authorization"] == "Basic dGhlLXRva2VuOnRoZS1zZWNyZXQ="
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"].startswith("iometer-exporter/")
    assert request.body["query"].strip().startswith("query Account {")


async def test_one_connection_is_kept_for_all_requests() -> None:
    async with asked(always(GOOD)) as (client, api):
        for _ in range(5):
            await client.account()
    assert (len(api.requests), api.connections) == (5, 1)


async def test_a_kept_connection_that_was_closed_costs_no_request() -> None:
    async with asked(each(GOOD, None, GOOD)) as (client, api):
        await client.account()
        await client.account()
    assert len(api.requests) == 3


async def test_a_mutation_is_never_sent_twice() -> None:
    async with asked(each(GOOD, None, GOOD)) as (client, api):
        await client.account()
        with pytest.raises(ProviderError) as caught:
            await client.update_license("i", end=datetime(2025, 1, 1, tzinfo=UTC))
    assert caught.value.reason == "protocol"
    assert len(api.requests) == 2


async def test_neither_proxies_nor_redirects_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with http_api(always(GOOD)) as other:
        redirect = answer(b"", status=302, headers=f"Location: {other.url}\r\n")
        error = await failure(always(redirect))
    assert (error.reason, other.requests) == ("http_status", [])
    assert str(error) == "the provider API answered 302, a redirect: not followed"


@pytest.mark.parametrize("status", [401, 403])
async def test_wrong_credentials_name_where_to_look(status: int) -> None:
    error = await failure(always(answer({"errors": [{"message": "no"}]}, status=status)))
    assert error.reason == "unauthorized"
    assert str(error) == (
        f"the provider API does not accept the credentials (status {status}); "
        "check the token of /run/token and the secret of /run/secret"
    )


async def test_an_error_of_graphql_that_means_wrong_credentials_is_one() -> None:
    errors = [{"message": "who are you?", "extensions": {"code": "UNAUTHENTICATED"}}]
    error = await failure(always(answer({"data": None, "errors": errors})))
    assert error.reason == "unauthorized"
    assert "the secret of /run/secret" in str(error)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", None),
        ("Retry-After: 7\r\n", 7.0),
        ("Retry-After: 99999999999999999999\r\n", 86400.0),
        ("Retry-After: soon\r\n", None),
        ("Retry-After: -3\r\n", None),
        ("Retry-After: Thu, 01 Jan 1970 00:00:00 GMT\r\n", 0.0),
    ],
)
async def test_too_many_requests_say_when_to_come_back(header: str, seconds: float | None) -> None:
    error = await failure(always(answer(b"slow down", status=429, headers=header)))
    assert (error.reason, error.retry_after) == ("rate_limited", seconds)


async def test_retry_after_may_be_a_date() -> None:
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    error = await failure(always(answer(b"", status=503, headers=f"Retry-After: {moment}\r\n")))
    assert error.reason == "http_status"
    assert error.retry_after == pytest.approx(30, abs=2)


@pytest.mark.parametrize(
    ("data", "reason", "text"),
    [
        (answer(b"no", status=500), "http_status", "answered status 500"),
        (answer({"errors": [{"message": "x"}]}, status=502), "http_status", "answered status 502"),
        (answer(b"<html>", status=404), "http_status", "answered status 404"),
        (answer(b"<html>", status=400), "http_status", "answered status 400"),
        (answer({"hm": 1}, status=418), "http_status", "answered status 418"),
        (answer(b"<html>"), "invalid_json", "sent a body that is not JSON at byte 0"),
        (answer(b""), "invalid_json", "sent a body that is not JSON at byte 0"),
        (answer(b'{"data": NaN}'), "invalid_json", "sent a body that is not JSON"),
        (answer(b"\xff\xfe{"), "invalid_json", "sent a body that is not JSON"),
        (answer(b"[" * 100_000), "invalid_json", "sent JSON that is nested too deeply"),
        (answer([]), "invalid_document", "sent JSON that is not an answer to a GraphQL request"),
        (answer(None), "invalid_document", "sent JSON that is not an answer to a GraphQL request"),
        (answer(7), "invalid_document", "sent JSON that is not an answer to a GraphQL request"),
        (answer({}), "invalid_document", "sent what is not an answer to a GraphQL request"),
        (answer({"data": None}), "invalid_document", "sent an answer without data"),
        (answer({"data": []}), "invalid_document", "sent an answer without data"),
        (answer({"data": {}}), "invalid_document", "sent an answer without provider"),
        (answer({"data": {"provider": 5}}), "invalid_document", "sent an answer without provider"),
        (answer({"errors": []}), "invalid_document", "sent an answer without data"),
        (answer({"errors": 5}), "graphql", "refused the request: an error without a list"),
        (answer({"errors": [5]}), "graphql", "refused the request: an error without a message"),
        (
            answer({"errors": [{"message": "no\x1b field", "path": ["a", 0, "b"]}]}, status=422),
            "graphql",
            "refused the request: no\N{REPLACEMENT CHARACTER} field (a.b)",
        ),
        (
            answer({"data": {"provider": None}, "errors": [{"message": "m" * 1000}]}),
            "graphql",
            f"gave no provider: {'m' * 120}",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "timeout", "did not answer in time"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "protocol", None),
        (
            answer(b"x", headers="Content-Encoding: br\r\n"),
            "protocol",
            "sent a body in an encoding that was not asked for",
        ),
        (
            answer(b"not gzip", headers="Content-Encoding: gzip\r\n"),
            "protocol",
            "sent a body that does not decompress",
        ),
    ],
)
async def test_a_bad_answer_has_a_reason_and_one_sentence(data: bytes, reason: str, text: str | None) -> None:
    error = await failure(always(data), timeout=0.5)
    assert error.reason == reason
    assert text is None or str(error) == f"the provider API {text}"
    assert "\n" not in str(error)
    assert len(str(error)) < 300


async def test_an_api_that_is_not_there() -> None:
    for url, reason, text in (
        ("http://127.0.0.1:1/", "connect", "cannot be reached: Connection refused"),
        ("http://nowhere.invalid/", "resolve", "has a host name that does not resolve"),
        (f"http://{'a' * 70}.invalid/", "resolve", "has a host name that does not resolve"),
        ("http://a..invalid/", "resolve", "has a host name that does not resolve"),
        ("http://xn--\N{SNOWMAN}.invalid/", "resolve", "has a host name that does not resolve"),
    ):
        async with ProviderClient(url, CREDENTIALS) as client:
            with pytest.raises(ProviderError) as caught:
                await client.account()
            with pytest.raises(ProviderError) as socket_caught:
                await anext(client.subscribe(None))
        for error in (caught.value, socket_caught.value):
            assert (error.reason, error.what_happened) == (reason, text)


async def test_certificates_are_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, authority = certificate()
    async with http_api(always(GOOD), context) as api:
        async with ProviderClient(api.url, CREDENTIALS) as client:
            with pytest.raises(ProviderError) as caught:
                await client.account()
        assert (caught.value.reason, api.requests) == ("connect", [])
        assert "has no TLS that can be trusted: " in str(caught.value)
        assert "certificate" in str(caught.value)
        (tmp_path / "authority.pem").write_bytes(authority)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
        async with ProviderClient(api.url, CREDENTIALS) as client:
            assert (await client.account()).id == "p"


async def test_an_api_that_does_not_speak_tls() -> None:
    async def garbage(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH\r\n")
        writer.close()

    server = await asyncio.start_server(garbage, "127.0.0.1", 0)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with server, ProviderClient(url, CREDENTIALS) as client:
        with pytest.raises(ProviderError) as caught:
            await client.account()
    assert caught.value.reason == "connect"
    assert "TLS" in str(caught.value)


async def test_the_timeout_is_that_of_the_whole_request() -> None:
    async def trickle(_request: Request) -> bytes:
        await asyncio.sleep(2 * PATIENCE)
        return GOOD

    async with asyncio.timeout(PATIENCE):
        error = await failure(trickle, timeout=0.2)
    assert error.reason == "timeout"


async def test_answers_are_taken_compressed_and_numbers_exactly() -> None:
    body = json.dumps({"data": ACCOUNT}).encode()
    zipped = answer(gzip.compress(body), headers="Content-Encoding: gzip\r\n")
    async with asked(always(zipped)) as (client, api):
        assert (await client.account()).id == "p"
    assert api.requests[0].headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize("zipped", [False, True])
async def test_an_answer_has_a_limit(monkeypatch: pytest.MonkeyPatch, zipped: bool) -> None:
    monkeypatch.setattr(transport, "LARGEST_BODY_BYTES", 1000)
    body = json.dumps({"data": ACCOUNT, "padding": "x" * 1_000_000}).encode()
    data = answer(gzip.compress(body), headers="Content-Encoding: gzip\r\n") if zipped else answer(body)
    error = await failure(always(data))
    assert (error.reason, error.what_happened) == ("too_large", "sent a body of more than 1000 bytes")


async def test_errors_beside_data_leave_the_data() -> None:
    errors = [{"message": "pools are ill", "path": ["provider", "licensePools"]}]
    document = {"provider": ACCOUNT["provider"] | {"licensePools": None}}
    async with asked(always(answer({"data": document, "errors": errors}))) as (client, _):
        account = await client.account()
    assert account.id == "p"
    assert account.errors == ("pools are ill (provider.licensePools)",)
    assert account.problems == ("licensePools is missing, expected a list",)


async def test_a_number_keeps_its_digits() -> None:
    value = '{"time":"2024-12-31T12:00:00Z","obisCode":"1-0:1.8.0","value":%s,"unit":"Wh"}'
    meter = '{"id":"m","number":"1EMH","latestReadings":[%s]}'
    found = '{"id":"i","meters":[%s],"devices":[],"currentMeter":{"id":"m"}}'
    body = '{"data":{"provider":{"installation":%s}}}'
    for text in ("12345.678", "0.1", "12345678.123456789012345678", "1e3", "7", "9007199254740993"):
        data = answer((body % (found % (meter % (value % text)))).encode())
        async with asked(always(data)) as (client, _):
            installation = await client.installation(id="i")
        assert installation is not None
        assert installation.problems == ()
        assert installation.current_meter is not None
        assert installation.current_meter.latest is not None
        [register] = installation.current_meter.latest.registers.values()
        assert register.value == Decimal(text)


async def test_each_method_sends_its_variables() -> None:
    async def handler(request: Request) -> bytes:
        nothing: dict[str, Any] = {"id": "p", "name": "n", "installations": []}
        readings: dict[str, Any] = {"readings": [], "cursor": None}
        return answer({"data": {"provider": nothing | {"readings": readings}}})

    start = datetime(2024, 12, 31, 13, 30, 15, 999_999, tzinfo=UTC) + timedelta(0)
    async with asked(handler) as (client, api):
        assert (await client.installations(200, 100)).size == 0
        assert await client.installation(external_id="e") is None
        assert await client.installation(id="i") is None
        assert await client.signing_key("k") is None
        assert await client.license_pool("l") is None
        assert (await client.readings()).cursor is None
        assert (await client.readings(start=start, limit=5, cursor="c")).readings == ()
    assert [request.body["variables"] for request in api.requests] == [
        {"pagination": {"offset": 200, "limit": 100}},
        {"externalId": "e"},
        {"id": "i"},
        {"id": "k"},
        {"id": "l"},
        {"limit": 100},
        {"startTime": "2024-12-31T13:30:15Z", "limit": 5, "cursor": "c"},
    ]


async def test_mutations() -> None:
    token = {"installationId": "i", "token": "t" * 900, "qrCode": "/qr", "deeplink": "iometer://x"}
    license_ = {
        "pool": {"id": "l", "name": None, "size": 10, "usage": 3, "term": None},
        "term": {"period": 12, "autoRenewal": True},
        "startTime": "2024-01-01T00:00:00Z",
        "endTime": "2025-01-01T00:00:00+01:00",
        "status": "active",
    }
    data = answer({"data": {"createRegistrationToken": token, "updateLicense": license_}})
    async with asked(always(data)) as (client, api):
        made = await client.create_registration_token(
            external_id="e", signing_key_id="k", pool_id="l", start=date(2025, 2, 1)
        )
        await client.create_registration_token(
            external_id="e", signing_key_id="k", pool_id="l", start=date(2025, 2, 1), installation_id="i"
        )
        term = await client.update_license("i", term=LicenseTerm(12, True))
        await client.update_license("i", end=datetime(2025, 1, 1, tzinfo=UTC))
    assert made == RegistrationToken("i", "t" * 900, "/qr", "iometer://x")
    assert term.pool == LicensePool("l", "", 10, 3, None)
    assert term.term == LicenseTerm(12, True)
    assert term.end == datetime(2024, 12, 31, 23, tzinfo=UTC)
    create = {"externalId": "e", "signingKeyId": "k", "license": {"poolId": "l", "startDate": "2025-02-01"}}
    assert [request.body["variables"] for request in api.requests] == [
        create,
        create | {"installationId": "i"},
        {"installationId": "i", "setTerm": {"period": 12, "autoRenewal": True}},
        {"installationId": "i", "setEndTime": {"endTime": "2025-01-01T00:00:00Z"}},
    ]


async def test_a_single_object_and_what_is_wrong_with_it() -> None:
    async with asked(always(answer({"data": {"provider": {"signingKey": {"id": "k", "enabled": 1}}}}))) as (
        c,
        _,
    ):
        assert await c.signing_key("k") == SigningKey("k", "", None)
    for item, errors, reason, text in (
        (
            {"name": "x"},
            None,
            "invalid_document",
            "sent a bad provider.signingKey: id is missing, expected a text",
        ),
        ("x", None, "invalid_document", "sent a bad provider.signingKey: it is not an object"),
        (None, [{"message": "ill"}], "graphql", "gave no provider.signingKey: ill"),
    ):
        document = {"data": {"provider": {"signingKey": item}}, "errors": errors}
        async with asked(always(answer(document))) as (client, _):
            with pytest.raises(ProviderError) as caught:
                await client.signing_key("k")
        assert (caught.value.reason, caught.value.what_happened) == (reason, text)


async def test_readings_without_an_object() -> None:
    document = {"data": {"provider": {"readings": None}}, "errors": [{"message": "ill"}]}
    async with asked(always(answer(document))) as (client, _):
        with pytest.raises(ProviderError, match=r"gave no provider.readings: ill"):
            await client.readings()


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (None, "sent an answer without createRegistrationToken"),
        ({"installationId": "i"}, "sent a bad createRegistrationToken: token is missing, expected a text"),
    ],
)
async def test_an_answer_without_a_token(made: object, text: str) -> None:
    async with asked(always(answer({"data": {"createRegistrationToken": made}}))) as (client, _):
        with pytest.raises(ProviderError) as caught:
            await client.create_registration_token(
                external_id="e", signing_key_id="k", pool_id="l", start=date(2025, 2, 1)
            )
    assert (caught.value.reason, caught.value.what_happened) == ("invalid_document", text)


@pytest.mark.parametrize("beyond", ["1e99999999999999999999", "9" * 5000], ids=["exponent", "digits"])
async def test_a_number_beyond_any_is_a_problem_of_its_own(beyond: str) -> None:
    value = {"obisCode": "1-0:1.8.0", "time": "2024-12-31T12:00:00Z", "value": 1, "unit": "Wh"}
    found: dict[str, object] = {"id": "i", "meters": [{"id": "m", "number": "M", "latestReadings": [value]}]}
    found["devices"] = [{"id": "d", "bridge": {}, "core": {"batteryLevel": 57}}]
    body = json.dumps({"data": {"provider": {"installation": found}}})
    data = answer(body.replace('"value": 1', f'"value": {beyond}').encode())
    async with asked(always(data)) as (client, _):
        installation = await client.installation(id="i")
    assert installation is not None
    assert any("larger than any number" in problem for problem in installation.problems)
    assert installation.devices[0].battery_ratio == 0.57


async def test_a_token_that_is_refused() -> None:
    document = {
        "data": None,
        "errors": [{"message": "the pool is empty", "path": ["createRegistrationToken"]}],
    }
    async with asked(always(answer(document))) as (client, _):
        with pytest.raises(ProviderError, match="refused the request: the pool is empty"):
            await client.create_registration_token(
                external_id="e", signing_key_id="k", pool_id="l", start=date(2025, 2, 1)
            )


async def test_nothing_secret_is_logged_at_any_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("httpx").setLevel(logging.DEBUG)
    async with asked(each(GOOD, answer(b"", status=401), answer(b"{", status=200))) as (client, _):
        await client.account()
        for _ in range(2):
            with pytest.raises(ProviderError):
                await client.account()
    assert "the-token" not in caplog.text
    assert "the-secret" not in caplog.text
    assert CREDENTIALS.authorization.removeprefix("Basic ") not in caplog.text


def test_certificates_are_those_of_the_system_or_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    assert tls.tls_context().cert_store_stats()["x509_ca"] > 50
    monkeypatch.setenv("SSL_CERT_FILE", os.devnull)
    assert tls.tls_context().cert_store_stats()["x509_ca"] == 0
