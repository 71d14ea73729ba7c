"""How the cells of a frame are shown: the configuration of each field, its texts and its colours."""

import math
from collections.abc import Iterable, Mapping
from datetime import tzinfo
from typing import Any

from grafana.drawing import theme
from grafana.drawing.units import formatted
from grafana.query.frames import Cell, Field, Frame

Json = Mapping[str, Any]


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
