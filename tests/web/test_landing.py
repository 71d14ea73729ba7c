from dataclasses import replace
from html.parser import HTMLParser

import pytest

from iometer_exporter.bridges.snapshot import Snapshot
from iometer_exporter.errors import FetchError
from iometer_exporter.meter.models import ENDPOINTS
from iometer_exporter.web.landing import landing_page
from tests.bridges.test_diagnosis import READ_AT, snapshot_of

VOID = {"meta", "br", "link", "img"}
EVIL = "<script>alert('\"1\"&amp;')</script>"


class Page(HTMLParser):
    """The text and the tags of a page; every opened tag has to be closed in its turn."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[dict[str, str | None]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.append(dict(attrs))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip() and self._open[-1] != "style":
            self.texts.append(data.strip())

    def after(self, label: str) -> str:
        return self.texts[self.texts.index(label) + 1]


def page_of(
    *snapshots: Snapshot, age: float = 5.0, stale_after: float = 1200.0, discovery: bool = True
) -> Page:
    return Page(landing_page(snapshots, now=READ_AT + age, stale_after=stale_after, discovery=discovery))


def down() -> Snapshot:
    return replace(
        snapshot_of("battery"),
        meter="",
        reading=None,
        energies={},
        sent=None,
        status=None,
        failures={endpoint: FetchError("connect", "connection refused") for endpoint in ENDPOINTS},
    )


def test_a_bridge_shows_its_state_power_totals_age_and_battery() -> None:
    page = page_of(snapshot_of("battery"))
    assert page.texts[2:] == [
        "house",
        "up",
        "10 W",
        "from the grid",
        "Import total",
        "1.2345 kWh",
        "Export total",
        "5.4321 kWh",
        "Age of reading",
        "5 s",
        "Battery",
        "100%",
        "Meter",
        "1HLY0000000000",
        "Address",
        "192.168.1.50",
        *page.texts[-8:],
    ]
    assert "Metrics" in page.texts
    assert {"href": "metrics"} in page.attributes


def test_power_fed_into_the_grid_is_told_in_words() -> None:
    page = page_of(snapshot_of("wired"))
    assert page.after("4321.5 W") == "into the grid"
    assert page.after("Power supply") == "wired"


def test_no_power_either_way_is_balanced() -> None:
    whole = snapshot_of("battery")
    assert whole.reading is not None
    balanced = {
        code: replace(register, value=register.value * 0)
        for code, register in whole.reading.registers.items()
    }
    page = page_of(replace(whole, reading=replace(whole.reading, registers=balanced)))
    assert page.after("0 W") == "balanced"


@pytest.mark.parametrize(("age", "stale_after", "shown"), [(1201.0, 1200.0, False), (1201.0, 0.0, True)])
def test_the_power_of_a_stale_reading_is_not_shown(age: float, stale_after: float, shown: bool) -> None:
    page = page_of(snapshot_of("battery"), age=age, stale_after=stale_after)
    assert ("10 W" in page.texts) is shown
    assert page.after("Age of reading") == "20 min 1 s"


def test_a_reading_of_the_future_has_no_negative_age() -> None:
    assert page_of(snapshot_of("battery"), age=-60.0).after("Age of reading") == "0 s"


def test_a_meter_without_power_shows_its_totals_and_what_to_do() -> None:
    page = page_of(snapshot_of("pin-missing"))
    assert page.after("Import total") == "12345 kWh"
    assert not any(text.endswith(" W") for text in page.texts)
    assert (
        page.after("the PIN of the meter is missing: it shows only whole kWh and no power")
        == "get the PIN from the operator of the meter and enter it in the IOmeter app"
    )


def test_a_bridge_that_is_down_shows_why() -> None:
    page = page_of(down())
    assert page.after("house") == "down"
    assert "the bridge does not answer: connection refused" in page.texts
    assert "Import total" not in page.texts
    assert "Meter" not in page.texts


@pytest.mark.parametrize(
    ("discovery", "text"),
    [
        (True, "No bridge has announced itself in this network yet."),
        (False, "No bridge is configured and discovery is off"),
    ],
)
def test_without_bridges_the_page_says_what_to_do(discovery: bool, text: str) -> None:
    page = page_of(discovery=discovery)
    assert any(found.startswith(text) for found in page.texts)
    assert "main" not in page.tags


def test_the_page_refreshes_itself_without_scripts() -> None:
    page = page_of(snapshot_of("battery"), down())
    assert {"http-equiv": "refresh", "content": "15"} in page.attributes
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.attributes
    assert "script" not in page.tags


def test_what_comes_from_outside_is_escaped() -> None:
    whole = snapshot_of("battery")
    assert whole.reading is not None
    assert whole.status is not None
    evil = replace(
        whole,
        bridge=EVIL,
        meter=EVIL,
        address=EVIL,
        sent=replace(whole.reading, problems=(EVIL,)),
        status=replace(whole.status, power=EVIL, battery_ratio=None),
    )
    failing = replace(down(), failures={"reading": FetchError("connect", EVIL)})
    html = landing_page([evil, failing], now=READ_AT, stale_after=0.0, discovery=True)
    assert "<script" not in html
    page = Page(html)
    assert page.texts.count(EVIL) == 4
    assert [text for text in page.texts if EVIL in text and text != EVIL] == [
        f"the bridge sent what cannot be used: {EVIL}",
        f"the bridge does not answer: {EVIL}",
    ]


def test_a_dollar_in_a_name_is_no_placeholder() -> None:
    page = page_of(replace(snapshot_of("battery"), bridge="$bridges ${x} $"))
    assert "$bridges ${x} $" in page.texts
