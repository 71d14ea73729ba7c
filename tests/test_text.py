"""Texts for people."""

import pytest

from iometer_exporter.text import FirstFew


@pytest.mark.parametrize(
    ("pages", "expected"),
    [
        ([], ""),
        ([["a"]], "a"),
        ([["a", "b"], ["c"]], "a; b; c"),
        ([["a"], ["b", "c", "d"], ["e"]], "a; b; c and 2 more"),
    ],
)
def test_the_first_few_and_how_many_more(pages: list[list[str]], expected: str) -> None:
    few = FirstFew()
    for page in pages:
        few.add(*page)
    assert (str(few), few.count) == (expected, sum(map(len, pages)))
