"""The alerts on a provider's fleet: a simulated cloud, real exporters, a real Prometheus with the rules."""

import re
import signal
import socket
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from prometheus.build import ALERTS, render
from prometheus.rules import Settings, hurried
from prometheus.thresholds import DEFAULTS
from tests.conftest import require_program
from tests.processes import exporter, prometheus
from tests.provider.test_end_to_end import CREDENTIALS, cloud
from tests.waiting import eventually

pytestmark = pytest.mark.end_to_end

EASILY: Final = replace(
    DEFAULTS,
    request_errors=1,
    inventory_old_seconds=0,
    pool_free_ratio=0.5,
    license_end_days=400,
    silent_ratio=0.01,
)
"""Limits that the simulated fleet is over without waiting for hours."""


def config(folder: Path, url: str, extra: str = "") -> Path:
    """A folder with the configuration of an exporter that reads the cloud."""
    folder.mkdir()
    file = folder / "config.yml"
    file.write_text(f"discovery: {{enabled: false}}\nprovider: {{url: '{url}'{extra}}}\n")
    return file


def test_they_fire_on_a_real_fleet_once_for_each_account(tmp_path: Path) -> None:
    """Two shards of one account, and an exporter whose API is down and whose new configuration is wrong."""
    # Before a fleet that nobody would scrape.
    require_program("prometheus")
    rules = tmp_path / "alerts.yml"
    rules.write_text(render(hurried(ALERTS, 3600, 0.5), Settings(EASILY)))
    with ExitStack() as stack:
        url = stack.enter_context(cloud(tmp_path, "--interval", "1m"))
        # Taken, so that nobody else gets the port, but nobody listens.
        taken = stack.enter_context(socket.socket())
        taken.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{taken.getsockname()[1]}/v1/query"
        files = [config(tmp_path / f"shard-{one}", url, f", shard: {one}/2") for one in (1, 2)]
        files.append(config(tmp_path / "down", closed))
        running = [
            stack.enter_context(exporter(file.parent, "--config.file", str(file), env=CREDENTIALS))
            for file in files
        ]
        targets = [re.sub(r"^http://|/$", "", own) for _, own in running]
        server = stack.enter_context(
            prometheus(tmp_path, "', '".join(targets), extra=f"rule_files: [{rules}]\n")
        )
        eventually(lambda: len(server.query("iometer_config_last_reload_successful == 1")) == len(targets))
        files[2].write_text("nonsense: 1\n")
        running[2][0].popen.send_signal(signal.SIGHUP)

        def firing() -> set[tuple[str, str]]:
            """What fires, and where: the exporter, the pool or the account."""
            found = server.query('ALERTS{alertstate="firing"}')
            metrics = [series["metric"] for series in found]
            return {(one["alertname"], one.get("name") or one.get("instance", "")) for one in metrics}

        account = "Simulated Energy"
        expected = {
            ("ProviderApiDown", targets[2]),
            ("ProviderSubscriptionDown", targets[2]),
            ("ProviderRequestErrors", targets[2]),
            ("ConfigReloadFailed", targets[2]),
            ("ProviderInventoryOld", targets[0]),
            ("ProviderInventoryOld", targets[1]),
            ("LicensePoolNearlyUsed", "Household"),
            ("LicensesEnding", account),
            ("InstallationsSilent", account),
        }
        # Before the first scrape there was no target.
        eventually(lambda: firing() - {("ExporterAbsent", "")} == expected)
        [ending] = server.query('ALERTS{alertname="LicensesEnding"}')
        assert "instance" not in ending["metric"]
        [whole] = server.query("sum(iometer_provider_installations)")
        shares = server.values("iometer_provider_installations > 0", "instance")
    assert int(whole["value"][1]) == 50
    assert set(shares) == set(targets[:2])
