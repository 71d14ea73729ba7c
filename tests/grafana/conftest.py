"""What the tests of dashboards and rules share: histories in Prometheus, and a living exporter."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from grafana.histories.plan import END, EVERY, PROVIDER, SCENARIOS
from grafana.histories.server import prometheus_over
from grafana.query.source import Source
from tests.conftest import require_program
from tests.grafana.judge import judge, require_packages
from tests.grafana.judged import Judged, Place, asked_everywhere
from tests.grafana.living import living
from tests.grafana.pasts import Past, write_all


@pytest.fixture(scope="session")
def programs() -> None:
    """Skips, before anything is made for them, the tests that need a Prometheus where there is none."""
    for name in ("prometheus", "promtool"):
        require_program(name)


@pytest.fixture(scope="session")
def live(programs: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    """A Prometheus that scrapes the real exporter with simulated bridges every second."""
    with living(tmp_path_factory.mktemp("live")) as source:
        yield source


@pytest.fixture(scope="session")
def every_past(tmp_path_factory: pytest.TempPathFactory, live: Source) -> Iterator[dict[str, Past]]:
    """Every scenario's history, in a Prometheus of its own, by the scenario's name.

    They take their time, in which the living exporter is already being scraped.
    """
    assert live.url
    folder = tmp_path_factory.mktemp("histories")
    with ExitStack() as stack:
        histories = write_all(EVERY.values(), folder)
        yield {
            name: Past(history, Source(stack.enter_context(prometheus_over(history)).url))
            for name, history in histories.items()
        }


@pytest.fixture(scope="session")
def pasts(every_past: dict[str, Past]) -> dict[str, Past]:
    """The histories of homes."""
    return {name: every_past[name] for name in SCENARIOS}


@pytest.fixture(scope="session")
def fleet_past(every_past: dict[str, Past]) -> Past:
    """The history of a provider's fleet."""
    return every_past[PROVIDER.name]


@pytest.fixture(scope="session")
def packages() -> None:
    """Skips, before anything is made for them, tests that need Grafana's packages, where there are none."""
    require_packages()


@pytest.fixture(scope="session")
def judged(packages: None, every_past: dict[str, Past]) -> dict[Place, Judged]:
    """Every panel of every dashboard, in both languages, at the end of every history."""
    asked = asked_everywhere(every_past.values())
    verdicts = judge(list(asked.values()), END)
    return {
        place: Judged(one, {version: found[index] for version, found in verdicts.items()})
        for index, (place, one) in enumerate(asked.items())
    }


@pytest.fixture(params=sorted(SCENARIOS))
def past(request: pytest.FixtureRequest, pasts: dict[str, Past]) -> Past:
    """One scenario's history after the other."""
    return pasts[request.param]
