"""The text of a scrape with a provider: what is encoded now, and the kept lines of installations."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from iometer_exporter.metrics.exposition import Format, render_family
from iometer_exporter.metrics.families import Family
from iometer_exporter.provider.served.families import INSTALLATION_FAMILIES, SHARED_FAMILIES
from iometer_exporter.provider.served.lines import LineStore

_COUNTER_SUFFIX: Final = "_total"


def assemble(collectors: Iterable[Collector], store: LineStore, text_format: Format) -> list[bytes]:
    """The pieces of the text: each family once, samples of the collectors before those of installations.

    What changes in the store later does not change the pieces.
    """
    kept = {_name(family): index for index, family in enumerate(INSTALLATION_FAMILIES)}
    helps = {_name(family): family.help for family in SHARED_FAMILIES}
    pieces: list[bytes] = []
    for collector in collectors:
        for family in collector.collect():
            family.documentation = helps.get(family.name, family.documentation)
            pieces.append(render_family(family, text_format))
            if family.name in kept:
                pieces += store.pieces(kept.pop(family.name))
    for index in kept.values():
        if lines := store.pieces(index):
            pieces.append(_header(INSTALLATION_FAMILIES[index], text_format))
            pieces += lines
    pieces.append(text_format.end)
    return pieces


def _name(family: Family) -> str:
    """The name as prometheus_client's families have it."""
    return family.name.removesuffix(_COUNTER_SUFFIX) if family.type == "counter" else family.name


@lru_cache(maxsize=2 * len(INSTALLATION_FAMILIES))
def _header(family: Family, text_format: Format) -> bytes:
    kind = CounterMetricFamily if family.type == "counter" else GaugeMetricFamily
    empty = kind(family.name, family.help, labels=family.labels, unit=family.unit)
    return render_family(empty, text_format)
