"""Alertmanager's example: who is told of what, and what is held back; from a bridge to a webhook."""

import re
import subprocess
from itertools import product
from pathlib import Path
from typing import Final

import pytest
import yaml

from prometheus import provider
from prometheus.build import ALERTS, render
from prometheus.rules import Settings, hurried
from tests.conftest import require_program
from tests.processes import COMMAND, exporter, prometheus, started
from tests.prometheus.alerting import alertmanager, get_alerts, post_alerts, webhook
from tests.prometheus.cases import NAMES, ROOT, shipped
from tests.waiting import eventually

CONFIG: Final = ROOT / "prometheus" / "alertmanager.yml"

VALUES: Final = {
    "ReadingsRejected",
    "CounterStuck",
    "EnergyPowerDisagree",
    "NoExportByDay",
    "PowerHigh",
    "BaseLoadHigh",
}
BATTERY: Final = {"BatteryLow", "BatteryCritical", "BatteryEmptySoon"}
OF_NO_BRIDGE: Final = {
    "ExporterDown",
    "ExporterAbsent",
    "ConfigReloadFailed",
    "DiscoveryLimited",
    "FirmwareMismatch",
    *(alert.name for alert in (*provider.ALERTS, *provider.SLOW_ALERTS)),
}
HELD_BACK: Final = {
    "ExporterDown": set(NAMES) - {"ExporterDown"},
    "BridgeUnreachable": set(NAMES) - BATTERY - OF_NO_BRIDGE - {"BridgeUnreachable"},
    "CoreDisconnected": {"CoreDetached", "ReadingStale", "MeterPinMissing", "WeakSignal"} | VALUES,
    "CoreDetached": {"ReadingStale", "MeterPinMissing"} | VALUES,
    "ReadingStale": VALUES,
    "BatteryCritical": {"BatteryLow", "BatteryEmptySoon"},
    "ProviderApiDown": {"ProviderInventoryOld", "ProviderSubscriptionDown", "ProviderRequestErrors"},
}
"""While one fires: what it holds back."""


@pytest.mark.parametrize("alert", NAMES)
@pytest.mark.end_to_end
def test_an_alert_goes_to_its_receiver(alert: str) -> None:
    severity = shipped()[alert]["labels"]["severity"]
    command = [require_program("amtool"), "config", "routes", "test", f"--config.file={CONFIG}"]
    result = subprocess.run(
        [*command, f"alertname={alert}", f"severity={severity}", "bridge=house"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.split() == ["household-info" if severity == "info" else "household"]


def test_critical_alerts_come_soon_and_again_soon() -> None:
    route = yaml.safe_load(CONFIG.read_text())["route"]
    [critical, info] = route["routes"]
    assert (critical["group_wait"], route["group_wait"], info["group_wait"]) == ("10s", "30s", "15m")
    repeats = (critical["repeat_interval"], route["repeat_interval"], info["repeat_interval"])
    assert repeats == ("4h", "24h", "2d")


@pytest.mark.end_to_end
def test_what_follows_from_something_else_is_held_back(tmp_path: Path) -> None:
    """Each pair of alerts by itself, at an instance of its own."""

    def labels(alert: str, pair: tuple[str, str], bridge: str = "house") -> dict[str, str]:
        instance = "-".join(pair)
        return {"alertname": alert, "job": "iometer", "instance": instance, "bridge": bridge}

    pairs = [pair for pair in product(NAMES, NAMES) if pair[0] != pair[1]]
    expected = {
        (target, f"{one}-{other}", bridge)
        for one, other in pairs
        for source, target in ((one, other), (other, one))
        for bridge in ("house", "barn")
        if target in HELD_BACK.get(source, ())
        # The alert of the other bridge is held back by what is true of the whole exporter alone.
        and (bridge == "house" or (target == other and source in ("ExporterDown", "ProviderApiDown")))
    }
    with alertmanager(tmp_path, CONFIG) as address:
        post_alerts(address, [labels(alert, pair) for pair in pairs for alert in pair])
        post_alerts(address, [labels(target, (source, target), "barn") for source, target in pairs])
        held = eventually(lambda: _held_back(address, enough=len(expected)))
    assert held == expected


@pytest.mark.end_to_end
def test_a_subscription_that_is_down_explains_its_own_errors_only(tmp_path: Path) -> None:
    of_exporter = {"job": "iometer", "instance": "fleet-1:10180"}
    errors = [
        of_exporter | {"alertname": "ProviderRequestErrors", "operation": operation}
        for operation in ("subscription", "installations")
    ]
    with alertmanager(tmp_path, CONFIG) as address:
        post_alerts(address, [of_exporter | {"alertname": "ProviderSubscriptionDown"}, *errors])
        eventually(lambda: [alert for alert in get_alerts(address) if alert["status"]["inhibitedBy"]])
        found = {
            alert["labels"]["operation"]: bool(alert["status"]["inhibitedBy"])
            for alert in get_alerts(address)
            if "operation" in alert["labels"]
        }
    assert found == {"subscription": True, "installations": False}


def _held_back(address: str, enough: int) -> set[tuple[str, str, str]]:
    """The alerts held back, by name, instance and bridge, once there are enough of them."""
    found = {
        (alert["labels"]["alertname"], alert["labels"]["instance"], alert["labels"]["bridge"])
        for alert in get_alerts(address)
        if alert["status"]["inhibitedBy"]
    }
    return found if len(found) >= enough else set()


@pytest.mark.end_to_end
def test_an_empty_battery_and_a_lost_core_reach_a_webhook(tmp_path: Path) -> None:
    """Bridges, exporter, Prometheus, Alertmanager and rules as shipped; only the patience is not."""
    # Before bridges that nobody would read.
    for program in ("prometheus", "prometheus-alertmanager"):
        require_program(program)
    simulate = [*COMMAND, "simulate", "--port", "0", "--bridges", "3"]
    simulate += ["--fault", "battery-low@1", "--fault", "disconnected@2"]
    rules = tmp_path / "alerts.yml"
    rules.write_text(render(hurried(ALERTS, 1200, 0.5), Settings(runbooks="https://wiki/iometer")))
    with webhook() as hook, started(simulate, tmp_path / "simulator.log") as simulator:
        simulator.wait_for(r"(?s)(meter 1ISK.*){3}")
        places = re.findall(r"http://(\S+)", simulator.text())
        bridges = zip(("flat", "barn", "house"), places, strict=True)
        options = [f"--bridge={name}={place}" for name, place in bridges]
        config = tmp_path / "alertmanager.yml"
        config.write_text(_telling(hook.url))
        with (
            exporter(tmp_path, "--no-discovery", *options) as (_, url),
            alertmanager(tmp_path, config) as address,
            prometheus(
                tmp_path,
                url.removeprefix("http://").rstrip("/"),
                extra=f"rule_files: [{rules}]\n"
                f"alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{address}']}}]}}]}}\n",
            ) as server,
        ):
            eventually(lambda: len(hook.received()) >= 2)
            found = hook.received()
            firing = server.query('ALERTS{alertstate="firing"}')
    assert set(found) == {("BatteryCritical", "flat"), ("CoreDisconnected", "barn")}
    battery = found["BatteryCritical", "flat"]
    instance = url.removeprefix("http://").rstrip("/")
    assert battery["labels"].pop("meter").startswith("1ISK")
    assert battery["labels"] == {
        "alertname": "BatteryCritical",
        "severity": "critical",
        "job": "iometer",
        "instance": instance,
        "bridge": "flat",
    }
    assert battery["annotations"]["summary"] == "The battery of the core of flat is nearly empty: 7%"
    assert battery["annotations"]["runbook_url"] == "https://wiki/iometer#batterycritical"
    core = found["CoreDisconnected", "barn"]
    assert core["labels"]["severity"] == "critical"
    assert core["annotations"]["summary"] == "The core of barn does not reach the bridge"
    assert {alert["status"] for alert in found.values()} == {"firing"}
    # The third bridge has nothing.
    assert {series["metric"]["bridge"] for series in firing} == {"flat", "barn"}


def _telling(url: str) -> str:
    """The shipped configuration with a webhook as the only addition, and no wait for a group to fill."""
    config = yaml.safe_load(CONFIG.read_text())
    for receiver in config["receivers"]:
        receiver["webhook_configs"] = [{"url": url}]
    for route in (config["route"], *config["route"]["routes"]):
        route["group_wait"] = "0s" if "severity" in str(route.get("matchers")) else route["group_wait"]
    return str(yaml.safe_dump(config))
