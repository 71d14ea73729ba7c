from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from iometer_exporter.web.landing.markup import Html, join, tag, text_of
from tests.web.landing.pages import Seen

NASTY = st.text(st.sampled_from("<>&\"'`=/ -!;\u202e\u2066\u2069\x00\r\n") | st.characters(), max_size=40)


def test_text_is_escaped_and_markup_is_not() -> None:
    assert tag("b", "<i>", Html("<i>x</i>"), None, "") == "<b>&lt;i&gt;<i>x</i></b>"
    assert join("a", None, "", Html("<br>"), by="&") == "a&amp;<br>"


def test_attributes_are_escaped_and_may_be_absent() -> None:
    html = tag("a", "x", href='"><script>', class_="c", aria_label=None, http_equiv="r")
    assert html == '<a href="&quot;&gt;&lt;script&gt;" class="c" http-equiv="r">x</a>'


def test_some_elements_have_no_end() -> None:
    assert tag("meta", charset="utf-8") == '<meta charset="utf-8">'


def test_what_turns_the_direction_of_text_is_shown_as_a_mark() -> None:
    assert text_of("a\u202eb\u2067c\u200fd") == "a\ufffdb\ufffdc\ufffdd"


class Texts(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, name: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((name, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@given(NASTY)
def test_no_text_leaves_its_place(text: str) -> None:
    found = Texts(tag("p", text, title=text))
    shown = text_of(text)
    [(name, attributes)] = found.tags
    assert (name, set(attributes)) == ("p", {"title"})
    assert attributes["title"] == found.text == Texts(shown).text
    assert not set("\u202e\u2066\u2069\x00\r\n") & set(found.text)
    assert Seen(tag("p", text)).tags == ["p"]
