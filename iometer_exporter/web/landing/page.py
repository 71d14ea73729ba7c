"""The page for people: summary, cards and links, as HTML with the headers that belong to it."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from iometer_exporter import __version__
from iometer_exporter.bridges.glance import Glance
from iometer_exporter.web.landing.bridge_card import BridgeCard, bridge_card
from iometer_exporter.web.landing.findings import STATES, State
from iometer_exporter.web.landing.language import Language
from iometer_exporter.web.landing.links import documentation_url
from iometer_exporter.web.landing.markup import Html, join, tag
from iometer_exporter.web.landing.parts import STATE_WORDS, notice
from iometer_exporter.web.landing.provider_card import provider_card, provider_state

if TYPE_CHECKING:
    from iometer_exporter.provider.source import Summary

REFRESH_SECONDS: Final = 15

ASKING_REFRESH_SECONDS: Final = 2
"""While there is a bridge of which nothing is known yet."""

_STYLE: Final = files("iometer_exporter.web.landing").joinpath("page.css").read_text(encoding="utf-8")

_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

_SECURITY_HEADERS: Final = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}

_ICON_COLOURS: Final[dict[State, str]] = {
    "down": "#c4321c",
    "hand": "#b87503",
    "asking": "#64707d",
    "well": "#1a7f4b",
}


@dataclass(frozen=True)
class Page:
    """What the page shows: the bridges in the order of the exporter, and what there is to say besides.

    `now` is Unix time, `stale_after` in seconds. `loaded_at` is when the configuration in force was read, and
    `reload_error` why a newer one was not. `is_searching` is true while the first search for bridges is under
    way, `is_limited` if more were found than are let in.
    """

    glances: Sequence[Glance]
    now: float
    stale_after: float
    discovery: bool
    is_searching: bool = False
    is_limited: bool = False
    loaded_at: float = 0.0
    reload_error: str = ""
    provider: "Summary | None" = None
    dashboard_url: str = ""


def headers_of(say: Language) -> Mapping[str, str]:
    """The headers of the page in a language; nothing but its own style may be loaded or run."""
    return {
        **_SECURITY_HEADERS,
        "Content-Language": say.code,
        "Cache-Control": "no-store",
        "Vary": "Accept-Language, Accept-Encoding",
    }


def render_page(page: Page, say: Language) -> str:
    """The page as HTML, every value from outside escaped."""
    cards = [
        BridgeCard.of(glance, say, now=page.now, stale_after=page.stale_after) for glance in page.glances
    ]
    states = [card.state for card in cards]
    if page.provider is not None:
        states.append(provider_state(page.provider))
    is_waiting = "asking" in states or (page.is_searching and not cards)
    refresh = ASKING_REFRESH_SECONDS if is_waiting else REFRESH_SECONDS
    worst: State = next((state for state in STATES if state in states), "asking")
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="refresh", content=str(refresh)),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", _title(cards, say)),
        tag("link", rel="icon", href=_icon(worst)),
        tag("style", Html(_STYLE)),
    )
    body = tag(
        "body",
        _top(page, cards, say),
        *_notices(page, bool(cards), say),
        tag("main", *_cards(page, cards, say)) if cards or page.provider is not None else None,
        _footer(page, refresh, say),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang=say.code)}\n"


def _title(cards: Sequence[BridgeCard], say: Language) -> str:
    """The power of the first bridge that has one, and how many bridges need somebody."""
    shown = next((card for card in cards if card.power is not None), None)
    troubled = sum(card.state in ("down", "hand") for card in cards)
    parts = [f"\N{WARNING SIGN}\N{VARIATION SELECTOR-15} {troubled}"] if troubled else []
    if shown is None or shown.power is None:
        return " · ".join([*parts, "IOmeter"])
    parts.append(say.power(shown.power))
    # Isolated, so that a name written from right to left does not turn the number.
    return " · ".join([*parts, shown.glance.name])


def _icon(state: State) -> str:
    """The icon in the colour of the state, as an address that loads nothing."""
    svg = (
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'>"
        f"<rect width='32' height='32' rx='8' fill='{_ICON_COLOURS[state]}'/>"
        "<path d='M18 4 8 18h7l-2 10 11-15h-7l3-9z' fill='#fff'/></svg>"
    )
    return f"data:image/svg+xml,{quote(svg)}"


def _top(page: Page, cards: Sequence[BridgeCard], say: Language) -> Html:
    summary = None
    if cards:
        counts = {state: sum(card.state == state for card in cards) for state in STATES}
        well = tag(
            "li",
            say.say("{count} of {all} well", count=str(counts["well"]), all=str(len(cards))),
            class_="well" if counts["well"] else None,
        )
        others = (
            tag("li", f"{counts[state]} {say.say(_plural(state, counts[state]))}", class_=state)
            for state in STATES
            if counts[state] and state != "well"
        )
        summary = tag("ul", well, *others)
    clock = tag("p", tag("time", say.clock(page.now, with_zone=True)), class_="clock")
    return tag("header", tag("h1", "IOmeter"), summary, clock, class_="top")


def _plural(state: State, count: int) -> str:
    return "need a hand" if state == "hand" and count > 1 else STATE_WORDS[state]


def _notices(page: Page, has_bridges: bool, say: Language) -> list[Html]:
    notices = []
    if page.reload_error:
        notices.append(
            notice(
                "hand",
                say.say("The new configuration has a mistake and is not in force."),
                say.say(
                    "The exporter goes on with the one of {moment}. At its next start it would not come up.",
                    moment=say.moment(page.loaded_at, page.now),
                ),
                tag("code", page.reload_error, lang="en"),
            )
        )
    if page.is_limited:
        notices.append(
            notice(
                "hand",
                say.say("More bridges announce themselves than the exporter reads."),
                say.say("Name yours in the configuration, or raise the limit there."),
            )
        )
    if has_bridges or page.provider is not None:
        return notices
    option, switch = tag("code", "--bridge ADDRESS"), tag("code", "--discovery")
    if page.is_searching:
        what = say.say("Looking for bridges in this network …")
        notices.append(notice("note", what, say.say("This takes a few seconds.")))
    elif page.discovery:
        notices.append(
            notice(
                "note",
                say.say("No bridge has announced itself in this network yet."),
                say.say("A bridge must be in the same network segment as this host."),
                join(say.say("Otherwise start the exporter with its address: "), option),
            )
        )
    else:
        notices.append(
            notice(
                "hand",
                say.say("No bridge is configured, and discovery is off."),
                join(say.say("Start the exporter with one of these: "), option, Html(", "), switch),
            )
        )
    return notices


def _cards(page: Page, cards: Sequence[BridgeCard], say: Language) -> list[Html]:
    numbered = sorted(enumerate(cards), key=lambda each: STATES.index(each[1].state))
    written = [bridge_card(card, say, number=number, now=page.now) for number, card in numbered]
    if page.provider is not None:
        written.append(provider_card(page.provider, say, now=page.now))
    return written


def _footer(page: Page, refresh: int, say: Language) -> Html:
    links = [
        (say.say("Dashboards"), page.dashboard_url),
        (say.say("Documentation"), documentation_url()),
        (say.say("Metrics"), "metrics"),
        (say.say("Targets"), "sd"),
        (say.say("Health"), "-/healthy"),
    ]
    read = say.say(
        "Read at {clock}, again in {seconds}",
        clock=say.clock(page.now, with_zone=True),
        seconds=say.duration(refresh),
    )
    return tag(
        "footer",
        tag("nav", *(tag("a", name, href=url) for name, url in links if url)),
        tag("p", f"{read} · iometer-exporter {__version__}"),
    )
