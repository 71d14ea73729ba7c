"""The rules as shipped in a real Prometheus, where series come and go: one that fails is a silent one."""

import json
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pytest

from grafana.query.source import Source
from prometheus.build import FILES, render
from prometheus.rules import Settings, hurried
from tests.conftest import require_program
from tests.grafana.test_expressions import everything
from tests.processes import COMMAND, Prometheus, exporter, free_port, get, prometheus, started
from tests.provider.test_end_to_end import CREDENTIALS, cloud, config
from tests.waiting import eventually

pytestmark = pytest.mark.end_to_end

SITES: Final = ("north", "south")
"""Two targets of one address, as where every site calls its exporter by the same name."""


@contextmanager
def bridge(folder: Path, port: int, seed: int, *faults: str) -> Iterator[None]:
    """A bridge on a port, whose meter has its number from the seed."""
    command = [*COMMAND, "simulate", f"--port={port}", f"--seed={seed}"]
    command += [f"--fault={fault}" for fault in faults]
    with started(command, folder / f"bridge-{port}-{seed}.log") as process:
        process.wait_for("meter 1ISK")
        yield


def rules(server: Prometheus) -> list[dict[str, Any]]:
    """All rules as Prometheus sees them."""
    groups = json.loads(get(f"{server.url}/api/v1/rules"))["data"]["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_no_rule_and_no_panel_fails_on_fleets_sites_and_changing_labels(tmp_path: Path) -> None:
    """Three bridges and a provider at two sites; one bridge gets another meter."""
    # Before a fleet that nobody would scrape.
    require_program("prometheus")
    ports = [free_port() for _ in range(3)]
    paths = []
    for name, groups in FILES.items():
        paths.append(tmp_path / name)
        paths[-1].write_text(render(hurried(groups, 60, 1.0), Settings()))
    with ExitStack() as stack:
        url = stack.enter_context(cloud(tmp_path, "--installations", "50", "--interval", "10s"))
        stack.enter_context(bridge(tmp_path, ports[0], 1, "replay"))
        stack.enter_context(bridge(tmp_path, ports[1], 2, "wired", "import-only"))
        with bridge(tmp_path, ports[2], 3, "three-phase", "tariffs"):
            names = zip(("house", "barn", "flat"), ports, strict=True)
            options = [f"--bridge={name}=127.0.0.1:{port}" for name, port in names]
            options += ["--config.file", config(tmp_path, url)]
            _, own = stack.enter_context(exporter(tmp_path, *options, env=CREDENTIALS))
            target = re.sub(r"^http://|/$", "", own)
            extra = f"rule_files: [{', '.join(map(str, paths))}]\n"
            server = stack.enter_context(prometheus(tmp_path, target, extra=extra, sites=SITES))
            eventually(lambda: len(server.query("count_over_time(iometer_power_watts[1m]) > 3")) >= 6)
        with bridge(tmp_path, ports[2], 4):
            both = 'last_over_time(iometer_power_watts{bridge="flat"}[1m])'
            eventually(lambda: len(server.query(both)) == 4)
            assert server.query('iometer_power_watts{installation!=""}')
            changed = time.time()
            seen = eventually(lambda: _evaluated(server, changed))
            assert {rule["name"]: rule["lastError"] for rule in seen if rule["health"] != "ok"} == {}
            assert len(seen) == sum(len(group.rules) for groups in FILES.values() for group in groups)
            for expr in set(everything(time.time())):
                Source(server.url).instant(expr, time.time())
            recorded = server.query("bridge:iometer_energy_import_kwh:increase1h")
    assert {(series["metric"]["bridge"], series["metric"]["site"]) for series in recorded} == {
        (name, site) for name in ("house", "barn", "flat") for site in SITES
    }


def _evaluated(server: Prometheus, since: float) -> list[dict[str, Any]]:
    """All rules, once each has been evaluated after a unix time."""
    found = rules(server)
    times = [datetime.fromisoformat(rule["lastEvaluation"]).timestamp() for rule in found]
    return found if times and min(times) > since else []
