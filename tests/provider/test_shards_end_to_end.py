"""Eight processes in place of eight pods, which share a simulated fleet by their names."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path

import pytest

from tests.processes import COMMAND, get, is_ready, started
from tests.provider.cloud import ENVIRONMENT, cloud_of
from tests.waiting import eventually

pytestmark = pytest.mark.end_to_end

PODS = 8
INSTALLATIONS = 300


@contextmanager
def pods(folder: Path, ordinals: list[int]) -> Iterator[list[str]]:
    """The pages of exporters with one configuration, each with the name and the state file of a pod."""
    command = [*COMMAND, "serve", "--web.listen-address", "127.0.0.1:0"]
    command += ["--config.file", str(folder / "config.yml")]
    with ExitStack() as stack:
        processes = []
        for ordinal in ordinals:
            home = folder / f"iometer-provider-{ordinal}"
            home.mkdir(exist_ok=True)
            env = ENVIRONMENT | {"IOMETER_EXPORTER_POD_NAME": home.name}
            start = started([*command, "--state.file", str(home / "state.json")], home / "log", env)
            processes.append(stack.enter_context(start))
        # Only now, when all of them are on their way.
        urls = [process.wait_for(r"address=(http://\S+/)")[1] for process in processes]
        for url in urls:
            eventually(lambda url=url: is_ready(url))  # type: ignore[misc]
        yield [get(f"{url}metrics").decode() for url in urls]
        assert {process.stop() for process in processes} == {0}
        assert "level=warning" not in "".join(process.text() for process in processes)


def installations(page: str) -> list[str]:
    """The ids of what a page serves."""
    return re.findall(r'^iometer_installation_info\{.*\bid="([^"]+)"', page, re.MULTILINE)


def meters(page: str) -> set[str]:
    return set(re.findall(r'^iometer_reading_timestamp_seconds\{.*\bmeter="([^"]+)"', page, re.MULTILINE))


def test_each_installation_is_served_once_and_by_the_same_pod_after_a_restart(tmp_path: Path) -> None:
    with cloud_of(installations=INSTALLATIONS, interval=3600) as cloud:
        (tmp_path / "config.yml").write_text(
            "discovery: {enabled: false}\n"
            f"provider: {{url: '{cloud.simulation.url}', readings: 'off', shard: auto/{PODS}}}\n"
        )
        fleet = cloud.simulation.fleet
        ids = [fleet.id(index) for index in range(fleet.size)]
        with pods(tmp_path, list(range(PODS))) as pages:
            before = [(installations(page), meters(page)) for page in pages]
        with pods(tmp_path, [0, 5]) as pages:
            assert [(installations(page), meters(page)) for page in pages] == [before[0], before[5]]
    assert all(found for found, _ in before)
    assert sorted(chain.from_iterable(found for found, _ in before)) == sorted(ids)
    # Nor is a meter in two pods, whoever serves its installation.
    numbers = list(chain.from_iterable(measured for _, measured in before))
    assert len(numbers) == len(set(numbers)) > INSTALLATIONS / 2
