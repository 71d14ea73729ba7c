"""The card of the provider API, whose installations are too many for one each."""

from typing import TYPE_CHECKING

from iometer_exporter.web.landing.findings import Finding, Severity, State
from iometer_exporter.web.landing.language import Language
from iometer_exporter.web.landing.markup import Html, tag
from iometer_exporter.web.landing.parts import UNKNOWN, article, fact, finding_list

if TYPE_CHECKING:
    from iometer_exporter.provider.source import Summary


def provider_card(summary: "Summary", say: Language, *, now: float) -> Html:
    """The card as HTML; `now` is Unix time."""
    state = provider_state(summary)
    severity: Severity = "down" if state == "down" else "hand"
    findings = [
        Finding(
            severity,
            say.say("The provider API does not do what it is asked."),
            say.say("What is known is served on. The log of the exporter says more."),
            problem,
        )
        for problem in summary.problems
    ]
    readings = {
        "subscribe": "as they come" if summary.is_subscribed else "none at the moment",
        "poll": "asked for every minute",
        "off": "with the inventory only",
    }
    if summary.inventory_at is None:
        count, inventory = UNKNOWN, say.say("none yet")
    else:
        count = say.number(summary.installations)
        inventory = say.say("{age} ago", age=say.duration(now - summary.inventory_at))
    figures = (
        tag("p", tag("span", count, class_="value"), class_="power"),
        tag("p", say.say("installations"), class_="way"),
    )
    facts = (
        fact(say.say("Inventory"), inventory),
        fact(say.say("Readings"), say.say(readings[summary.readings])),
    )
    return article(
        state,
        say,
        tag("bdi", summary.name or say.say("Provider API")),
        tag("div", *figures, finding_list(findings), class_="now"),
        tag("div", tag("dl", *facts), class_="facts"),
    )


def provider_state(summary: "Summary") -> State:
    """The state of the provider API as a whole."""
    if summary.problems:
        return "down" if summary.inventory_at is None else "hand"
    return "asking" if summary.inventory_at is None else "well"
