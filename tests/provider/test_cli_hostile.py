"""Every command against an API whose texts are made for the terminal of whoever reads them."""

import asyncio
import json
import threading
import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from iometer_exporter.cli import cli
from tests.provider.api import Request, answer, http_api
from tests.provider.cloud import ENVIRONMENT

EVIL = "\x1b]0;pwned\x07\r\n\x9b2J\u2028\ud800end"


def text(name: str) -> str:
    return f"{name}{EVIL}"


def registers() -> list[dict[str, Any]]:
    return [
        {"time": "2024-12-31T12:00:00Z", "obisCode": "1-0:1.8.0", "value": 7, "unit": text("Wh")},
        {"time": text("2024"), "obisCode": text("1-0"), "value": text("7"), "unit": "Wh"},
    ]


def document(request: Request) -> dict[str, Any]:
    """The answer to anything, hostile wherever there is a text."""
    pool = {"id": text("pool"), "name": text("main"), "size": 5, "usage": 1, "term": None}
    device = {
        "id": text("device"),
        "bridge": {"connectionStatus": text("connected")},
        "core": {
            "connectionStatus": text("connected"),
            "attachmentStatus": text("attached"),
            "batteryLevel": 80,
            "powerStatus": text("battery"),
            "pinStatus": text("entered"),
        },
        "localHttpPushStatus": text("enabled"),
    }
    license_ = {
        "pool": pool,
        "term": {"period": 12, "autoRenewal": True},
        "startTime": "2024-01-01T00:00:00Z",
        "endTime": None,
        "status": text("active"),
    }
    installation = {
        "id": text("i1"),
        "externalId": text("customer"),
        "license": license_,
        "meters": [{"id": text("m1"), "number": text("M1"), "latestReadings": registers()}],
        "currentMeter": {"id": text("m1")},
        "devices": [device, {"id": 5}],
        "currentDevice": {"id": text("device")},
    }
    offset = request.body["variables"].get("pagination", {}).get("offset", 0)
    provider = {
        "id": text("p"),
        "name": text("Provider"),
        "signingKeys": [{"id": text("key"), "name": text("default"), "enabled": True}],
        "licensePools": [pool],
        "installations": [] if offset else [installation],
        "installation": installation,
        "readings": {"readings": [], "cursor": None},
    }
    token = {
        "installationId": text("i1"),
        "token": text("token"),
        "qrCode": text("http://[/qr"),
        "deeplink": text("iometer://open"),
    }
    errors = [{"message": text("ill"), "path": [text("provider"), 0]}]
    data = {"provider": provider, "createRegistrationToken": token, "updateLicense": license_}
    # Beside an empty page they would mean that it is not the end.
    return {"data": data, "errors": [] if offset else errors}


@pytest.fixture
def url() -> Iterator[str]:
    async def handler(request: Request) -> bytes:
        return answer(document(request))

    loop = asyncio.new_event_loop()
    stop, ready, found = asyncio.Event(), threading.Event(), []

    async def serve() -> None:
        async with http_api(handler) as api:
            found.append(api.url)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(30)
    yield found[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()


COMMANDS = [
    ["status"],
    ["installations"],
    ["installations", "customer"],
    ["license", "set-term", "x", "--months", "3", "--yes"],
    ["license", "set-end", "x", "2030-01-01", "--yes"],
    ["token", "create", "--external-id", "mine"],
    ["token", "create", "--external-id", "mine", "--pool", "none such"],
    ["token", "create", "--external-id", "mine", "--signing-key", "none such"],
]


def run(url: str, *words: str) -> Result:
    command = ["provider", *words, "--provider.url", url]
    result = CliRunner().invoke(cli, command, prog_name="iometer-exporter", env=ENVIRONMENT)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_text_of_the_api_reaches_the_terminal_as_it_is(url: str, command: list[str]) -> None:
    result = run(url, *command)
    shown = result.stdout + result.stderr
    assert "pwned" in shown
    odd = {character for character in shown if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")}
    assert odd <= {"\n"}


@pytest.mark.parametrize(
    "command", [["status"], ["installations"], ["token", "create", "--external-id", "x"]]
)
def test_json_says_it_escaped(url: str, command: list[str]) -> None:
    result = run(url, *command, "--json")
    assert json.loads(result.stdout)
    assert all(character == "\n" or character.isprintable() for character in result.stdout)
