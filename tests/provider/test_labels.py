"""The rule that names an installation, which holds for what is served and for what is filled in later."""

import io
import re
from pathlib import Path

import pytest

from iometer_exporter.errors import ProviderError
from iometer_exporter.provider.api.models import Installation, Meter, MeterReading, ReadingsPage
from iometer_exporter.provider.backfill import Backfill
from iometer_exporter.provider.collecting import ReadingsWalk, name_installations
from iometer_exporter.provider.reading.retrying import Retrying
from iometer_exporter.provider.served.labels import Labels
from iometer_exporter.provider.served.shard import Shard, in_shard
from iometer_exporter.text import FirstFew
from tests.provider.fleet import LIMITS, ScriptedClient, at, fleet, installation, lines, reading, received

SERIES = re.compile(r'iometer_power_watts\{installation="(.*)",meter="(.*)"\}')


def served(homes: list[Installation], readings: list[MeterReading], shard: Shard) -> set[tuple[str, ...]]:
    """Labels of installation and meter in what the exporter serves."""
    installations = fleet(*homes, shard=shard)
    for each in readings:
        installations.receive(each, each.received.timestamp(), 0.0)
    return set(SERIES.findall("\n".join(lines(installations))))


async def filled_in(
    homes: list[Installation], readings: list[MeterReading], shard: Shard, folder: Path
) -> set[tuple[str, ...]]:
    """Labels of installation and meter in what a backfill writes."""
    client = ScriptedClient(fleet=homes, walk=lambda _start, _cursor: ReadingsPage(tuple(readings), None))
    retrying = Retrying(lambda error, _wait: pytest.fail(str(error)))
    out = io.BytesIO()
    with Backfill(folder, limits=LIMITS, shard=shard) as filling:
        counts = [found async for found in name_installations(client, filling, 2, retrying)]
        assert counts[-1] == len(homes)
        async for _ in ReadingsWalk(at(-86400), filling, FirstFew()).fetch(client, retrying):
            pass
        filling.write(out)
    return set(SERIES.findall(out.getvalue().decode()))


def shard_of(text: str) -> Shard:
    return next((number, 2) for number in (1, 2) if in_shard(text, (number, 2)))


@pytest.mark.parametrize(
    ("homes", "arriving", "shard", "expected"),
    [
        ([("a", "x"), ("b", "x")], "ba", (1, 1), {("x", "Ma"), ("b", "Mb")}),
        ([("a", "x"), ("b", "x")], "b", (1, 1), {("b", "Mb")}),
        ([("a", "b"), ("b", ""), ("c", "")], "cba", (1, 1), {("b", "Ma"), ("b~2", "Mb"), ("c", "Mc")}),
        ([("a", "")], "na", (1, 1), {("a", "Ma"), ("n", "Mn")}),
        ([("a", "x"), ("c", "x")], "ca", shard_of("c"), {("x", "Mc")}),
    ],
    ids=["one name for two", "one of them is silent", "named as another's id", "new", "other shard"],
)
async def test_what_is_served_and_what_is_filled_in_have_the_same_labels(
    tmp_path: Path,
    homes: list[tuple[str, str]],
    arriving: str,
    shard: Shard,
    expected: set[tuple[str, str]],
) -> None:
    names = dict(homes)
    known = [
        installation(id, external_id, meters=(Meter(f"{id}-m1", f"M{id}", None),))
        for id, external_id in homes
    ]
    readings = [
        received(reading(-60, number=f"M{id}"), id=id, meter_id=f"{id}-m1", external_id=names.get(id, ""))
        for id in arriving
    ]
    assert await filled_in(known, readings, shard, tmp_path) == expected
    assert served(known, readings, shard) == expected


def test_a_label_that_was_released_is_given_again() -> None:
    labels = Labels()
    assert [labels.take("a", "x"), labels.take("b", "x"), labels.take("c", "b")] == ["x", "b", "c"]
    labels.release("x")
    assert labels.take("d", "x") == "x"
    with pytest.raises(KeyError):
        labels.release("nobody's")


def test_every_candidate_that_is_taken_is_passed_over() -> None:
    labels = Labels()
    for external_id in ("a", "a~2"):
        labels.take("somebody", external_id)
    assert [labels.take("a", ""), labels.take("", "")] == ["a~3", "~2"]


async def test_an_inventory_that_cannot_be_read_ends_a_backfill(tmp_path: Path) -> None:
    client = ScriptedClient(page_errors={0: ProviderError("unauthorized", "does not accept it")})
    retrying = Retrying(lambda error, _wait: pytest.fail(str(error)))
    with (
        Backfill(tmp_path, limits=LIMITS, shard=(1, 1)) as filling,
        pytest.raises(ProviderError, match="does not accept it"),
    ):
        async for _ in name_installations(client, filling, 100, retrying):
            pass
