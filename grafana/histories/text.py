"""Series that grow scrape by scrape, and the OpenMetrics text that promtool makes blocks of."""

from array import array
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

from prometheus_client.core import Metric

from iometer_exporter.metrics.families import Distribution, Family, Owned
from iometer_exporter.metrics.lines import number

_TYPES: Final = {"counter": "counter", "gauge": "gauge", "histogram": "histogram"}

_ENDS: Final = {"counter": "_total", "histogram": "_bucket"}
"""What the name of a sample has and that of its family has not, by its type."""

Key = tuple[str, tuple[tuple[str, str], ...]]


class _Series:
    __slots__ = ("prefix", "scrapes", "values")

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.scrapes = array("L")
        self.values = array("d")


class Recorder:
    """The samples of many scrapes of one target, whose labels are given once.

    Families and labels are the exporter's own: what it renames is renamed here.
    """

    def __init__(self, target: Mapping[str, str]) -> None:
        self._target = dict(target)
        self._families: dict[str, tuple[str, dict[Key, _Series]]] = {}
        self._known: dict[tuple[object, ...], _Series] = {}
        self._times: list[str] = []
        self.samples = 0
        """Samples recorded so far."""

    def record(self, families: Iterable[Metric], time: float) -> int:
        """Add the samples of one scrape at a unix time; their number."""
        count, scrape = 0, self._scrape(time)
        known = self._known
        for family in families:
            for name, labels, value, *_ in family.samples:
                key = (name, *labels, *labels.values())
                series = known.get(key)
                if series is None:
                    series = known[key] = self._new(family.name, family.type, name, labels)
                series.scrapes.append(scrape)
                series.values.append(value)
                count += 1
        self.samples += count
        return count

    def record_owned(self, owned: Iterable[Owned], time: float) -> int:
        """Add the samples of one scrape at a unix time, of a histogram its buckets; their number."""
        before, scrape = self.samples, self._scrape(time)
        for owner, samples in owned:
            for family, labels, value in samples:
                if isinstance(value, Distribution):
                    for bound, observed in zip(value.bounds, value.counts, strict=True):
                        self._append(scrape, _buckets(family), (*owner, *labels, number(bound)), observed)
                elif value is not None:
                    self._append(scrape, family, (*owner, *labels), value)
        return self.samples - before

    def _append(self, scrape: int, family: Family, labels: tuple[str, ...], value: float) -> None:
        key = (family.name, labels)
        series = self._known.get(key)
        if series is None:
            series = self._known[key] = self._new_owned(family, labels)
        series.scrapes.append(scrape)
        series.values.append(value)
        self.samples += 1

    def record_text(self, page: str, time: float, *, leave_out: Collection[str] = ()) -> int:
        """Add a page in the text format OpenMetrics at a unix time, but for some families; their number."""
        scrape = self._scrape(time)
        count, family, known = 0, "", self._known
        for line in page.splitlines():
            if line.startswith("#"):
                if line.startswith("# TYPE "):
                    _, _, family, kind = line.split(" ")
                    if family not in leave_out:
                        self._families.setdefault(family, (_TYPES[kind], {}))
                continue
            if family in leave_out:
                continue
            sample, _, value = line.rpartition(" ")
            series = known.get((sample,))
            if series is None:
                series = known[sample,] = self._new_text(family, sample)
            series.scrapes.append(scrape)
            series.values.append(float(value))
            count += 1
        self.samples += count
        return count

    def _scrape(self, time: float) -> int:
        """The number of the scrape at this time, which is that of the last one or a new one."""
        text = f"{time:.3f}"
        if not self._times or self._times[-1] != text:
            self._times.append(text)
        return len(self._times) - 1

    def add(self, name: str, value: float, time: float) -> None:
        """Add a gauge that Prometheus itself writes about a scrape, such as `up`."""
        series = self._known.get((name,))
        if series is None:
            series = self._known[name,] = self._new(name, "gauge", name, {})
        series.scrapes.append(self._scrape(time))
        series.values.append(value)
        self.samples += 1

    def write(self, path: Path) -> None:
        """Write all of it as OpenMetrics text, each family in one piece."""
        times = self._times
        with path.open("w", encoding="utf-8") as file:
            for name, (kind, known) in self._families.items():
                file.write(f"# TYPE {name} {kind}\n")
                for one in known.values():
                    prefix, pairs = one.prefix, zip(one.values, one.scrapes, strict=True)
                    file.writelines([f"{prefix}{value!r} {times[scrape]}\n" for value, scrape in pairs])
            file.write("# EOF\n")

    def _new(self, family: str, kind: str, sample: str, own: Mapping[str, str]) -> _Series:
        _, series = self._families.setdefault(family, (_TYPES[kind], {}))
        labels = tuple(sorted({**own, **self._target}.items()))
        text = ",".join(f'{key}="{_escaped(value)}"' for key, value in labels)
        one = series[sample, labels] = _Series(f"{sample}{{{text}}} ")
        return one

    def _new_owned(self, family: Family, values: tuple[str, ...]) -> _Series:
        labels = dict(zip(family.labels, values, strict=True))
        name = family.name.removesuffix(_ENDS.get(family.type, ""))
        return self._new(name, family.type, family.name, labels)

    def _new_text(self, family: str, sample: str) -> _Series:
        target = ",".join(f'{key}="{_escaped(value)}"' for key, value in self._target.items())
        head, brace, labels = sample.partition("{")
        inside = labels.removesuffix("}") if brace else ""
        one = _Series(f"{head}{{{inside}{',' if inside else ''}{target}}} ")
        self._families[family][1][sample, ()] = one
        return one


@cache
def _buckets(family: Family) -> Family:
    return replace(family, name=f"{family.name}_bucket", labels=(*family.labels, "le"))


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
