"""What is wrong with a bridge and its core, in words, and the table with a row for each bridge."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

from grafana.panels import (
    BLUE,
    CLEAR,
    DBM,
    GREEN,
    GREY,
    ORANGE,
    RED,
    TEXT,
    YELLOW,
    Json,
    column,
    known,
    query,
    spans,
    states,
    table,
    thresholds,
)
from grafana.queries import BRIDGE, metric, state
from grafana.texts import Text
from grafana.transforms import columns, merge, sort
from iometer_exporter.metrics import families as metrics
from prometheus.thresholds import DEFAULTS

BATTERY_COLORS: Final = known(
    0, RED, (DEFAULTS.battery_critical_ratio, YELLOW), (DEFAULTS.battery_low_ratio, GREEN)
)
AGE_COLORS: Final = known(
    -1e9, GREEN, (DEFAULTS.stale_floor_seconds, YELLOW), (DEFAULTS.stale_cap_seconds, RED)
)
CORE_COLORS: Final = known(-1000, RED, (DEFAULTS.core_weak_dbm, YELLOW), (DEFAULTS.core_weak_dbm + 10, GREEN))
WIFI_COLORS: Final = known(-1000, RED, (DEFAULTS.wifi_weak_dbm, YELLOW), (DEFAULTS.wifi_weak_dbm + 10, GREEN))

UP: Final = states({0: ("Down", RED), 1: ("Up", GREEN)})
PIN: Final = states(
    {1: ("Entered", GREEN), 2: ("Pending", YELLOW), 3: ("Missing", ORANGE), 4: ("Unknown state", GREY)}
)
POWERED: Final = states({1: ("Battery", BLUE), 2: ("Wired", GREEN), 3: ("Unknown state", GREY)})
NO_STATUS: Final = "No status of the device"

# The newest of a bridge: the meter that was replaced today has a last reading too.
LATEST: Final = (
    f"time() - max by ({BRIDGE}) (last_over_time({metric(metrics.READING_TIMESTAMP)}[1d]))"
    f" and on ({BRIDGE}) {metric(metrics.UP)}"
)

_LEVEL: Final = metric(metrics.CORE_BATTERY)
DAYS_LEFT: Final = (
    f"clamp_min({_LEVEL} - {DEFAULTS.battery_empty_ratio}, 0) / -(deriv({_LEVEL}[14d:1h]) < 0) / 86400"
    f" and present_over_time({_LEVEL}[1d] offset 3d)"
)
"""As the recording rule has it."""
DAYS_LEFT_COLORS: Final = known(0, RED, (DEFAULTS.battery_empty_days, YELLOW), (60, GREEN))


class Problem(NamedTuple):
    """What may be wrong: in words, its colour, and an expression that is 1 where it is so and else 0."""

    words: str
    color: str
    expression: str


class CoreProblems(NamedTuple):
    """What may be wrong with a core, of bridges and of a provider's installations alike."""

    lost: Problem
    detached: Problem
    empty: Problem
    low: Problem
    pin: Problem

    @classmethod
    def of(cls, selector: Callable[..., str]) -> Self:
        """Those of the series that a selector takes of a family, as `metric` does."""
        level = selector(metrics.CORE_BATTERY)
        return cls(
            Problem("Core out of reach", RED, f"{selector(metrics.CORE_CONNECTED)} == bool 0"),
            Problem("Core off the meter", RED, f"{selector(metrics.CORE_ATTACHED)} == bool 0"),
            Problem("Battery nearly empty", RED, f"{level} <= bool {DEFAULTS.battery_critical_ratio}"),
            Problem("Battery low", ORANGE, f"{level} <= bool {DEFAULTS.battery_low_ratio}"),
            Problem("PIN missing", ORANGE, selector(metrics.CORE_PIN_STATUS, 'status="missing"')),
        )


_OF_CORE: Final = CoreProblems.of(metric)

PROBLEMS: Final = (
    Problem("Does not answer", RED, f"{metric(metrics.UP)} == bool 0"),
    _OF_CORE.lost,
    _OF_CORE.detached,
    Problem("Old reading", RED, f"({LATEST}) > bool {DEFAULTS.stale_cap_seconds}"),
    _OF_CORE.empty,
    _OF_CORE.low,
    _OF_CORE.pin,
    Problem("Weak radio", YELLOW, f"{metric(metrics.CORE_RSSI)} < bool {DEFAULTS.core_weak_dbm}"),
    Problem("Weak Wi-Fi", YELLOW, f"{metric(metrics.BRIDGE_RSSI)} < bool {DEFAULTS.wifi_weak_dbm}"),
)
"""What needs a hand, the worst first."""


def severity(problems: Sequence[Problem] = PROBLEMS, by: str = BRIDGE) -> str:
    """All problems of a bridge in one number, which is the higher the worse the worst of them is; 0 is none.

    Each has a bit of its own.
    """
    terms = [
        f'label_replace({1 << bit} * max by ({by}) ({problem.expression}), "problem", "{bit}", "", "")'
        for bit, problem in enumerate(reversed(problems))
    ]
    return f"sum by ({by}) ({' or '.join(terms)})"


def worst(problems: Sequence[Problem] = PROBLEMS) -> list[Json]:
    """What a `severity` is called: the words of the worst problem in it."""
    highest = len(problems) - 1
    named = [
        (float(1 << highest - place), float((2 << highest - place) - 1), problem.words, problem.color)
        for place, problem in enumerate(problems)
    ]
    return spans(*named, (0, 0, "Nothing", GREEN))


@dataclass(frozen=True, slots=True)
class Column:
    """One value of each row: how it is called, asked for and shown."""

    title: str
    expression: str
    properties: Json
    colors: Json | None = None

    def override(self, cells: str) -> Json:
        """The field options of the column, coloured in this way if it has colours."""
        shown = {"custom__cellOptions": {"type": cells, "mode": "basic"}, "color": {"mode": "thresholds"}}
        limits = shown | {"thresholds": _on(cells, self.colors)} if self.colors else {}
        return column(Text(self.title), **self.properties, **limits)


def _on(cells: str, colors: Json) -> Json:
    """The colours in cells of a kind: what is not known must not be a block in the colour of the text."""
    if cells != "color-background":
        return colors
    first, *others = colors["steps"]
    return colors | {
        "steps": [first | {"color": CLEAR}, *others] if first["color"] == TEXT else colors["steps"]
    }


ANSWERS: Final = Column("Answers", metric(metrics.UP), {"mappings": UP}, known(0, RED, (1, GREEN)))
CORE: Final = Column(
    "Core",
    f"{metric(metrics.CORE_CONNECTED)} * (1 + {metric(metrics.CORE_ATTACHED)})",
    {"mappings": states({0: ("Disconnected", RED), 1: ("Detached", ORANGE), 2: ("In place", GREEN)})},
    known(0, RED, (2, GREEN)),
)
NEEDS: Final = Column(
    "Needs a hand",
    severity(),
    {"mappings": worst(), "custom__align": "left", "custom__width": 150},
    thresholds(TEXT),
)
AGE: Final = Column("Age", LATEST, {"unit": "s", "decimals": 0, "custom__width": 80}, AGE_COLORS)
BATTERY: Final = Column(
    "Battery", _LEVEL, {"unit": "percentunit", "decimals": 0, "custom__width": 80}, BATTERY_COLORS
)
DAYS: Final = Column("Days left", DAYS_LEFT, {"decimals": 0}, DAYS_LEFT_COLORS)
POWER_SOURCE: Final = Column(
    "Power source",
    state(metrics.CORE_POWER_STATUS, ("battery", "wired")),
    {"mappings": POWERED},
)
PIN_STATE: Final = Column(
    "PIN",
    state(metrics.CORE_PIN_STATUS, ("entered", "pending", "missing")),
    {"mappings": PIN},
    known(0, GREEN, (2, ORANGE)),
)
RADIO: Final = Column("Radio", metric(metrics.CORE_RSSI), {"unit": DBM, "custom__width": 80}, CORE_COLORS)
WIFI: Final = Column("Wi-Fi", metric(metrics.BRIDGE_RSSI), {"unit": DBM, "custom__width": 80}, WIFI_COLORS)


def rows(
    title: str,
    description: str,
    *shown: Column,
    by: str,
    labels: dict[str, str],
    width: int,
    sorted_by: Column,
    nothing: str,
    cells: str = "color-text",
    after: dict[str, str] | None = None,
    hidden: Sequence[str] = (),
    overrides: Sequence[Json] = (),
    further: Sequence[Json] = (),
) -> Json:
    """A table with a row for each combination of labels, in the order of one of its columns, highest first.

    Its columns are the labels under their names, then those shown, then the labels `after` them.
    """
    return table(
        title,
        description,
        *(query(f"max by ({by}) ({one.expression})", table=True) for one in shown),
        width=width,
        unit="none",
        transformations=[
            merge(),
            columns(
                labels
                | {f"Value #{chr(ord('A') + index)}": one.title for index, one in enumerate(shown)}
                | (after or {}),
                hidden=("Time", *hidden),
            ),
            sort(Text(sorted_by.title), descending=True),
            *further,
        ],
        overrides=[*overrides, *(one.override(cells) for one in shown)],
        nothing=nothing,
    )


def bridges(
    title: str,
    description: str,
    *shown: Column,
    width: int,
    cells: str = "color-text",
    exporter: bool = False,
    overrides: Sequence[Json] = (),
) -> Json:
    """A row for each bridge, those that need a hand first; its exporter and job behind if wanted."""
    behind = {"instance": "Exporter", "job": "Job"}
    return rows(
        title,
        description,
        *shown,
        by=BRIDGE,
        labels={"bridge": "Bridge"},
        width=width,
        sorted_by=NEEDS,
        nothing="No bridge known",
        cells=cells,
        after=behind if exporter else None,
        hidden=() if exporter else tuple(behind),
        overrides=overrides,
    )
