"""Parts that cards have in common."""

from collections.abc import Sequence
from typing import Final

from iometer_exporter.web.landing.findings import Finding, Severity, State
from iometer_exporter.web.landing.language import Language
from iometer_exporter.web.landing.markup import Html, tag

UNKNOWN: Final = "\N{EN DASH}"

STATE_WORDS: Final[dict[State, str]] = {
    "down": "down",
    "hand": "needs a hand",
    "asking": "being asked",
    "well": "well",
}


def article(state: State, say: Language, title: Html, *body: Html | None) -> Html:
    """A card with its title and state above the blocks of its body."""
    return tag(
        "article",
        tag("header", tag("h2", title), tag("p", say.say(STATE_WORDS[state]), class_="state")),
        tag("div", *body, class_="body"),
        class_=state,
    )


def finding_list(findings: Sequence[Finding]) -> Html | None:
    """The findings as a list; None if there are none."""
    if not findings:
        return None
    items = (
        tag(
            "li",
            tag("strong", finding.what),
            *([Html(" "), tag("span", finding.advice)] if finding.advice else []),
            *([Html(" "), tag("small", finding.detail, lang="en")] if finding.detail else []),
            class_=finding.severity,
        )
        for finding in findings
    )
    return tag("ul", *items)


def fact(name: str, *value: str, class_: str | None = None) -> Html:
    """A name and its value, for a list of such."""
    return tag("div", tag("dt", name), tag("dd", *value), class_=class_)


def notice(severity: Severity, what: str, *more: str) -> Html:
    """A sentence above the cards, and what belongs to it."""
    return tag(
        "section",
        tag("p", tag("strong", what)),
        *(tag("p", each) for each in more),
        class_=f"notice {severity}",
    )
