"""The `provider` commands that change something, against the simulated cloud."""

import json
import re
from typing import Any

import click
import pytest
import segno

from iometer_exporter.cli.provider import token as provider_token
from iometer_exporter.errors import IOmeterError
from iometer_exporter.provider.api.models import LicensePool, SigningKey
from tests.provider.cloud import Cloud, cloud_of


def test_a_token_is_printed_with_its_qr_code(cloud: Cloud) -> None:
    text = cloud.good("token", "create", "--external-id", "customer-1", "--pool", "Household")
    link = re.search(r"^  deep link  (\S+)$", text, re.MULTILINE)
    assert link is not None
    blocks = [line for line in text.splitlines() if line and set(line) <= set("█▀▄ ")]
    width, _ = segno.make(link[1], error="l", micro=False).symbol_size()
    assert len(blocks) == -(-width // 2)
    assert re.search(r"^  QR code    http://127.0.0.1:\d+/", text, re.MULTILINE)


def test_a_token_for_programs(cloud: Cloud) -> None:
    words = ["token", "create", "--external-id", "customer-1", "--pool", "Household", "--json"]
    made = json.loads(cloud.good(*words, "--start-date", "2030-01-31", "--signing-key", "default"))
    assert set(made) == {"installation_id", "external_id", "token", "deeplink", "qr_code"}
    assert made["external_id"] == "customer-1"
    wanted = "12345678-1234-4234-8234-123456789abc"
    assert json.loads(cloud.good(*words, "--installation-id", wanted))["installation_id"] == wanted


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["--external-id", "x"], 2, "there are several pools, name one of Household ("),
        (["--external-id", "x", "--pool", "Hous"], 2, "no pools are called 'Hous', name one of Household ("),
        (
            ["--external-id", "x", "--pool", "Trial", "--signing-key", "y"],
            2,
            "no signing keys are called 'y'",
        ),
        (["--external-id", "x", "--pool", "Trial", "--signing-key", "former"], 1, "is disabled"),
        (["--external-id", " ", "--pool", "Trial"], 2, "it is empty, write your name for the installation"),
        (
            ["--external-id", "x", "--start-date", "soon"],
            2,
            "'soon' is not a date, write one such as 2025-01-31",
        ),
        (["--pool", "Trial"], 2, "Missing option '--external-id'"),
        (
            ["--external-id", "x", "--pool", "Trial", "--installation-id", "no-uuid"],
            1,
            "the provider API refused the request: ",
        ),
    ],
)
def test_a_token_that_cannot_be_made(cloud: Cloud, words: list[str], code: int, text: str) -> None:
    result = cloud.run("token", "create", *words)
    assert result.exit_code == code
    assert text in (str(result.exception) if code == 1 else result.stderr)


def license_of(cloud: Cloud, name: str) -> dict[str, Any]:
    [found] = json.loads(cloud.good("installations", name, "--json"))
    license_: dict[str, Any] = found["license"]
    return license_


def test_the_term_of_a_license(cloud: Cloud) -> None:
    before = license_of(cloud, "home-000001")
    result = cloud.run("license", "set-term", "home-000001", "--months", "30", given="n\n")
    assert result.exit_code == 1
    assert result.stderr.endswith("Nothing was changed.\n")
    assert re.search(
        r"term +12 months, renews itself +30 months, renews itself$", result.stdout, re.MULTILINE
    )
    assert license_of(cloud, "home-000001") == before
    words = ["license", "set-term", "home-000001", "--months", "30", "--no-auto-renewal"]
    text = cloud.good(*words, given="y\n")
    assert "\nChanged.\n" in text
    after = license_of(cloud, "home-000001")
    assert (after["months"], after["auto_renewal"]) == (30, False)
    assert after["start"] == before["start"]
    assert after["end"] > before["end"]


def test_the_end_of_a_license(cloud: Cloud) -> None:
    [one] = json.loads(cloud.good("installations", "home-000002", "--json"))
    text = cloud.good("license", "set-end", one["id"], "2031-06-30T12:00:00+02:00", "--yes")
    assert re.search(r"end .* 2031-06-30 10:00:00 UTC$", text, re.MULTILINE)
    after = license_of(cloud, "home-000002")
    assert (after["end"], after["months"]) == ("2031-06-30T10:00:00+00:00", None)
    cloud.good("license", "set-end", one["id"], "2032-01-01", "--yes")
    assert license_of(cloud, "home-000002")["end"] == "2032-01-01T00:00:00+00:00"


def test_nobody_to_ask_is_told_of_yes(cloud: Cloud) -> None:
    result = cloud.run("license", "set-term", "home-000005", "--months", "6", given="")
    assert result.exit_code == 1
    assert str(result.exception) == "nobody answers here, nothing was changed: give --yes to do without"


def test_an_answer_that_does_not_come_changes_nothing(cloud: Cloud) -> None:
    before = license_of(cloud, "home-000001")
    result = cloud.run("license", "set-end", "home-000001", "2031-01-01", given="")
    assert result.exit_code == 1
    assert license_of(cloud, "home-000001") == before


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (
            ["set-end", "nobody", "2031-01-01"],
            1,
            "there is no installation with the external id or id 'nobody'",
        ),
        (
            ["set-end", "home-000001", "soon"],
            2,
            "'soon' is not a time, write one such as 2025-12-31T23:00:00Z",
        ),
        (["set-end", "home-000001"], 2, "Missing argument 'TIME'"),
        (["set-term", "home-000001"], 2, "Missing option '--months'"),
        (["set-term", "home-000001", "--months", "0"], 2, "0 is not in the range 1<=x<=1200"),
    ],
)
def test_a_license_that_cannot_be_changed(cloud: Cloud, words: list[str], code: int, text: str) -> None:
    result = cloud.run("license", *words)
    assert result.exit_code == code
    assert text in (str(result.exception) if code == 1 else result.stderr)


def test_an_installation_without_a_license() -> None:
    with cloud_of(installations=60) as cloud:
        without = [
            each["id"]
            for each in json.loads(cloud.good("installations", "--json"))
            if each["license"] is None
        ]
        result = cloud.run("license", "set-end", without[0], "2031-01-01", "--yes")
        assert result.exit_code == 1
        assert "has no license that could be changed" in str(result.exception)


def test_a_deep_link_that_no_qr_code_can_hold() -> None:
    assert provider_token._qr_code("x" * 5000) == "The deep link is too long for a QR code."


def test_keys_and_pools_that_leave_no_choice() -> None:
    disabled = SigningKey("k1", "old", False)
    keys = [
        disabled,
        SigningKey("k2", "", None),
        SigningKey("k3", "new", True),
        SigningKey("k4", "new", True),
    ]
    assert provider_token._select_key(keys, None).id == "k3"
    assert provider_token._select_key(keys, "k4").id == "k4"
    with pytest.raises(click.BadParameter, match="2 signing keys are called 'new', name one of old \\(k1\\)"):
        provider_token._select_key(keys, "new")
    with pytest.raises(IOmeterError, match="has no enabled signing key"):
        provider_token._select_key([disabled], None)
    pool = LicensePool("l1", "", 1, 0, None)
    assert provider_token._select_pool([pool], None) is pool
    with pytest.raises(IOmeterError, match="has no license pool"):
        provider_token._select_pool([], None)
