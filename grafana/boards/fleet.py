"""A row for each bridge, worst first, for whoever looks after many."""

from typing import Final

from grafana.board import Board
from grafana.boards.devices import (
    AGE,
    BATTERY,
    CORE,
    NEEDS,
    RADIO,
    WIFI,
    Column,
    bridges,
    severity,
)
from grafana.boards.home import DIRECTION
from grafana.layout import shelf
from grafana.panels import GREEN, KWH, ORANGE, RED, TEXT, Json, column, now, stat, thresholds
from grafana.queries import JOULES_PER_KWH, metric
from grafana.texts import Text
from iometer_exporter.metrics import families as metrics
from iometer_exporter.metrics.families import Family


def _to(name: str, title: str) -> Json:
    labels = "&".join(
        f"var-{label}=${{__data.fields.{label}:percentencode}}" for label in ("job", "instance", "bridge")
    )
    return {
        "title": Text(title),
        "url": f"/d/iometer-{name}?${{__url_time_range}}&${{datasource:queryparam}}&{labels}",
        "targetBlank": False,
    }


LINKS: Final = [
    _to("home", "Home of this bridge"),
    _to("energy", "Energy and cost of this bridge"),
    _to("load", "Load profile of this bridge"),
    _to("health", "Device health of this bridge"),
]


def last_day(family: Family) -> str:
    """Kilowatt-hours of the last 24 hours."""
    return f"increase({metric(family)}[1d]) / {JOULES_PER_KWH}"


COLUMNS: Final = (
    NEEDS,
    CORE,
    AGE,
    Column("Power", metric(metrics.POWER), {"unit": "watt"}, DIRECTION),
    Column("Drawn 24 h", last_day(metrics.ENERGY_IMPORT), {"unit": KWH, "decimals": 2}),
    Column(
        "Fed in 24 h", last_day(metrics.ENERGY_EXPORT), {"unit": KWH, "decimals": 2, "custom__width": 130}
    ),
    BATTERY,
    RADIO,
    WIFI,
)


BOARD: Final = Board(
    name="fleet",
    description="All bridges, those that need a hand first. The name of a bridge leads to its other "
    "dashboards.",
    start="now-24h",
    refresh="30s",
    shelves=(
        shelf(
            4,
            stat(
                "Bridges",
                "Bridges that the exporters know.",
                now(f"count({metric(metrics.UP)})", ""),
                width=6,
                unit="none",
                color={"mode": "fixed", "fixedColor": TEXT},
                nothing="No bridge known",
            ),
            stat(
                "Bridges that do not answer",
                "Bridges without any valid document in the last scrape.",
                now(f"count({metric(metrics.UP)}) - sum({metric(metrics.UP)})", ""),
                width=6,
                unit="none",
                limits=thresholds(GREEN, (1, RED)),
                nothing="No bridge known",
            ),
            stat(
                "Bridges that need a hand",
                "Bridges with any problem of those in the table.",
                now(f"sum({severity()} > bool 0)", ""),
                width=6,
                unit="none",
                limits=thresholds(GREEN, (1, ORANGE)),
                nothing="No bridge known",
            ),
            stat(
                "Power of all",
                "Sum of the power at the grid connections that are known now.",
                now(f"sum({metric(metrics.POWER)})", ""),
                width=6,
                unit="watt",
                limits=DIRECTION,
                nothing="No power known",
            ),
        ),
        shelf(
            16,
            bridges(
                "All bridges",
                "Sorted by the worst that needs a hand: a bridge that does not answer, a core out of reach "
                "or off the meter, a reading older than an hour, a battery nearly empty or low, a missing "
                "PIN, a weak radio or Wi-Fi. A dash is unknown, or a core without a battery.",
                *COLUMNS,
                width=24,
                exporter=True,
                overrides=[
                    column(Text("Bridge"), links=LINKS),
                    column(Text("Exporter"), custom__width=150),
                ],
            ),
        ),
    ),
)
