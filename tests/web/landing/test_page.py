import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import Message
from importlib import metadata
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devtools.landing import NOON, PROVIDER, glances_of_every_kind
from iometer_exporter.bridges.glance import Glance
from iometer_exporter.config.values import parse_dashboard_url
from iometer_exporter.errors import ConfigError
from iometer_exporter.meter.course import Recent
from iometer_exporter.meter.day_marks import DayEnergy
from iometer_exporter.meter.models import Status
from iometer_exporter.provider.source import Summary
from iometer_exporter.web.landing.language import DEUTSCH, ENGLISH, LANGUAGES
from iometer_exporter.web.landing.links import documentation_url
from iometer_exporter.web.landing.page import Page, headers_of, render_page
from tests.properties import examples
from tests.web.landing.pages import READ_AT, Seen, failing, glance_of, page_of, seen

WELL = glance_of("battery")
DOWN = failing(WELL, reading="connect", status="connect")
KWH = 3.6e6


def test_a_bridge_shows_its_power_energies_signals_and_where_it_is() -> None:
    page = seen(page_of([WELL]))
    assert page.title == "10 W · house"
    assert page.after("1 of 1 well", 6) == ["11:11:05\u00a0UTC", "house", "well", "10", "W", "\u2193"]
    assert "from the grid" in page.texts
    assert page.after("Drawn", 3) == ["\u2013", "\u2013", "1.2"]
    assert page.after("Fed in", 3) == ["\u2013", "\u2013", "5.4"]
    assert page.after("Reading") == ["11:11:00, 5\u00a0s ago"]
    assert page.after("Battery") == ["100%"]
    assert page.after("Meter") == ["1HLY0000000000"]
    assert page.after("Address") == ["192.168.1.50"]
    assert "dBm" in page.text
    assert "Firmware" in page.texts


def test_power_that_flows_out_is_told_by_words_and_arrow() -> None:
    page = seen(page_of([glance_of("wired")]))
    assert page.title == "\u22124322 W · house"
    assert page.after("4322", 3) == ["W", "\u2191", "into the grid"]
    assert page.after("Power supply") == ["wired"]


def test_german_is_german() -> None:
    page = seen(page_of([glance_of("three-phase"), DOWN]), DEUTSCH)
    assert page.attributes[0] == {"lang": "de"}
    assert "1 von 2 in Ordnung" in page.texts
    for word in (
        "Bezug",
        "Einspeisung",
        "Heute",
        "Gestern",
        "Zählerstand",
        "Spannung, V",
        "WLAN",
        "nicht erreichbar",
    ):
        assert word in page.texts
    assert "Unter dieser Adresse antwortet nichts." in page.texts
    assert "," in page.after("Spannung, V")[0]


def test_three_phases_are_a_table() -> None:
    page = seen(page_of([glance_of("three-phase")]))
    assert page.after("Phase", 3) == ["L1", "L2", "L3"]
    assert all(label in page.texts for label in ("Power, W", "Voltage, V", "Current, A", "Frequency"))


def test_tariffs_have_their_registers_below_the_total() -> None:
    page = seen(page_of([glance_of("tariffs")]))
    assert page.texts.index("tariff 1") < page.texts.index("tariff 2")
    assert page.texts.index("Drawn") < page.texts.index("tariff 1")


def test_a_meter_without_export_has_no_row_for_it() -> None:
    page = seen(page_of([glance_of("import-only")]))
    assert "Drawn" in page.texts
    assert "Fed in" not in page.texts


def test_without_the_pin_there_is_a_dash_in_place_of_the_power_and_whole_kwh() -> None:
    page = seen(page_of([glance_of("pin-missing")]))
    assert page.after("needs a hand", 2) == ["\u2013", "no power without the PIN"]
    assert page.after("Drawn", 3)[2] == "12,345"
    assert page.title == "\u26a0\ufe0e 1 · IOmeter"


def test_days_are_shown_with_what_is_not_known_of_them() -> None:
    start = datetime.fromtimestamp(READ_AT - 3600, UTC)
    today = DayEnergy(3.21 * KWH, 0.5 * KWH, since=start, until=datetime.fromtimestamp(READ_AT, UTC))
    yesterday = DayEnergy(8.9 * KWH, None, until=start - timedelta(days=1), is_estimated=True)
    page = seen(page_of([replace(WELL, recent=Recent((), today, yesterday))]))
    assert page.after("Today", 3) == ["since 10:11", "Yesterday", "until 10:11"]
    assert page.after("Drawn", 2) == ["3.21", "\u2248\u202f8.90"]
    assert page.after("Fed in", 2) == ["0.50", "\u2013"]


def test_today_ends_now_without_a_word() -> None:
    now = datetime.fromtimestamp(READ_AT, UTC)
    page = seen(page_of([replace(WELL, recent=Recent((), DayEnergy(1.0, 1.0, until=now)))]))
    assert page.after("Today") == ["Yesterday"]


def test_the_course_is_a_picture_with_its_extremes() -> None:
    page = seen(page_of([replace(WELL, recent=Recent((100.0, -50.0, None)))]))
    [label] = [each["aria-label"] for each in page.attributes if (each.get("class") or "") == "spark"]
    assert label is not None
    assert label.replace("\u00a0", " ") == "Power of the last 6 min: up to 100 W drawn, up to 50 W fed in"
    assert "6\u00a0min ago" in page.texts


def label_of(means: list[float | None]) -> str:
    page = seen(page_of([replace(WELL, recent=Recent(means))]))
    [label] = [each["aria-label"] for each in page.attributes if each.get("class") == "spark"]
    return (label or "").replace("\u00a0", " ").partition(":")[0]


def test_a_young_curve_has_half_an_hour_at_least() -> None:
    assert label_of([None] * 178 + [1.0, 2.0]) == "Power of the last 30 min"
    assert label_of([None] * 150 + [1.0] * 30) == "Power of the last 1 h"
    assert label_of([1.0] * 180) == "Power of the last 6 h"


def test_a_curve_of_one_point_is_announced() -> None:
    page = seen(page_of([replace(WELL, recent=Recent([None] * 179 + [1.0]))]))
    assert "The curve of the last hours begins here." in page.texts
    assert "figure" not in page.tags


def test_a_bridge_that_is_down_keeps_its_last_values_and_says_when_it_was_seen() -> None:
    page = seen(page_of([DOWN], age=3605))
    assert page.after("house", 2) == ["down", "10"]
    assert "last seen 11:11" in page.text
    assert page.after("Drawn", 3)[2] == "1.2"
    assert "power old" in page.classes
    assert page.title == "\u26a0\ufe0e 1 · IOmeter"


def test_a_bridge_that_never_answered_has_a_dash() -> None:
    nobody = failing(Glance("house", "192.168.1.50", ""), reading="connect", status="connect")
    page = seen(page_of([nobody]))
    assert page.after("down", 2) == ["\u2013", "no answer yet"]


def test_a_bridge_that_is_down_and_never_gave_a_reading_says_when_it_was_seen() -> None:
    page = seen(page_of([replace(DOWN, reading=None)], age=3605))
    assert page.after("Last seen") == ["11:11"]


def test_a_meter_without_energies_has_no_table_of_them() -> None:
    assert WELL.reading is not None
    bare = replace(WELL, reading=WELL.reading._replace(registers={}))
    page = seen(page_of([bare]))
    assert "table" not in page.tags
    assert "the meter sends no power" in page.texts


@pytest.mark.parametrize(
    ("glance", "words"),
    [
        (Glance("new", "192.168.1.50", "", is_asked=False), "no answer yet"),
        (failing(replace(WELL, reading=None), reading="no_data"), "no reading yet"),
        (replace(glance_of("pin-missing"), status=None), "the meter sends no power"),
    ],
)
def test_why_there_is_no_power(glance: Glance, words: str) -> None:
    assert words in seen(page_of([glance])).texts


@pytest.mark.parametrize("status", [Status(connection="disconnected"), Status(attachment="detached")])
def test_a_core_that_is_cut_off_shows_its_power_as_an_old_one(status: Status) -> None:
    page = seen(page_of([replace(WELL, status=status)], age=229))
    assert "power old" in page.classes
    assert "3 min ago" in page.text
    assert page.title == "\u26a0\ufe0e 1 · IOmeter"


@pytest.mark.parametrize(("age", "old"), [(1201.0, True), (1199.0, False)])
def test_a_stale_power_is_grey_and_not_in_the_title(age: float, old: bool) -> None:
    page = seen(page_of([WELL], age=age))
    assert ("power old" in page.classes) is old
    assert (page.title == "10 W · house") is not old
    assert " min ago" in page.text


def test_a_reading_of_the_future_has_no_negative_age() -> None:
    page = seen(page_of([WELL], age=-60.0))
    assert "in the future" in page.text
    assert "\u2212" not in " ".join(page.after("Reading", 2))


def test_old_readings_have_a_date() -> None:
    assert "11 Nov, 11:11" in seen(page_of([DOWN], age=2 * 86_400)).text


def test_those_that_need_somebody_come_first_and_are_counted() -> None:
    assert WELL.status is not None
    detached = replace(WELL, name="barn", status=replace(WELL.status, attachment="detached"))
    asked = Glance("new", "192.168.1.51", "", is_asked=False)
    page = seen(page_of([WELL, asked, detached, replace(DOWN, name="shed"), replace(detached, name="attic")]))
    names = [text for text in page.texts if text in ("house", "barn", "new", "shed", "attic")]
    assert names == ["shed", "barn", "attic", "new", "house"]
    assert page.after("1 of 5 well", 3) == ["1 down", "2 need a hand", "1 being asked"]
    assert page.title == "\u26a0\ufe0e 3 · 10 W · house"


@pytest.mark.parametrize(("asked", "seconds"), [(True, "15"), (False, "2")])
def test_the_page_loads_itself_again_sooner_while_something_is_unknown(asked: bool, seconds: str) -> None:
    page = seen(page_of([WELL, replace(WELL, is_asked=asked)]))
    assert {"http-equiv": "refresh", "content": seconds} in page.attributes


@pytest.mark.parametrize(
    ("page", "what"),
    [
        (page_of(), "No bridge has announced itself in this network yet."),
        (page_of(discovery=False), "No bridge is configured, and discovery is off."),
        (replace(page_of(), is_searching=True), "Looking for bridges in this network …"),
    ],
)
def test_without_bridges_the_page_says_what_to_do(page: Page, what: str) -> None:
    for language in LANGUAGES:
        html = seen(page, language)
        assert "main" not in html.tags
        assert language.say(what) in html.texts


def test_a_refused_configuration_is_told_with_its_error() -> None:
    page = replace(
        page_of([WELL]), loaded_at=READ_AT - 3600, reload_error="config.yml: timout: unknown <key>"
    )
    for language in LANGUAGES:
        html = seen(page, language)
        assert "config.yml: timout: unknown <key>" in html.texts
        assert "10:11" in html.text


def test_bridges_that_have_no_room_are_told() -> None:
    assert (
        "More bridges announce themselves than the exporter reads."
        in seen(replace(page_of([WELL]), is_limited=True)).texts
    )


@pytest.mark.parametrize(
    ("summary", "state", "words"),
    [
        (PROVIDER, "well", "12,480"),
        (replace(PROVIDER, is_subscribed=False), "well", "none at the moment"),
        (replace(PROVIDER, readings="poll"), "well", "asked for every minute"),
        (replace(PROVIDER, readings="off"), "well", "with the inventory only"),
        (replace(PROVIDER, name="", inventory_at=None), "being asked", "Provider API"),
        (replace(PROVIDER, problems=("the provider API answered status 503",)), "needs a hand", "503"),
        (replace(PROVIDER, inventory_at=None, installations=0, problems=("<b>",)), "down", "\u2013"),
    ],
)
def test_the_provider_is_a_card_of_its_own(summary: Summary, state: str, words: str) -> None:
    page = replace(page_of(), provider=summary)
    html = seen(page)
    assert (html.tags.count("article"), html.tags.count("section")) == (1, 0)
    assert state in html.texts
    assert words in html.text
    assert seen(page, DEUTSCH).texts


@pytest.fixture
def project_urls(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Sets what the installed package says of its places; None for one that is not installed."""

    def set_to(*urls: str | None) -> None:
        def of(name: str) -> Message:
            if None in urls:
                raise metadata.PackageNotFoundError(name)
            message = Message()
            for url in urls:
                message["Project-URL"] = str(url)
            return message

        documentation_url.cache_clear()
        monkeypatch.setattr(metadata, "metadata", of)

    yield set_to
    documentation_url.cache_clear()


def test_links_are_relative_but_those_that_lead_elsewhere(project_urls: Callable[..., None]) -> None:
    project_urls("Source, https://git.example/iometer", "Documentation, https://git.example/iometer/docs")
    page = seen(replace(page_of([WELL]), dashboard_url="/grafana"))
    elsewhere = {"https://git.example/iometer/docs", "/grafana"}
    assert elsewhere <= set(page.links)
    assert all(not urlsplit(address).scheme and address[0] != "/" for address in set(page.links) - elsewhere)
    assert {"metrics", "sd", "-/healthy"} <= set(page.links)


@pytest.mark.parametrize("urls", [(), ("Source, https://git.example/iometer",), (None,)])
def test_nothing_leads_to_where_nothing_is(
    urls: tuple[str | None, ...], project_urls: Callable[..., None]
) -> None:
    project_urls(*urls)
    page = seen(page_of([WELL]))
    assert not {"Documentation", "Dashboards"} & set(page.texts)


@pytest.mark.parametrize("address", ["192.168.1.50", "[fd00::1%eth0]:8080", "bridge.example.org:81"])
def test_each_bridge_links_to_its_probe(address: str) -> None:
    [link] = [each for each in seen(page_of([replace(WELL, address=address)])).links if "probe" in each]
    assert parse_qs(urlsplit(link).query) == {"target": [address], "debug": ["true"]}


def test_the_icon_has_the_colour_of_the_worst_state_and_loads_nothing() -> None:
    icons = set()
    for glances in ([WELL], [WELL, DOWN], [WELL, glance_of("pin-missing")], []):
        [icon] = [each["href"] for each in seen(page_of(glances)).attributes if each.get("rel") == "icon"]
        assert icon is not None
        assert unquote(icon).startswith("data:image/svg+xml,<svg ")
        icons.add(icon)
    assert len(icons) == 4


def test_the_page_may_load_and_run_nothing_but_its_style() -> None:
    html = render_page(page_of([WELL]), ENGLISH)
    headers = headers_of(ENGLISH)
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert (headers["Content-Language"], headers["Cache-Control"]) == ("en", "no-store")
    page = Seen(html)
    assert not {"script", "img", "object", "iframe", "form"} & set(page.tags)
    assert not [
        each for each in page.attributes if "style" in each or any(key.startswith("on") for key in each)
    ]


@given(
    st.text(
        st.sampled_from("<>&\"'{}$\u202e\u2066\u05d0 ") | st.characters(exclude_categories=["Cs"]),
        min_size=1,
        max_size=30,
    )
)
@examples(15)
def test_names_of_strangers_stay_names(evil: str) -> None:
    def page(text: str) -> Page:
        assert WELL.status is not None
        status = replace(WELL.status, power=text, battery_ratio=None, bridge_version=text, problems=(text,))
        glance = replace(WELL, name=text, meter=text, address=text, status=status)
        glances = [glance, failing(glance, reading="connect", status="connect")]
        return replace(page_of(glances), reload_error=text, provider=replace(PROVIDER, name=text))

    for language in LANGUAGES:
        html = render_page(page(evil), language)
        assert Seen(html).tags == seen(page("harmless"), language).tags
        assert not set("\u202e\u2066") & set(html)


def test_every_kind_of_bridge_is_shown_in_both_languages() -> None:
    page = replace(page_of(glances_of_every_kind(quick=True)), now=NOON)
    for language in LANGUAGES:
        html = seen(page, language)
        assert html.tags.count("article") == 15
        # A page of fifteen bridges stays small, before it is compressed.
        assert len(json.dumps(html.texts)) < 20_000


@pytest.mark.parametrize(
    "url",
    [
        "https://grafana.example/d/abc?orgId=1&from=now-6h",
        "http://192.168.1.5:3000",
        "http://[fd00::1]:3000/",
        "/grafana/",
        " https://grafana.example ",
        "",
    ],
)
def test_dashboards_may_be_anywhere_on_the_web(url: str) -> None:
    assert parse_dashboard_url(url) == url.strip()


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("javascript:alert(1)", "is no address of a web page"),
        ("grafana.example", "is no address of a web page"),
        ("//grafana.example", "is no address of a web page"),
        ("ftp://grafana.example", "is no address of a web page"),
        ("https://", "is no address of a web page"),
        ("https://[::1", "is no address of a web page"),
        ("https://grafana.example:port/", "is no address of a web page"),
        ("https://grafana.example/a b", "is no address of a web page"),
        ("/a\\b", "is no address of a web page"),
        ("https://me:secret@grafana.example/", "would be shown to everybody"),
    ],
)
def test_what_a_browser_should_not_follow_is_no_address_of_dashboards(url: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as error:
        parse_dashboard_url(url)
    assert "secret" not in str(error.value)
