"""The page of a scrape with a provider: lines written now, and the kept lines of installations."""

from collections.abc import Iterable
from typing import Final

from iometer_exporter.metrics.exposition import Format
from iometer_exporter.metrics.lines import Lines
from iometer_exporter.provider.served.families import INSTALLATION_FAMILIES, SHARED_FAMILIES
from iometer_exporter.provider.served.lines import LineStore

_SHARED: Final = {family.name: family for family in SHARED_FAMILIES}
_KEPT: Final = {family.name: index for index, family in enumerate(INSTALLATION_FAMILIES)}


def assemble(parts: Iterable[Lines], store: LineStore, text_format: Format) -> list[bytes]:
    """The pieces of the page: one part after the other, and the kept lines of installations.

    Each family stands once: of those that bridges and installations share, bridges come first. What changes
    in the store later does not change the pieces.
    """
    kept = dict(_KEPT)
    pieces: list[bytes] = []
    for part in parts:
        for family, lines in part:
            # A header of both tells of both.
            pieces.append(text_format.header(_SHARED.get(family.name, family)))
            pieces += lines
            if family.name in kept:
                pieces += store.pieces(kept.pop(family.name))
    for index in kept.values():
        if of_family := store.pieces(index):
            pieces.append(text_format.header(INSTALLATION_FAMILIES[index]))
            pieces += of_family
    pieces.append(text_format.end)
    return pieces
