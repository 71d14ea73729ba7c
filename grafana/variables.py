"""The variables at the top of a dashboard: which datasource, bridges and meters, and at what price."""

from typing import Any, Final

from grafana.panels import DATASOURCE
from grafana.queries import EXPORTER, metric
from grafana.texts import Text
from iometer_exporter.metrics import families as metrics
from iometer_exporter.provider.served.families import INSTALLATIONS

Json = dict[str, Any]

_SELECTED_ALL: Final = {"selected": True, "text": ["All"], "value": ["$__all"]}
_ON_TIME_RANGE: Final = 2


def textbox(name: str, label: str, value: str, description: str) -> Json:
    """A value that people type in."""
    return {
        "current": {"selected": True, "text": value, "value": value},
        "description": Text(description),
        "hide": 0,
        "label": Text(label),
        "name": name,
        "options": [{"selected": True, "text": value, "value": value}],
        "query": value,
        "skipUrlSync": False,
        "type": "textbox",
    }


def custom(name: str, label: str, choices: dict[str, str], description: str) -> Json:
    """One of a few values (value: text); the first is the default."""
    options = [
        {"selected": index == 0, "text": Text(text), "value": value}
        for index, (value, text) in enumerate(choices.items())
    ]
    return {
        "current": options[0],
        "description": Text(description),
        "hide": 0,
        "includeAll": False,
        "label": Text(label),
        "multi": False,
        "name": name,
        "options": options,
        "query": Text(", ".join(f"{text} : {value}" for value, text in choices.items())),
        "skipUrlSync": False,
        "type": "custom",
    }


def _chosen(name: str, label: str, selector: str) -> Json:
    expression = f"label_values({selector}, {name})"
    return {
        # A meter's number may be unknown and empty; without a bridge is an installation of a provider.
        "allValue": ".+" if name == "bridge" else ".*",
        "current": _SELECTED_ALL,
        "datasource": DATASOURCE,
        "definition": expression,
        "hide": 0,
        "includeAll": True,
        "label": Text(label),
        "multi": True,
        "name": name,
        "options": [],
        "query": {"query": expression, "refId": "StandardVariableQuery"},
        "refresh": _ON_TIME_RANGE,
        "regex": "",
        "skipUrlSync": False,
        "sort": 1,
        "type": "query",
    }


def _without(selector: str, *variables: str) -> str:
    """The selector without the matchers of variables that are chosen later."""
    head, matchers = selector.rstrip("}").split("{")
    kept = [
        matcher
        for matcher in matchers.split(",")
        if not matcher.endswith(tuple(f'"${v}"' for v in variables))
    ]
    return f"{head}{{{','.join(kept)}}}" if kept else head


_UP: Final = metric(metrics.UP)
_READ: Final = metric(metrics.READING_TIMESTAMP)

CHOICE: Final[tuple[Json, ...]] = (
    {
        "current": {},
        "hide": 0,
        "includeAll": False,
        "label": Text("Data source"),
        "multi": False,
        "name": "datasource",
        "options": [],
        "query": "prometheus",
        "refresh": 1,
        "regex": "",
        "skipUrlSync": False,
        "type": "datasource",
    },
    _chosen("job", "Job", _without(_UP, "job", "instance", "bridge")),
    _chosen("instance", "Exporter", _without(_UP, "instance", "bridge")),
    _chosen("bridge", "Bridge", _without(_UP, "bridge")),
    _chosen("meter", "Meter", _without(_READ, "meter")),
)
"""Each chosen from what those before it leave."""

_HIDDEN: Final = 2
HOUSEHOLD: Final = tuple(
    item | {"hide": _HIDDEN} if item["name"] in ("job", "instance") else item for item in CHOICE
)
"""For a home, whose exporter is one: on a phone, what is at the top stands before the first number."""

_SERVED: Final = f"{INSTALLATIONS.name}{{{','.join(EXPORTER)}}}"
PROVIDER: Final[tuple[Json, ...]] = (
    CHOICE[0],
    _chosen("job", "Job", _without(_SERVED, "job", "instance")),
    _chosen("instance", "Exporter", _without(_SERVED, "instance")),
)
"""For the installations of a provider, which have no bridges."""

IMPORT_PRICE: Final = textbox(
    "import_price",
    "Price per kWh (with a point: 0.30)",
    "0.30",
    "Price of a drawn kilowatt-hour. With a comma, panels of money show an error or a wrong sum.",
)
EXPORT_PRICE: Final = textbox(
    "export_price",
    "Feed-in tariff (with a point: 0.08)",
    "0.08",
    "What a kilowatt-hour fed in brings. With a comma, panels of money show an error or a wrong sum.",
)
BASE_FEE: Final = textbox(
    "base_fee",
    "Base fee per month",
    "12",
    "Base fee of a month, of all chosen meters together; 0 leaves it out everywhere.",
)
CURRENCY: Final = textbox("currency", "Currency", "€", "Of the prices; stands in the titles of the panels.")
PRICES: Final = (IMPORT_PRICE, EXPORT_PRICE, BASE_FEE, CURRENCY)
"""The same on all dashboards with money, so that all of them show the same sums."""

UTC_OFFSET: Final = textbox(
    "utc_offset", "Hours ahead of UTC", "1", "Your time in winter, in hours ahead of UTC: Berlin 1, Lisbon 0."
)
SUMMER_TIME: Final = custom(
    "summer_time",
    "Summer time",
    {"1": "as in the EU", "0": "none"},
    "Whether clocks are put forward from the last Sunday of March to the last one of October.",
)
