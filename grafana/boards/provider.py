"""A fleet in a provider's cloud: what it delivers, what needs a hand, licenses, and the exporters."""

from typing import Final

from grafana.board import Board
from grafana.boards.alerts import PROVIDER as PROVIDER_ALERTS
from grafana.boards.alerts import alerts, firing
from grafana.boards.devices import PIN, UP, Column, CoreProblems, Problem, rows, severity, worst
from grafana.layout import shelf
from grafana.panels import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    TEXT,
    YELLOW,
    Json,
    bargauge,
    called,
    colored,
    column,
    counted,
    curve,
    known,
    now,
    query,
    stat,
    states,
    table,
    thresholds,
)
from grafana.queries import EXPORTER, buckets, state_of
from grafana.texts import Text
from grafana.transforms import columns, limit, sort
from grafana.variables import PROVIDER
from iometer_exporter.metrics import families as metrics
from iometer_exporter.metrics.families import Family
from iometer_exporter.provider.served import families as provider
from prometheus.thresholds import DEFAULTS

NO_PROVIDER: Final = "No exporter reads a provider"
NO_LICENSES: Final = "No license known"

INSTALLATION: Final = "job, installation"
"""The labels that tell one installation from all others, whoever of several exporters serves it."""

_OF_INSTALLATIONS: Final = {family.name for family in provider.INSTALLATION_FAMILIES}
_MOST_ROWS: Final = 100


def served(family: Family, *matchers: str) -> str:
    """A selector of a family of the provider, or of its installations and not of bridges."""
    installations = ('installation!=""',) if family.name in _OF_INSTALLATIONS else ()
    return f"{family.name}{{{','.join((*EXPORTER, *installations, *matchers))}}}"


SILENCE: Final = f"time() - max by ({INSTALLATION}) ({served(metrics.READING_TIMESTAMP)})"
"""Seconds since the newest reading of an installation."""

_END: Final = served(provider.LICENSE_END)
_ENDING: Final = f"({_END} unless {served(provider.LICENSE_AUTO_RENEWAL)} == 1)"
ENDS_SOON: Final = (
    f"(({_ENDING} - time() > bool 0) * ({_ENDING} - time() < bool {DEFAULTS.license_end_days * 86_400}))"
)
"""1 for a license that ends soon and does not renew itself, 0 for the others that have an end."""

_LEVEL: Final = served(metrics.CORE_BATTERY)
_CORE: Final = f"{served(metrics.CORE_CONNECTED)} * (1 + {served(metrics.CORE_ATTACHED)})"

_OF_CORE: Final = CoreProblems.of(served)

PROBLEMS: Final = (
    Problem("Silent", RED, f"({SILENCE}) > bool {DEFAULTS.silent_seconds}"),
    Problem("Bridge offline", RED, f"{served(provider.CLOUD_CONNECTED)} == bool 0"),
    _OF_CORE.lost,
    _OF_CORE.detached,
    _OF_CORE.empty,
    _OF_CORE.low,
    Problem("License has ended", ORANGE, served(provider.LICENSE_STATUS, 'status="expired"')),
    Problem("License about to end", ORANGE, ENDS_SOON),
    _OF_CORE.pin,
    Problem("Local push fails", YELLOW, served(provider.HTTP_PUSH_STATUS, 'status="error"')),
)
"""What needs a hand at an installation, the worst first."""

_SEVERITY: Final = severity(PROBLEMS, INSTALLATION)
_NEEDS: Final = Column(
    "Needs a hand",
    f"{_SEVERITY} > 0",
    {"mappings": worst(PROBLEMS), "custom__align": "left", "custom__width": 180},
    thresholds(TEXT),
)
_UUID: Final = 310
"""Width in px of what identifies an installation or a key."""
_DATE: Final = "dateTimeFromNow"

# Only what is wrong: the rest of a large fleet is no news.
_WRONG: Final = (
    _NEEDS,
    Column(
        "Silent for", f"({SILENCE}) > {DEFAULTS.silent_seconds}", {"unit": "s", "decimals": 0}, known(0, RED)
    ),
    Column(
        "Cloud",
        f"{served(provider.CLOUD_CONNECTED)} == 0",
        {"mappings": states({0: ("Offline", RED)})},
        known(0, RED),
    ),
    Column(
        "Core",
        f"({_CORE}) < 2",
        {"mappings": states({0: ("Disconnected", RED), 1: ("Detached", ORANGE)})},
        known(0, RED),
    ),
    Column(
        "Battery",
        f"{_LEVEL} <= {DEFAULTS.battery_low_ratio}",
        {"unit": "percentunit", "decimals": 0},
        known(0, RED, (DEFAULTS.battery_critical_ratio, ORANGE)),
    ),
    Column(
        "PIN",
        f"{state_of(served, metrics.CORE_PIN_STATUS, ('entered', 'pending', 'missing'))} > 2",
        {"mappings": PIN},
        known(0, ORANGE),
    ),
    Column(
        "License ends",
        f"1000 * ({_ENDING} < time() + {DEFAULTS.license_end_days * 86_400})",
        {"unit": _DATE},
        known(0, ORANGE),
    ),
)

_AGE_COLORS: Final = known(
    -1e9, GREEN, (DEFAULTS.inventory_old_seconds / 2, YELLOW), (DEFAULTS.inventory_old_seconds, RED)
)
_AGE: Final = f"time() - {served(provider.INVENTORY_TIMESTAMP)}"

SHARDS: Final = (
    Column("Installations", served(provider.INSTALLATIONS), {"decimals": 0}),
    Column("API", served(provider.UP), {"mappings": UP}, known(0, RED, (1, GREEN))),
    Column("Inventory", _AGE, {"unit": "s", "decimals": 0}, _AGE_COLORS),
    Column("Subscription", served(provider.SUBSCRIPTION_UP), {"mappings": UP}, known(0, RED, (1, GREEN))),
    Column(
        "Reconnects",
        f"increase({served(provider.SUBSCRIPTION_RECONNECTS)}[$__range])",
        {"decimals": 0},
        known(0, GREEN, (1, YELLOW)),
    ),
    Column(
        "Readings/min",
        f"sum by (job, instance) (rate({served(provider.READINGS)}[15m])) * 60",
        {"decimals": 1},
    ),
)


def readings(result: str) -> str:
    """Readings with a result, a minute, of all shards."""
    matcher = f'result="{result}"'
    return f"sum(rate({served(provider.READINGS, matcher)}[$__rate_interval])) * 60"


def delay(quantile: float) -> str:
    """The delay in seconds that such a share of the readings does not exceed."""
    # Of an hour: in a quarter of one, a few late readings of a small fleet would be more than 5 %.
    rates = f"sum by (le) (rate({buckets(served(provider.READING_DELAY))}[1h]))"
    # Without readings there is none.
    return f"histogram_quantile({quantile}, {rates}) >= 0"


def pools() -> str:
    """The used share of each license pool; one without a name is called by the begin of its id."""
    used, size = (
        f"max by (job, pool, name) ({served(family)})" for family in (provider.POOL_USED, provider.POOL_SIZE)
    )
    share = f"{used} / ({size} > 0)"
    named = f'label_replace({share}, "pool_name", "$1", "pool", "(.{{8}}).*")'
    return f'label_replace({named}, "pool_name", "$1", "name", "(.+)")'


def number(title: str, description: str, expression: str, limits: Json, nothing: str = NO_PROVIDER) -> Json:
    """A count in a tile."""
    return stat(title, description, now(expression, ""), width=4, unit="none", limits=limits, nothing=nothing)


_SOME: Final = known(0, GREEN, (1, ORANGE))

BOARD: Final = Board(
    name="provider",
    description="All installations that a provider has in the vendor's cloud: what they deliver, which of "
    "them need a hand, licenses, and the exporters that read them. Shards add up; what belongs to the "
    "account is shown once.",
    start="now-24h",
    refresh="30s",
    choice=PROVIDER,
    shelves=(
        shelf(
            4,
            number(
                "Installations",
                "Installations that all exporters together serve.",
                f"sum({served(provider.INSTALLATIONS)})",
                thresholds(TEXT),
            ),
            number(
                "Silent installations",
                "Installations whose newest reading is older than an hour; they send one every 15 minutes at "
                "least.",
                f"sum(({SILENCE}) > bool {DEFAULTS.silent_seconds})",
                _SOME,
            ),
            number(
                "Need a hand",
                "Installations with any problem of those in the table below.",
                f"sum({_SEVERITY} > bool 0)",
                _SOME,
            ),
            number(
                "Ending licenses",
                "Licenses that end in the next 14 days and do not renew themselves.",
                f"sum(max by ({INSTALLATION}) ({ENDS_SOON}))",
                _SOME,
                NO_LICENSES,
            ),
            stat(
                "Inventory age",
                "Time since the whole inventory was read for the last time, of the oldest shard.",
                now(f"time() - min({served(provider.INVENTORY_TIMESTAMP)})", ""),
                width=4,
                unit="s",
                decimals=0,
                limits=_AGE_COLORS,
                nothing=NO_PROVIDER,
            ),
            stat(
                "Provider API",
                "Whether all exporters have read the inventory without an error the last time.",
                now(f"min({served(provider.UP)})", ""),
                width=4,
                unit="none",
                mappings=UP,
                nothing=NO_PROVIDER,
            ),
        ),
        shelf(
            8,
            curve(
                "Readings a minute",
                "Readings received: accepted, received before, or not believable.",
                query(readings("accepted"), "accepted"),
                query(readings("duplicate"), "duplicate"),
                query(readings("rejected"), "rejected"),
                width=12,
                unit="none",
                decimals=1,
                low=0,
                overrides=[colored("A", GREEN), colored("B", GREY), colored("C", RED)],
                calcs=("mean", "max"),
                nothing=NO_PROVIDER,
            ),
            curve(
                "Delay of readings",
                "Time from a reading at the meter to its receipt by the cloud, of the readings of an hour.",
                query(delay(0.5), "half of them within"),
                query(delay(0.95), "95 % within"),
                width=12,
                # Of a logarithmic axis, whose steps would be 1.67 mins and 16.7 mins.
                unit="suffix:s",
                decimals=0,
                fill=0,
                log=True,
                overrides=[colored("A", BLUE), colored("B", ORANGE)],
                nothing="No reading in an hour",
            ),
        ),
        shelf(
            12,
            rows(
                "What needs a hand",
                "Only installations with a problem, the worst first, at most 100 of them; a dash is no "
                "problem, or unknown. Silent is who has sent no reading for an hour.",
                *_WRONG,
                by=INSTALLATION,
                labels={"installation": "Installation"},
                width=24,
                sorted_by=_NEEDS,
                nothing="Nothing needs a hand",
                hidden=("job",),
                further=[limit(_MOST_ROWS)],
                overrides=[column(Text("Installation"), custom__width=_UUID)],
            ),
        ),
        shelf(
            4,
            alerts(
                "Alerts of prometheus/alerts.yml on the provider and the exporters; none without that file "
                "loaded in Prometheus.",
                firing(PROVIDER_ALERTS),
                width=24,
            ),
        ),
        shelf(
            8,
            bargauge(
                "License pools",
                "Used share of each license pool; when it is full, no customer can be registered from it.",
                now(pools(), "{{pool_name}}"),
                width=8,
                unit="percentunit",
                limits=known(0, GREEN, (0.75, YELLOW), (1 - DEFAULTS.pool_free_ratio, RED)),
                low=0,
                high=1,
                nothing="No license pool known",
            ),
            table(
                "Licenses that end next",
                "The next licenses to end that do not renew themselves, at most 20.",
                query(f"1000 * min by ({INSTALLATION}) ({_ENDING} > time())", table=True),
                width=10,
                unit="none",
                overrides=[column(Text("License ends"), unit=_DATE)],
                transformations=[
                    sort("Value"),
                    limit(20),
                    columns(
                        {"installation": "Installation", "Value": "License ends"}, hidden=("Time", "job")
                    ),
                ],
                nothing=NO_LICENSES,
            ),
            stat(
                "Licenses",
                "Installations by the state of their license.",
                now(
                    f"sum by (status) (max by ({INSTALLATION}, status) ({served(provider.LICENSE_STATUS)}))",
                    "{{status}}",
                ),
                width=6,
                unit="none",
                overrides=[called(status, status) for status in ("active", "expired", "inactive")],
                nothing=NO_LICENSES,
            ),
            heading="Licenses",
        ),
        shelf(
            8,
            counted(
                "Request errors",
                "Errors of the provider API, a minute, by operation and reason. docs/provider.md explains "
                "them.",
                query(
                    "sum by (operation, reason)"
                    f" (rate({served(provider.REQUEST_ERRORS)}[$__rate_interval])) * 60 > 0",
                    "{{operation}} {{reason}}",
                ),
                width=12,
                nothing="No request failed",
            ),
            curve(
                "Duration of requests",
                "Time that the last request of each kind took, of the slowest exporter.",
                query(f"max by (operation) ({served(provider.REQUEST_DURATION)})", "{{operation}}"),
                width=12,
                unit="s",
                fill=0,
                low=0,
                nothing=NO_PROVIDER,
            ),
            heading="API and exporters",
        ),
        shelf(
            6,
            rows(
                "Shards",
                "A row for each exporter that reads the provider; the oldest inventory first. Reconnects of "
                "the subscription are those in the range.",
                *SHARDS,
                by="job, instance",
                labels={"instance": "Exporter"},
                width=15,
                sorted_by=SHARDS[2],
                nothing=NO_PROVIDER,
                hidden=("job",),
                cells="color-background",
            ),
            table(
                "Signing keys",
                "Keys that sign registration tokens, and whether they may.",
                query(f"max by (job, key, name) ({served(provider.KEY_ENABLED)})", table=True),
                width=9,
                unit="none",
                transformations=[
                    sort("Value", descending=True),
                    columns({"name": "Name", "key": "Key", "Value": "Enabled"}, hidden=("Time", "job")),
                ],
                overrides=[
                    column(Text("Name"), custom__width=65),
                    column(Text("Key"), custom__width=_UUID),
                    column(
                        Text("Enabled"),
                        mappings=states({0: ("No", GREY), 1: ("Yes", GREEN)}),
                        color={"mode": "thresholds"},
                        custom__cellOptions={"type": "color-text"},
                        custom__width=65,
                    ),
                ],
                nothing="No signing key known",
            ),
        ),
    ),
)
