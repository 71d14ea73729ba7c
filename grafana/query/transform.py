"""The transformations that the dashboards use, done as Grafana does them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from grafana.query.frames import Cell, Field, Frame

Json = Mapping[str, Any]

_REDUCERS: Final[Mapping[str, tuple[str, Callable[[Sequence[float]], float]]]] = {
    "sum": ("Total", sum),
    "max": ("Max", max),
    "min": ("Min", min),
    "mean": ("Mean", lambda values: sum(values) / len(values)),
    "lastNotNull": ("Last *", lambda values: values[-1]),
    "last": ("Last", lambda values: values[-1]),
}


def transformed(frames: list[Frame], steps: Sequence[Json]) -> list[Frame]:
    """The frames after the transformations of a panel."""
    for step in steps:
        if not step.get("disabled"):
            frames = _STEPS[step["id"]](frames, step.get("options", {}))
    return frames


def reduced(values: Sequence[Cell], reducer: str) -> float | None:
    """One number for a field; None where it has none."""
    numbers = [value for value in values if isinstance(value, float)]
    return float(_REDUCERS[reducer][1](numbers)) if numbers else None


def reducer_name(reducer: str) -> str:
    """What Grafana calls a reducer."""
    return _REDUCERS[reducer][0]


def _reduce(frames: list[Frame], options: Json) -> list[Frame]:
    fields = [one for frame in frames for one in frame.value_fields]
    names: list[Cell] = [one.title for one in fields]
    columns = [
        Field(reducer_name(reducer), [reduced(one.values, reducer) for one in fields])
        for reducer in options["reducers"]
    ]
    return [Frame(frames[0].ref, [Field("Field", names), *columns])] if fields else []


def _organize(frames: list[Frame], options: Json) -> list[Frame]:
    excluded, order = options.get("excludeByName", {}), options.get("indexByName", {})
    renamed = options.get("renameByName", {})
    for frame in frames:
        kept = [one for one in frame.fields if not excluded.get(one.name)]
        frame.fields = sorted(kept, key=lambda one: order.get(one.name, len(order)))
        for one in frame.fields:
            one.display = renamed.get(one.name) or one.display
    return frames


def _sort_by(frames: list[Frame], options: Json) -> list[Frame]:
    for frame in frames:
        for rule in reversed(options["sort"]):
            by = frame.named(rule["field"])
            if by is None:
                continue
            keys = [(value is not None, value if value is not None else 0.0) for value in by.values]
            order = sorted(range(len(keys)), key=keys.__getitem__, reverse=bool(rule.get("desc")))
            _reorder(frame, order)
    return frames


def _limit(frames: list[Frame], options: Json) -> list[Frame]:
    for frame in frames:
        _reorder(frame, list(range(min(int(options["limitField"]), len(frame.fields[0].values)))))
    return frames


def _merge(frames: list[Frame], _options: Json) -> list[Frame]:
    """One row for all rows that agree in the fields that every frame has."""
    if len(frames) < 2:
        return frames
    shared = [
        one.name
        for one in frames[0].fields
        if all(any(other.name == one.name for other in frame.fields) for frame in frames)
    ]
    columns: dict[str, Field] = {}
    rows: dict[tuple[Cell, ...], dict[str, Cell]] = {}
    for frame in frames:
        for one in frame.fields:
            columns.setdefault(one.name, Field(one.name, [], is_time=one.is_time))
        for index in range(len(frame.fields[0].values)):
            row = {one.name: one.values[index] for one in frame.fields}
            rows.setdefault(tuple(row[name] for name in shared), {}).update(row)
    for column in columns.values():
        column.values = [row.get(column.name) for row in rows.values()]
    return [Frame(frames[0].ref, list(columns.values()))]


def _grouping_to_matrix(frames: list[Frame], options: Json) -> list[Frame]:
    found = []
    for frame in frames:
        row, column, value = (
            frame.named(options[f"{part}Field"] or default)
            for part, default in (("row", "Time"), ("column", "Time"), ("value", "Value"))
        )
        if row is None or column is None or value is None:
            continue
        rows, columns = list(dict.fromkeys(row.values)), list(dict.fromkeys(column.values))
        cells = dict(zip(zip(row.values, column.values, strict=True), value.values, strict=True))
        head = Field(f"{options['rowField']}\\{options['columnField']}", rows)
        body = [Field(str(name), [cells.get((one, name)) for one in rows]) for name in columns]
        found.append(Frame(frame.ref, [head, *body]))
    return found


def _reorder(frame: Frame, order: list[int]) -> None:
    for one in frame.fields:
        one.values = [one.values[index] for index in order]


_STEPS: Final[Mapping[str, Callable[[list[Frame], Json], list[Frame]]]] = {
    "reduce": _reduce,
    "organize": _organize,
    "sortBy": _sort_by,
    "limit": _limit,
    "merge": _merge,
    "groupingToMatrix": _grouping_to_matrix,
}
