"""Variables of the environment: what they are called, and which of them nobody knows."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from iometer_exporter.config.section import nearest

PREFIX: Final = "IOMETER_EXPORTER_"

_OPTIONS: Final = (
    "AUTO_RENEWAL BRIDGE CONFIG_FILE COUNT DISCOVERY DISCOVER_INTERFACE DISCOVER_TIMEOUT EXTERNAL_ID "
    "HEALTHCHECK_INSECURE HEALTHCHECK_TIMEOUT HEALTHCHECK_URL INSTALLATION_ID LABEL LIVE LOG_FORMAT "
    "LOG_LEVEL MONTHS OUTPUT POOL PROVIDER_SECRET_FILE PROVIDER_TIMEOUT PROVIDER_TOKEN_FILE PROVIDER_URL "
    "SIGNING_KEY SIMULATE_BRIDGES SIMULATE_FAULT SIMULATE_FIRMWARE SIMULATE_HOST SIMULATE_LATENCY "
    "SIMULATE_MDNS SIMULATE_MDNS_INTERFACE SIMULATE_PORT SIMULATE_PROVIDER_FAULT SIMULATE_PROVIDER_HOST "
    "SIMULATE_PROVIDER_INSTALLATIONS SIMULATE_PROVIDER_INTERVAL SIMULATE_PROVIDER_PORT "
    "SIMULATE_PROVIDER_SECRET SIMULATE_PROVIDER_SEED SIMULATE_PROVIDER_TOKEN SIMULATE_SEED "
    "SIMULATE_SPEEDUP SINCE SKIP_METERS START_DATE STATE_FILE TIMEOUT WEB_AUTH_EXEMPT_HEALTH "
    "WEB_CONFIG_FILE WEB_DASHBOARD_URL WEB_ENABLE_LIFECYCLE WEB_LISTEN_ADDRESS WORK_DIR"
)
_OTHERS: Final = "PROVIDER_SECRET PROVIDER_TOKEN POD_NAME COMPLETE"

OPTION_VARIABLES: Final = frozenset(PREFIX + name for name in _OPTIONS.split())
"""Variables of all options. Listed here, since to ask the commands would mean to load each of them."""

_KNOWN: Final = OPTION_VARIABLES | {PREFIX + name for name in _OTHERS.split()}

_SERVICE_LINK: Final = re.compile(
    r"(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_\w+)?)"
)
"""What Kubernetes puts into every container beside a service whose name begins with `iometer-exporter`."""

_SERVICE_PORT: Final = re.compile(r"(?:tcp|udp|sctp)://.*")


def variable(option: str, command: str = "") -> str:
    """The variable of an option such as `--web.listen-address`, of one command alone if that is named."""
    words = option.partition("/")[0].removeprefix("--")
    name = f"{command}-{words}" if command else words
    return PREFIX + name.replace(".", "_").replace("-", "_").upper()


def unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each variable that looks like one of ours and is none."""
    for name, value in sorted(environ.items()):
        if not name.startswith(PREFIX) or name in _KNOWN or _is_service_link(name, value):
            continue
        near = nearest(name.removeprefix(PREFIX), (known.removeprefix(PREFIX) for known in _KNOWN))
        yield f"{name} is not a variable of this program" + (
            f", did you mean {PREFIX}{near}?" if near else ""
        )


def _is_service_link(name: str, value: str) -> bool:
    rest = name.removeprefix(PREFIX)
    is_port = rest == "PORT" or rest.endswith("_PORT")
    return bool(_SERVICE_LINK.fullmatch(rest) or (is_port and _SERVICE_PORT.fullmatch(value)))
