"""Answers as frames of fields, as Grafana's transformations and panels get them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from grafana.query.interpolate import Query, legend
from grafana.query.source import Series

Cell = float | str | None


@dataclass(slots=True)
class Field:
    """A column: its name, what it is shown as, its values (times in unix seconds) and its configuration."""

    name: str
    values: list[Cell]
    labels: Mapping[str, str] = field(default_factory=dict)
    display: str = ""
    is_time: bool = False
    config: dict[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What it is shown as."""
        return str(self.config.get("displayName") or self.display or self.name)

    @property
    def numbers(self) -> list[float]:
        """Its numbers, gaps as NaN."""
        return [value if isinstance(value, float) else math.nan for value in self.values]

    @property
    def last(self) -> Cell:
        """The newest value that is none of the gaps."""
        return next((value for value in reversed(self.values) if value is not None), None)


@dataclass(slots=True)
class Frame:
    """Fields of equal length from one query."""

    ref: str
    fields: list[Field]

    def named(self, name: str) -> Field | None:
        """The field of a name."""
        return next((one for one in self.fields if name in (one.name, one.title)), None)

    @property
    def times(self) -> list[float]:
        """The values of its first time field."""
        return next((one.numbers for one in self.fields if one.is_time), [])

    @property
    def value_fields(self) -> list[Field]:
        """The fields that hold numbers and are no times."""
        return [
            one
            for one in self.fields
            if not one.is_time and any(isinstance(value, float) for value in one.values)
        ]


def frames(answers: Sequence[tuple[Query, list[Series]]]) -> list[Frame]:
    """The answers to the queries of a panel; a gap of more than a step is a gap."""
    found: list[Frame] = []
    for query, answer in answers:
        if query.format == "table":
            if answer:
                found.append(_table(query, answer, "Value" if len(answers) == 1 else f"Value #{query.ref}"))
        else:
            found += [_series(query, one) for one in answer]
    return found


def _series(query: Query, series: Series) -> Frame:
    times: list[Cell] = []
    values: list[Cell] = []
    for time, value in series.samples:
        if times and query.kind == "range" and time - float(times[-1] or 0) > query.step * 1.5:
            times.append(time - query.step)
            values.append(None)
        times.append(time)
        values.append(None if math.isnan(value) else value)
    name = legend(query.legend, series.labels)
    return Frame(
        query.ref,
        [Field("Time", times, is_time=True), Field("Value", values, labels=series.labels, display=name)],
    )


def _table(query: Query, answer: list[Series], value_name: str) -> Frame:
    labels = sorted({label for series in answer for label in series.labels})
    rows = sorted(
        ((time, value, series.labels) for series in answer for time, value in series.samples),
        key=lambda row: row[0],
    )
    columns = [Field(label, [row[2].get(label, "") for row in rows]) for label in labels]
    times = Field("Time", [row[0] for row in rows], is_time=True)
    return Frame(query.ref, [times, *columns, Field(value_name, [row[1] for row in rows])])
