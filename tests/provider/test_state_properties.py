"""Whatever happens, the lines kept are those that would be written now, as prometheus_client writes them."""

from collections import Counter, deque
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import Metric, generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.registry import Collector

from iometer_exporter.meter.models import Reading
from iometer_exporter.metrics.exposition import OPENMETRICS, TEXT
from iometer_exporter.provider.api.models import Installation, Meter
from iometer_exporter.provider.served.exposition import assemble
from iometer_exporter.provider.served.families import INSTALLATION_FAMILIES
from iometer_exporter.provider.served.installation import TrackedMeter
from iometer_exporter.provider.served.installations import Installations
from iometer_exporter.provider.served.lines import LineStore
from tests.properties import examples
from tests.provider.fleet import (
    EXPORT,
    LIMITS,
    NOW,
    STALE_AFTER,
    device,
    installation,
    license_,
    reading,
    received,
)

IDS = st.sampled_from(["i1", "i2", "i3", "i1~2"])
NAMES = st.sampled_from(["", "i1", "i2", "i1~2", "i2~2", "c1", 'a "quoted" \\ name', "\N{SNOWMAN}"])
NUMBERS = st.sampled_from(["M1", "M2", "", 'M"3'])
SECONDS = st.integers(-3000, 3000)
ENERGIES = st.sampled_from(["0", "0.1", "1000", "1000.25", "12345678.9", "99999999999"])


@st.composite
def readings(draw: st.DrawFn) -> Reading:
    more = {EXPORT: (draw(ENERGIES), "Wh"), "1-0:32.7.0": ("230", "V"), "1-0:99.9.9": ("1e-7", "odd")}
    return reading(
        draw(SECONDS),
        draw(ENERGIES),
        number=draw(NUMBERS),
        power=draw(st.sampled_from([None, "-0.5", "1e9"])),
        more=more if draw(st.booleans()) else {},
    )


@st.composite
def installations(draw: st.DrawFn) -> Installation:
    own = draw(IDS)
    meters = tuple(
        Meter(f"{own}-m{place}", draw(NUMBERS), draw(readings() | st.none()))
        for place in range(draw(st.sampled_from([1, 2, 0])))
    )
    return installation(
        own,
        draw(NAMES),
        meters=meters,
        license=draw(st.sampled_from([None, license_(), license_(end=None, status="odd")])),
        current_device=draw(st.sampled_from([None, device(), device(pin='"', power="wired")])),
    )


STEPS = st.one_of(
    st.tuples(st.just("refresh"), st.lists(installations(), max_size=4)),
    st.tuples(st.just("begin"), st.lists(installations(), max_size=2)),
    st.tuples(st.just("receive"), st.tuples(IDS, st.integers(0, 2), NAMES, readings())),
    st.tuples(st.just("local"), st.frozensets(NUMBERS)),
    st.tuples(st.just("stale"), st.sampled_from([0.0, 60.0, STALE_AFTER])),
    st.tuples(st.just("pass"), st.integers(0, 1500)),
)


class Parsed(Collector):
    def __init__(self, text: str) -> None:
        self._families = list(parse_text(text))

    def collect(self) -> Iterator[Metric]:
        yield from self._families


def write(store: LineStore, seconds: float) -> None:
    for _ in store.refresh(NOW + seconds):
        pass


def fresh(known: Installations, seconds: float) -> LineStore:
    """A store that has kept nothing so far."""
    store = LineStore(len(INSTALLATION_FAMILIES), known.store._encode)
    for _ in range(known.store.positions):
        store.add()
    write(store, seconds)
    return store


@pytest.mark.no_cover
@examples(30)
@given(
    st.lists(installations(), min_size=1, max_size=4),
    st.lists(st.tuples(STEPS, st.booleans()), min_size=1, max_size=20),
)
def test_kept_lines_are_those_of_a_fresh_encoding(
    first: list[Installation], steps: list[tuple[tuple[str, object], bool]]
) -> None:
    known = Installations(limits=LIMITS, stale_after=STALE_AFTER)
    seconds = 0.0
    take(known, "refresh", first, seconds)
    write(known.store, seconds)
    for (step, given_), is_written in steps:
        take(known, step, given_, seconds)
        if is_written:
            write(known.store, seconds)
        if step == "pass":
            seconds += float(given_)  # type: ignore[arg-type]
    write(known.store, seconds)
    for text_format in (TEXT, OPENMETRICS):
        kept = b"".join(assemble([], known.store, text_format))
        assert kept == b"".join(assemble([], fresh(known, seconds), text_format))
        families = list((parse_text if text_format is TEXT else parse_openmetrics)(kept.decode()))
        series = Counter(
            (sample.name, frozenset(sample.labels.items()))
            for family in families
            for sample in family.samples
        )
        assert all(count == 1 for count in series.values())
        if text_format is TEXT:
            assert generate_latest(Parsed(kept.decode())) == kept


@pytest.mark.no_cover
@examples(30)
@given(
    # An inventory has each installation once, as `installation_pages` sees to.
    st.lists(st.lists(installations(), max_size=4, unique_by=lambda one: one.id), min_size=1, max_size=6),
    st.randoms(),
)
def test_a_label_stays_with_its_installation(inventories: list[list[Installation]], chance: Random) -> None:
    """Whatever others are called: it changes with the external id of the installation, or never."""
    known = Installations(limits=LIMITS, stale_after=STALE_AFTER)
    for inventory in inventories:
        before = {one.id: (one.external_id, one.label) for one in known}
        take(known, "refresh", inventory, 0.0)
        labels = {one.id: one.label for one in known}
        assert len(set(labels.values())) == len(labels)
        for one in known:
            external_id, label = before.get(one.id, (None, None))
            assert one.external_id != external_id or one.label == label
        # Nor does the order in which the API gives them matter from then on.
        again = list(inventory)
        chance.shuffle(again)
        take(known, "refresh", again, 0.0)
        assert {one.id: one.label for one in known} == labels


def take(known: Installations, step: str, given_: object, seconds: float) -> None:
    match step, given_:
        case "refresh" | "begin", list(seen):
            known.begin_refresh()
            for one in seen:
                known.see(one, NOW + seconds, seconds)
            if step == "refresh":
                known.end_refresh()
        case "receive", (str(own), int(place), str(name), Reading() as taken):
            one = received(taken, id=own, meter_id=f"{own}-m{place}", external_id=name)
            known.receive(one, NOW + seconds, seconds)
        case "local", frozenset(numbers):
            known.serve_locally(numbers)
        case "stale", float(after):
            known.stale_after = after
        case _:
            pass


@examples(100)
@given(
    st.lists(st.integers(0, 5) | st.integers(0, 300), max_size=400), st.integers(0, 1 << 33), st.booleans()
)
def test_a_reading_is_new_once_in_whatever_order_they_come(
    seconds: list[int], start: int, is_sorted: bool
) -> None:
    """As if all that is remembered were looked at each time."""
    meter, remembered = TrackedMeter("m", "1", 0), deque[int](maxlen=100)
    for second in sorted(seconds) + seconds if is_sorted else seconds:
        moment = (start + second) * 1000 % (1 << 32)
        assert meter.is_new(float(start + second)) == (moment not in remembered)
        if moment not in remembered:
            remembered.append(moment)
