"""Pages of the tests, and a reader of their HTML."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

from iometer_exporter.bridges.glance import Glance
from iometer_exporter.errors import FetchError, Reason
from iometer_exporter.meter.models import ENDPOINTS, Endpoint
from iometer_exporter.web.landing.language import ENGLISH, Language
from iometer_exporter.web.landing.page import Page, render_page
from tests import payloads

READ_AT = datetime(2024, 11, 11, 11, 11, tzinfo=UTC).timestamp()

VOID = {"meta", "link"}


class Seen(HTMLParser):
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

    def after(self, label: str, count: int = 1) -> list[str]:
        """The texts that follow a label."""
        start = self.texts.index(label) + 1
        return self.texts[start : start + count]

    @property
    def text(self) -> str:
        """All that is read, with plain spaces."""
        return " ".join(self.texts).replace("\u00a0", " ").replace("\u202f", " ")

    @property
    def title(self) -> str:
        return self.texts[0].replace("\u00a0", " ")

    @property
    def classes(self) -> list[str]:
        return [attributes["class"] or "" for attributes in self.attributes if "class" in attributes]

    @property
    def links(self) -> dict[str, str]:
        """Addresses by the texts of the links."""
        texts = iter(self.texts)
        found = {}
        for tag, attributes in zip(self.tags, self.attributes, strict=True):
            if tag == "a":
                address = attributes["href"] or ""
                found[address] = next(texts, "")
        return found


def glance_of(case: str) -> Glance:
    """The glance at a bridge that has just sent the payloads of a case."""
    sent, status = payloads.reading(case), payloads.status(case)
    return Glance(
        name="house",
        address="192.168.1.50",
        meter=sent.meter,
        reading=sent,
        status=status,
        answered_at=READ_AT + 5,
    )


def failing(glance: Glance, **reasons: Reason) -> Glance:
    """The glance, with endpoints that have failed the last time."""
    failures: dict[Endpoint, FetchError] = {
        endpoint: FetchError(reasons[endpoint], f"{endpoint} failed")
        for endpoint in ENDPOINTS
        if endpoint in reasons
    }
    return replace(glance, failures=failures)


def page_of(
    glances: Sequence[Glance] = (), *, age: float = 5.0, stale_after: float = 1200.0, discovery: bool = True
) -> Page:
    """The page that shows the glances so many seconds after they were read."""
    return Page(glances, now=READ_AT + age, stale_after=stale_after, discovery=discovery)


def seen(page: Page, language: Language = ENGLISH) -> Seen:
    """The page as somebody reads it, at Greenwich."""
    return Seen(render_page(page, replace(language, zone=UTC)))
