"""What the dashboard of a provider says, against what its simulated cloud knows."""

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest

from grafana.german import GERMAN
from grafana.histories.plan import END, PROVIDER, local
from grafana.histories.provider import ENDING_DAYS, INSTALLATIONS, SHARDS, cloud_at
from grafana.query import interpolate
from grafana.query.source import Series
from grafana.texts import LANGUAGES
from iometer_exporter.simulator.cloud.cloud import Cloud
from tests.grafana import boards
from tests.grafana.harness import faults
from tests.grafana.judge import VERSIONS, Field, Verdict
from tests.grafana.judged import Judged, Place
from tests.grafana.pasts import Past
from tests.grafana.values import answer, single

pytestmark = pytest.mark.end_to_end

UID: Final = "iometer-provider"
RED, ORANGE, YELLOW, GREEN = "#F2495C", "#FF9830", "#FADE2A", "#73BF69"
SILENT_SECONDS, ENDING_SECONDS = 3600, 14 * 86_400


@pytest.fixture(scope="module")
def cloud() -> Cloud:
    """The cloud of the history at its end."""
    now = PROVIDER.begin
    cloud = cloud_at(PROVIDER, lambda: now)
    now = END
    return cloud


def test_every_panel_has_data(fleet_past: Past) -> None:
    assert faults(fleet_past.source, PROVIDER, UID) == {}


def test_every_panel_has_data_for_chosen_exporters(fleet_past: Past) -> None:
    """Chosen values are written into an expression in another way than All."""
    chosen = {"job": ["iometer"], "instance": ["shard-1:10180", "shard-2:10180"]}
    assert faults(fleet_past.source, PROVIDER, UID, chosen) == {}


def test_every_variable_offers_what_is_there(fleet_past: Past) -> None:
    board = boards.boards()[UID]
    context = boards.context(board, END, PROVIDER.interval)
    offered = {
        item["name"]: sorted(boards.variable_values(item, context, fleet_past.source))
        for item in board["templating"]["list"]
        if item["type"] == "query"
    }
    shards = [f"shard-{number}:10180" for number in range(1, SHARDS + 1)]
    assert offered == {"job": ["iometer"], "instance": shards}


def device(cloud: Cloud, index: int) -> dict[str, Any] | None:
    """The states of the core of the device in use, and of its bridge and its push."""
    devices = cloud.fleet.devices(index)
    if not devices:
        return None
    last = devices[-1]
    core: dict[str, Any] = last["core"]
    return core | {"bridge": last["bridge"]["connectionStatus"], "push": last["localHttpPushStatus"]}


def silence(cloud: Cloud, index: int) -> float | None:
    """Seconds since the newest reading of an installation."""
    latest = [cloud.arrivals.latest(index, place, END) for place in range(cloud.fleet.meter_count(index))]
    return END - max(latest) if latest else None


def ending(cloud: Cloud, index: int) -> int | None:
    """When the license of an installation ends for good, if it has not ended yet."""
    terms = cloud.licenses.of(index, END)
    if terms is None or (terms["term"] or {}).get("autoRenewal"):
        return None
    end = cloud.licenses._terms(index).end_at(END)
    return end if end is not None and end > END else None


def problems(cloud: Cloud, index: int) -> Iterator[str]:
    """What is wrong with an installation, the worst first."""
    core, silent, end = device(cloud, index), silence(cloud, index), ending(cloud, index)
    terms = cloud.licenses.of(index, END)
    on_battery = core is not None and core["powerStatus"] == "battery"
    level = float(core["batteryLevel"]) if core and on_battery else 100.0
    yield from (
        words
        for words, is_so in (
            ("Silent", silent is not None and silent > SILENT_SECONDS),
            ("Bridge offline", core and core["bridge"] == "disconnected"),
            ("Core out of reach", core and core["connectionStatus"] == "disconnected"),
            ("Core off the meter", core and core["attachmentStatus"] == "detached"),
            ("Battery nearly empty", level <= 10),
            ("Battery low", level <= 20),
            ("License has ended", terms and terms["status"] == "expired"),
            ("License about to end", end is not None and end - END < ENDING_SECONDS),
            ("PIN missing", core and core["pinStatus"] == "missing"),
            ("Local push fails", core and core["push"] == "error"),
        )
        if is_so
    )


def label(cloud: Cloud, index: int) -> str:
    return cloud.fleet.external_id(index) or cloud.fleet.id(index)


def test_the_numbers_of_the_fleet(fleet_past: Past, cloud: Cloud) -> None:
    fleet = range(INSTALLATIONS)
    silent = [index for index in fleet if (silence(cloud, index) or 0) > SILENT_SECONDS]
    soon = [index for index in fleet if (end := ending(cloud, index)) and end - END < ENDING_SECONDS]
    wrong = [index for index in fleet if list(problems(cloud, index))]
    assert len(silent) == 4
    assert set(soon) >= set(ENDING_DAYS)
    expected = {
        "Installations": INSTALLATIONS,
        "Silent installations": len(silent),
        "Need a hand": len(wrong),
        "Ending licenses": len(soon),
        "Provider API": 1,
    }
    assert {title: single(answer(fleet_past, UID, title, "A")) for title in expected} == expected


def test_two_exporters_with_the_same_installations_count_once(fleet_past: Past) -> None:
    """A pair of which one may fail: what is wrong is counted by installation."""
    query = next(interpolate.queries(boards.panel(UID, "Need a hand"), context()))
    doubled = re.sub(
        r"(iometer_\w+)\{([^}]*)\}",
        r'(\1{\2} or label_replace(\1{\2}, "instance", "twin", "", ""))',
        query.expr,
    )
    [twice], [once] = (fleet_past.source.instant(expr, END) for expr in (doubled, query.expr))
    assert twice.last == once.last


def context() -> interpolate.Context:
    return boards.context(boards.boards()[UID], END, PROVIDER.interval)


@pytest.fixture(scope="module")
def shown(judged: dict[Place, Judged]) -> dict[tuple[str, str], Verdict]:
    """What the newest version shows, by language and English title."""
    return {
        (place.language, place.title): panel.verdicts[VERSIONS[-1]]
        for place, panel in judged.items()
        if place.scenario == PROVIDER.name
    }


def words(text: str, language: str) -> str:
    return text if language == "en" else GERMAN[text]


def cells(field: Field) -> list[tuple[str, str | None]]:
    return list(zip(field.texts, field.colors, strict=True))


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_needs_a_hand(shown: dict[tuple[str, str], Verdict], cloud: Cloud, language: str) -> None:
    """Each installation that does, with its worst problem; the worst of all first."""
    columns = shown[language, "What needs a hand"].columns
    expected = {
        label(cloud, index): words(found[0], language)
        for index in range(INSTALLATIONS)
        if (found := list(problems(cloud, index)))
    }
    needs = columns[words("Needs a hand", language)]
    installations = columns[words("Installation", language)].texts
    assert dict(zip(installations, needs.texts, strict=True)) == expected
    assert needs.texts[0] == words("Silent", language)
    values = [value for value in needs.values if isinstance(value, int | float)]
    assert values == sorted(values, reverse=True)
    rows = dict(zip(installations, cells(columns[words("Battery", language)]), strict=True))
    for index in range(INSTALLATIONS):
        if label(cloud, index) in rows and "Battery nearly empty" in problems(cloud, index):
            assert rows[label(cloud, index)] == ("7%", RED)


def test_the_license_pools(shown: dict[tuple[str, str], Verdict], cloud: Cloud) -> None:
    """One of them is nearly used up; one has no name."""
    stats = {stat.title: stat for stat in shown["en", "License pools"].stats}
    for pool in cloud.licenses.pools:
        stat = stats[pool["name"] or pool["id"][:8]]
        share = pool["usage"] / pool["size"]
        assert float(stat.text.rstrip("%")) == pytest.approx(100 * share, abs=0.51)
        assert stat.color == (RED if share >= 0.9 else YELLOW if share >= 0.75 else GREEN)
    assert stats["Household"].color == RED
    assert len(stats) == len(cloud.licenses.pools)


def test_the_licenses(fleet_past: Past, shown: dict[tuple[str, str], Verdict], cloud: Cloud) -> None:
    states: dict[str, int] = {}
    for index in range(INSTALLATIONS):
        if terms := cloud.licenses.of(index, END):
            states[terms["status"]] = states.get(terms["status"], 0) + 1
    found = {series.labels["status"]: series.last for series in answer(fleet_past, UID, "Licenses", "A")}
    assert {status: count for status, count in found.items() if count} == states
    ends = {label(cloud, index): end for index in range(INSTALLATIONS) if (end := ending(cloud, index))}
    columns = shown["en", "Licenses that end next"].columns
    installations = columns["Installation"].texts
    assert dict(zip(installations, columns["License ends"].values, strict=True)) == {
        name: end * 1000 for name, end in sorted(ends.items(), key=lambda item: item[1])[:20]
    }
    first = min(ends, key=lambda name: ends[name])
    assert (installations[0], columns["License ends"].texts[0]) == (first, "in 5 days")


def test_the_readings(fleet_past: Past, cloud: Cloud) -> None:
    """Those of an hour in which nothing happened, and how long they took."""
    begin, end = local("2026-04-05 18:00:00"), local("2026-04-05 19:00:00")
    arrivals = [one for second in range(int(begin) + 1, int(end) + 1) for one in cloud.arrivals.at(second)]
    [accepted], [duplicate], [rejected] = (
        answer(fleet_past, UID, "Readings a minute", ref, end) for ref in "ABC"
    )

    def mean(series: Series) -> float:
        samples = [value for time, value in series.samples if begin < time <= end]
        return sum(samples) / len(samples)

    total = mean(accepted) + mean(duplicate) + mean(rejected)
    assert total == pytest.approx(len(arrivals) / 60, rel=0.1)
    assert mean(duplicate) > 0
    assert mean(rejected) > 0
    [half] = answer(fleet_past, UID, "Delay of readings", "A", end)
    [most] = answer(fleet_past, UID, "Delay of readings", "B", end)
    assert 1 < half.last < 5
    assert half.last < most.last


def test_what_happened_to_the_api(fleet_past: Past) -> None:
    errors = answer(fleet_past, UID, "Request errors", "A")
    reasons = {(series.labels["operation"], series.labels["reason"]) for series in errors}
    assert reasons >= {("account", "http_status"), ("installations", "invalid_document")}
    down = local("2026-04-05 03:35:00")
    assert single(answer(fleet_past, UID, "Provider API", "A", down)) == 0
    age = single(answer(fleet_past, UID, "Inventory age", "A", down))
    assert age is not None
    assert age > 35 * 60
    assert single(answer(fleet_past, UID, "Installations", "A", down)) == INSTALLATIONS


def test_the_shards(fleet_past: Past, shown: dict[tuple[str, str], Verdict]) -> None:
    columns = shown["de", "Shards"].columns
    assert sorted(columns["Exporter"].texts) == [f"shard-{number}:10180" for number in range(1, SHARDS + 1)]
    counts = [value for value in columns["Installationen"].values if isinstance(value, int | float)]
    assert sum(counts) == INSTALLATIONS
    assert cells(columns["Abonnement"]) == [("Erreichbar", GREEN)] * SHARDS
    off = local("2026-04-05 09:20:00")
    shards = answer(fleet_past, UID, "Shards", "A", off)
    assert [series.labels["instance"] for series in shards] == ["shard-1:10180"]


def test_the_signing_keys(shown: dict[tuple[str, str], Verdict], cloud: Cloud) -> None:
    columns = shown["en", "Signing keys"].columns
    expected = {key["id"]: "Yes" if key["enabled"] else "No" for key in cloud.licenses.keys}
    assert dict(zip(columns["Key"].texts, columns["Enabled"].texts, strict=True)) == expected
