"""Answers as frames of fields, with the configuration of each field, as Grafana's panels see them."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

from grafana.drawing import theme
from grafana.drawing.source import Series
from grafana.drawing.units import formatted
from grafana.interpolate import Query, legend

Json = Mapping[str, Any]
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


def configure(found: Iterable[Frame], config: Json) -> None:
    """Give every field the panel's defaults and the overrides that match it, the later ones last."""
    index = 0
    for frame in found:
        for one in frame.fields:
            one.config = dict(config.get("defaults", {}))
            for override in config.get("overrides", []):
                if _matches(override["matcher"], frame, one):
                    one.config |= _properties(one.config, override["properties"])
            if not one.is_time:
                one.config.setdefault("palette", theme.PALETTE[index % len(theme.PALETTE)])
                index += 1


def text_of(one: Field, value: Cell, now: float, zone: tzinfo | None) -> str:
    """A value as the field shows it: mapped, or formatted in its unit."""
    config = one.config
    if (mapped := _mapping(config, value)) and mapped.get("text"):
        return str(mapped["text"])
    if value is None:
        return str(config.get("noValue", ""))
    if isinstance(value, str):
        return value
    unit = str(config.get("unit", ""))
    if one.is_time:
        unit, value = unit if unit.startswith(("time:", "dateTime")) else "dateTimeAsIso", value * 1000
    return formatted(value, unit, config.get("decimals"), now=now, zone=zone)


def colour_of(one: Field, value: Cell, low: float = 0.0, high: float = 1.0) -> str:
    """The colour of a value: of its mapping, thresholds, scale between two values, or of its series."""
    config = one.config
    if (mapped := _mapping(config, value)) and mapped.get("color"):
        return theme.colour(mapped["color"])
    colour = config.get("color", {})
    mode = colour.get("mode", "thresholds")
    if mode == "fixed":
        return theme.colour(colour["fixedColor"])
    if mode.startswith("palette"):
        return str(config.get("palette", theme.PALETTE[0]))
    if not isinstance(value, float) or math.isnan(value):
        return theme.TEXT
    if mode.startswith("continuous"):
        bottom, top = config.get("min", low), config.get("max", high)
        return theme.continuous(mode, (value - bottom) / ((top - bottom) or 1.0))
    return theme.threshold(config.get("thresholds", {}).get("steps", []), value)


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


def _matches(matcher: Json, frame: Frame, one: Field) -> bool:
    kind, wanted = matcher["id"], matcher.get("options")
    if kind == "byName":
        return wanted in (one.name, one.title)
    if kind == "byFrameRefID":
        return bool(wanted == frame.ref) and not one.is_time
    if kind == "byType":
        return bool(
            wanted == ("time" if one.is_time else "number" if one in frame.value_fields else "string")
        )
    raise NotImplementedError(f"the matcher {kind} is not known to the preview")


def _properties(config: Json, properties: Iterable[Json]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in properties:
        head, _, rest = item["id"].partition(".")
        if rest:
            found[head] = {**config.get(head, {}), **found.get(head, {}), rest: item.get("value")}
        else:
            found[head] = item.get("value")
    return found


def _mapping(config: Json, value: Cell) -> Json | None:
    for mapping in config.get("mappings", []):
        options = mapping["options"]
        if mapping["type"] == "value":
            key = f"{value:g}" if isinstance(value, float) else str(value)
            if key in options:
                return dict(options[key])
        elif mapping["type"] == "range" and isinstance(value, float):
            low, high = options.get("from"), options.get("to")
            if (low is None or value >= low) and (high is None or value <= high):
                return dict(options["result"])
        elif mapping["type"] == "special" and options.get("match") == "null" and value is None:
            return dict(options["result"])
    return None
