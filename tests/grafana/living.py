"""The real exporter with simulated bridges, and a Prometheus that scrapes it."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from grafana.query.source import Source
from tests.processes import COMMAND, exporter, prometheus, started

_FIRING = """
groups:
  - name: test
    interval: 1s
    rules:
      - {alert: FirmwareMismatch, expr: 'iometer_up{job="iometer"} == 1', labels: {severity: info}}
      - {alert: BatteryLow, expr: 'iometer_up{job="iometer"} == 1', labels: {severity: warning}}
      - {alert: LicensesEnding, expr: 'iometer_up{job="iometer"} == 1', labels: {severity: info}}
      - {alert: ConfigReloadFailed, expr: 'iometer_up{job="iometer"} == 1', labels: {severity: warning}}
      - {alert: ExporterDown, expr: 'iometer_up{job="iometer"} == 1', labels: {severity: critical}}
      - {alert: BridgeUnreachable, expr: 'iometer_up{job="iometer"} == 1', labels: {severity: critical}}
"""
"""Alerts that fire, so that something is there for the panels that show them."""


@contextmanager
def living(folder: Path) -> Iterator[Source]:
    """Three simulated bridges with streams, the real exporter, a Prometheus that scrapes it every second."""
    simulate = [*COMMAND, "simulate", "--port", "0", "--bridges", "3", "--seed", "7"]
    simulate += ["--firmware", "stream"]
    simulate += ["--fault", "three-phase@1", "--fault", "tariffs@1", "--fault", "wired@2"]
    with ExitStack() as stack:
        simulator = stack.enter_context(started(simulate, folder / "simulator.log"))
        simulator.wait_for(r"(?s)(http://.*){3}")
        hosts = re.findall(r"http://(\S+)", simulator.text())
        named = [f"{name}={host}" for name, host in zip(("house", "barn", "flat"), hosts, strict=True)]
        options = [word for bridge in named for word in ("--bridge", bridge)]
        _, url = stack.enter_context(exporter(folder, "--no-discovery", "--live", "auto", *options))
        target = url.removeprefix("http://").rstrip("/")
        rules = folder / "rules.yml"
        rules.write_text(_FIRING)
        extra = f"rule_files: ['{rules}']\n"
        server = stack.enter_context(prometheus(folder, target, extra=extra))
        yield Source(server.url)
