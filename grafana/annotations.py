"""Marks on all curves: what happened to a counter, an exporter or a firmware."""

from typing import Any, Final

from grafana.panels import DATASOURCE
from grafana.queries import BRIDGE, EXPORTER, metric
from grafana.texts import Text
from iometer_exporter.metrics import families as metrics

Json = dict[str, Any]

_STARTED: Final = f"process_start_time_seconds{{{','.join(EXPORTER)}}}"
# While the core is away, its version is unknown, and no other one.
_INFO: Final = metric(metrics.BRIDGE_INFO, 'core_version!=""')
_BEFORE: Final = f"last_over_time({_INFO}[1d] offset $__interval)"
_VERSIONS: Final = "bridge_version, core_version"


def _annotation(name: str, expression: str, color: str, title: str, text: str) -> Json:
    return {
        "datasource": DATASOURCE,
        "expr": expression,
        "hide": False,
        "iconColor": color,
        "name": Text(name),
        "step": "60s",
        "tagKeys": "",
        # Newer Grafana asks what is in the target, older what is in expr.
        "target": {"expr": expression, "interval": "60s", "refId": "Anno"},
        "textFormat": Text(text),
        "titleFormat": Text(title),
        "useValueForTime": False,
    }


ANNOTATIONS: Final[tuple[Json, ...]] = (
    _annotation(
        "Counter resets",
        f"resets({metric(metrics.ENERGY_IMPORT)}[$__rate_interval]) > 0"
        f" or resets({metric(metrics.ENERGY_EXPORT)}[$__rate_interval]) > 0",
        "red",
        "Counter reset",
        "An energy register of {{bridge}} fell: a new meter, or wrong readings.",
    ),
    _annotation(
        "Exporter restarts",
        f"changes({_STARTED}[$__rate_interval]) > 0 and on (job, instance) {metric(metrics.BUILD_INFO)}",
        "purple",
        "Exporter restart",
        "The exporter {{instance}} was started again.",
    ),
    _annotation(
        "Firmware changes",
        f"{_INFO} unless on ({BRIDGE}, {_VERSIONS}) {_BEFORE} and on ({BRIDGE}) {_BEFORE}",
        "blue",
        "New firmware",
        "{{bridge}}: bridge {{bridge_version}}, core {{core_version}}",
    ),
)
"""Of every dashboard; shown from the start where devices are looked at, and by a click elsewhere."""
