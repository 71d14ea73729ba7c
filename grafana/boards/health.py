"""The devices: what needs a hand, connections, batteries, radios, firmware, and the exporter itself."""

from typing import Final

from grafana.board import Board
from grafana.boards.devices import (
    AGE,
    ANSWERS,
    BATTERY,
    CORE,
    DAYS,
    LATEST,
    NEEDS,
    NO_STATUS,
    PIN,
    PIN_STATE,
    POWER_SOURCE,
    POWERED,
    RADIO,
    UP,
    WIFI,
    bridges,
)
from grafana.boards.load import NO_STREAM
from grafana.layout import shelf
from grafana.panels import (
    BLUE,
    DBM,
    GREEN,
    RED,
    YELLOW,
    called,
    column,
    counted,
    curve,
    now,
    query,
    stat,
    states,
    table,
    thresholds,
    timeline,
)
from grafana.queries import EXPORTER, metric, state
from grafana.texts import Text
from grafana.transforms import columns
from iometer_exporter.metrics import families as metrics
from prometheus.thresholds import DEFAULTS

_LEVEL: Final = metric(metrics.CORE_BATTERY)
_FED_IN: Final = metric(metrics.ENERGY_EXPORT)
_RESETS_DRAWN: Final = f"sum(resets({metric(metrics.ENERGY_IMPORT)}[$__range]))"
_OF_ENDPOINT: Final = "{{bridge}} {{endpoint}}"
_RUNS: Final = f"and on (job, instance) last_over_time({metric(metrics.BUILD_INFO)}[1d])"

BOARD: Final = Board(
    name="health",
    description="Whether bridges, cores and the exporter work, and how well.",
    start="now-24h",
    refresh="30s",
    marks="on",
    shelves=(
        shelf(
            6,
            bridges(
                "Devices",
                "A row for each bridge, those that need a hand first. Age is that of the last reading; days "
                "left are those until the battery is empty if it goes on as in the last 14 days: the level "
                "comes in steps of 1 %, so the first weeks say little. A dash is unknown, or a core without "
                "a battery.",
                *(NEEDS, ANSWERS, CORE, AGE, PIN_STATE, POWER_SOURCE, BATTERY, DAYS, RADIO, WIFI),
                width=24,
                cells="color-background",
            ),
        ),
        shelf(
            4,
            stat(
                "Configuration",
                "Whether the configuration was valid when it was last read.",
                now(metric(metrics.RELOAD_SUCCESSFUL), "{{instance}}"),
                width=4,
                unit="none",
                mappings=states({0: ("Refused", RED), 1: ("Valid", GREEN)}),
                nothing="No exporter known",
            ),
            stat(
                "Configuration read",
                "When a valid configuration was last read.",
                now(f"{metric(metrics.RELOAD_TIMESTAMP)} * 1000", "{{instance}}"),
                width=5,
                unit="dateTimeFromNow",
                color={"mode": "fixed", "fixedColor": BLUE},
                nothing="No exporter known",
            ),
            stat(
                "Bridges known",
                "By how they became known.",
                now(metric(metrics.BRIDGES), "{{source}}"),
                width=5,
                unit="none",
                color={"mode": "fixed", "fixedColor": BLUE},
                overrides=[called("configured", "configured"), called("discovered", "discovered")],
                nothing="No exporter known",
            ),
            stat(
                "Exporter restarts",
                "How often the exporter was started again in the range.",
                now(
                    f"changes(process_start_time_seconds{{{','.join(EXPORTER)}}}[$__range]) {_RUNS}",
                    "{{instance}}",
                ),
                width=5,
                unit="none",
                limits=thresholds(GREEN, (1, YELLOW)),
                nothing="No exporter known",
            ),
            stat(
                "Counter resets",
                "How often an energy register of any bridge fell in the range: a new meter, or wrong "
                "readings. Marks on the curves say which.",
                now(f"{_RESETS_DRAWN} + (sum(resets({_FED_IN}[$__range])) or 0 * {_RESETS_DRAWN})", ""),
                width=5,
                unit="none",
                limits=thresholds(GREEN, (1, RED)),
                nothing="No energy known for this time",
            ),
        ),
        shelf(
            7,
            timeline(
                "Bridge answers",
                "Up while a bridge gives at least one valid document.",
                query(metric(metrics.UP), "{{bridge}}"),
                width=12,
                mappings=UP,
                nothing="No bridge known",
            ),
            timeline(
                "Core reaches bridge",
                "The 868 MHz connection between the core and its bridge.",
                query(metric(metrics.CORE_CONNECTED), "{{bridge}}"),
                width=12,
                mappings=states({0: ("Disconnected", RED), 1: ("Connected", GREEN)}),
                nothing=NO_STATUS,
            ),
            heading="Connections",
        ),
        shelf(
            8,
            curve(
                "Battery, last 30 days",
                "Charge of the core's batteries, whatever range is chosen above.",
                query(_LEVEL, "{{bridge}}"),
                width=8,
                unit="percentunit",
                low=0,
                high=1,
                period="30d",
                nothing="No battery: powered by wire, or no status",
            ),
            curve(
                "Radio of the core",
                "868 MHz signal between core and bridge; nearer to zero is better. The line is the limit of "
                "the alert.",
                query(f"avg_over_time({metric(metrics.CORE_RSSI)}[$__rate_interval])", "{{bridge}}"),
                width=8,
                unit=DBM,
                fill=0,
                decimals=0,
                usual=(DEFAULTS.core_weak_dbm - 5,) * 2,
                limits=thresholds(RED, (DEFAULTS.core_weak_dbm, GREEN)),
                lines=True,
                calcs=("min", "mean"),
                nothing=NO_STATUS,
            ),
            curve(
                "Wi-Fi of the bridge",
                "Wi-Fi signal at the bridge; nearer to zero is better. The line is the limit of the alert.",
                query(f"avg_over_time({metric(metrics.BRIDGE_RSSI)}[$__rate_interval])", "{{bridge}}"),
                width=8,
                unit=DBM,
                fill=0,
                decimals=0,
                usual=(DEFAULTS.wifi_weak_dbm - 5,) * 2,
                limits=thresholds(RED, (DEFAULTS.wifi_weak_dbm, GREEN)),
                lines=True,
                calcs=("min", "mean"),
                nothing=NO_STATUS,
            ),
            heading="Battery and radio",
        ),
        shelf(
            8,
            curve(
                "Age of the reading",
                "Time since the meter was last read; the interval set in the app shows as teeth of a saw.",
                query(f"({LATEST}) / 60", "{{bridge}}"),
                width=12,
                unit="suffix:min",
                fill=0,
                low=0,
                nothing="No reading in the last day",
            ),
            counted(
                "Readings rejected",
                "Readings that were not served, by reason: replayed (older than the last), decreased, "
                "implausible. "
                "Some firmware replays a few every 15 minutes.",
                query(
                    f"rate({metric(metrics.READINGS_REJECTED)}[$__rate_interval]) * 60 > 0",
                    "{{bridge}} {{reason}}",
                ),
                width=12,
                nothing="No reading was rejected",
            ),
            heading="Readings",
            folded=True,
        ),
        shelf(
            8,
            curve(
                "Duration of fetches",
                "How long a bridge took to answer. Some take seconds now and then.",
                query(
                    f"max_over_time({metric(metrics.SCRAPE_DURATION)}[$__rate_interval])",
                    "{{bridge}} {{endpoint}}",
                ),
                width=12,
                unit="s",
                fill=0,
                low=0,
                calcs=("mean", "max"),
                nothing="No bridge known",
            ),
            counted(
                "Errors by reason",
                "Fetches without a valid document, a minute. docs/troubleshooting.md explains the reasons.",
                query(
                    f"rate({metric(metrics.SCRAPE_ERRORS)}[$__rate_interval]) * 60 > 0",
                    "{{bridge}} {{endpoint}} {{reason}}",
                ),
                width=12,
                nothing="No fetch failed",
            ),
            heading="Fetches",
            folded=True,
        ),
        shelf(
            7,
            timeline(
                "Stream followed",
                "Whether scrapes are answered with the newest event of the stream; otherwise the endpoint is "
                "fetched. Needs `live` in the configuration.",
                query(metric(metrics.STREAM_UP), _OF_ENDPOINT),
                width=8,
                mappings=states({0: ("Fetched", BLUE), 1: ("Followed", GREEN)}),
                nothing=NO_STREAM,
            ),
            curve(
                "Events of streams",
                "Documents that came as events, a minute.",
                query(f"rate({metric(metrics.STREAM_EVENTS)}[$__rate_interval]) * 60", _OF_ENDPOINT),
                width=8,
                unit="suffix:/min",
                fill=0,
                low=0,
                nothing=NO_STREAM,
            ),
            counted(
                "Streams opened again",
                "How often a stream began again after it had ended, a minute.",
                query(f"rate({metric(metrics.STREAM_RECONNECTS)}[$__rate_interval]) * 60 > 0", _OF_ENDPOINT),
                width=8,
                nothing="No stream had to be opened again",
            ),
            heading="Event streams",
            folded=True,
        ),
        shelf(
            7,
            timeline(
                "Endpoints",
                "Up while /v1/reading or /v1/status gives a valid document.",
                query(metric(metrics.ENDPOINT_UP), "{{bridge}} {{endpoint}}"),
                width=12,
                mappings=UP,
                nothing="No bridge known",
            ),
            timeline(
                "Exporter answers",
                "Up while Prometheus can scrape the exporter.",
                query(f"up{{{','.join(EXPORTER)}}} {_RUNS}", "{{instance}}"),
                width=12,
                mappings=UP,
                nothing="No exporter known",
            ),
            heading="More states",
            folded=True,
        ),
        shelf(
            7,
            timeline(
                "Core sits on meter",
                "Whether the core is attached to the meter.",
                query(metric(metrics.CORE_ATTACHED), "{{bridge}}"),
                width=8,
                mappings=states({0: ("Detached", RED), 1: ("Attached", GREEN)}),
                nothing=NO_STATUS,
            ),
            timeline(
                "PIN of the meter",
                "Without its PIN a meter tells whole kWh and no power.",
                query(state(metrics.CORE_PIN_STATUS, ("entered", "pending", "missing")), "{{bridge}}"),
                width=8,
                mappings=PIN,
                nothing=NO_STATUS,
            ),
            timeline(
                "Power source",
                "What the core is powered by.",
                query(state(metrics.CORE_POWER_STATUS, ("battery", "wired")), "{{bridge}}"),
                width=8,
                mappings=POWERED,
                nothing=NO_STATUS,
            ),
        ),
        shelf(
            7,
            table(
                "Firmware",
                "Versions of bridge and core, and the device's identity.",
                query(metric(metrics.BRIDGE_INFO), table=True),
                width=24,
                unit="none",
                transformations=[
                    columns(
                        {
                            "bridge": "Bridge",
                            "bridge_version": "Bridge firmware",
                            "core_version": "Core firmware",
                            "meter": "Meter",
                            "device_id": "Device",
                            "installation_id": "Installation",
                        },
                        hidden=("Time", "Value", "__name__", "job", "instance"),
                    )
                ],
                # As wide as a UUID is.
                overrides=[column(Text(name), custom__width=320) for name in ("Device", "Installation")],
                nothing=NO_STATUS,
            ),
            heading="Firmware and registers",
            folded=True,
        ),
        shelf(
            9,
            table(
                "Registers as sent",
                "Every register of the last reading in its own unit, as the bridge sent it and not checked.",
                query(metric(metrics.REGISTER), table=True),
                width=16,
                unit="none",
                transformations=[
                    columns(
                        {
                            "bridge": "Bridge",
                            "obis": "OBIS",
                            "Value": "Value as sent",
                            "unit": "Unit",
                            "meter": "Meter",
                        },
                        hidden=("Time", "__name__", "job", "instance"),
                    )
                ],
                nothing="No reading",
            ),
            table(
                "Versions",
                "Version of the exporter and of its Python.",
                query(metric(metrics.BUILD_INFO), table=True),
                width=8,
                unit="none",
                transformations=[
                    columns(
                        {"instance": "Exporter", "version": "Version", "python_version": "Python"},
                        hidden=("Time", "Value", "__name__", "job"),
                    )
                ],
                nothing="No exporter known",
            ),
        ),
    ),
)
