"""`check`: what bridges say, in words for a person."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click

from iometer_exporter import wording
from iometer_exporter.bridges import diagnosis
from iometer_exporter.bridges.selection import ask, choose
from iometer_exporter.bridges.snapshot import Snapshot
from iometer_exporter.cli.options import (
    FILE,
    POSITIVE_DURATION,
    Parsed,
    bridge_option,
    json_option,
    logging_options,
    option,
    warn_of_unknown_variables,
)
from iometer_exporter.cli.table import table
from iometer_exporter.cli.waiting import announced
from iometer_exporter.config.file import BridgeConfig, Config, load_config, parse_bridge
from iometer_exporter.meter import obis, quantities
from iometer_exporter.meter.models import Reading, Register, Status


@click.command()
@click.argument("hosts", metavar="[HOST[:PORT]]...", nargs=-1, type=Parsed("address", parse_bridge))
@bridge_option("Bridge to ask if no HOST is given, several separated by commas or given one by one.")
@option("--config.file", "config_file", type=FILE, default=None, help="YAML file with the bridges to ask.")
@option("--timeout", type=POSITIVE_DURATION, default="10s", show_default=True, help="How long to wait.")
@json_option
@logging_options("error")
@click.pass_context
def check(
    ctx: click.Context,
    *,
    hosts: tuple[BridgeConfig, ...],
    bridges: tuple[BridgeConfig, ...],
    config_file: Path | None,
    timeout: float,
    as_json: bool,
) -> None:
    """Ask bridges, say what is wrong.

    Prints what each bridge measures and its state, and for each problem what to do about it. HOST is an
    address, a name, or the name under which a bridge announces itself. Without HOST all bridges are asked:
    those that are configured, else those found by mDNS. Exit code 1 if anything is wrong.
    """
    warn_of_unknown_variables()
    config = load_config(config_file) if config_file else Config()
    if bridges:
        config = replace(config, bridges=bridges)
    snapshots = asyncio.run(_ask(hosts, config, timeout))
    now = time.time()
    found = [
        (each, list(diagnosis.problems(each, now=now, stale_after=config.stale_after))) for each in snapshots
    ]
    if as_json:
        documents = [_as_json(snapshot, problems) for snapshot, problems in found]
        click.echo(json.dumps(documents[0] if len(hosts) == 1 else documents, indent=2))
    else:
        sections = [section for snapshot, problems in found for section in _sections(snapshot, problems, now)]
        if len(found) > 1:
            sections.append(_overall_result(found))
        click.echo("\n\n".join(sections))
    if any(problems for _, problems in found):
        ctx.exit(1)


async def _ask(hosts: Sequence[BridgeConfig], config: Config, timeout: float) -> list[Snapshot]:
    bridges = await announced("Looking for bridges …", choose(hosts, config))
    names = ", ".join(bridge.name for bridge in bridges)
    snapshots = await announced(f"Asking {names} …", ask(bridges, config, timeout))
    for bridge in bridges:
        if all(bridge.name != snapshot.bridge for snapshot in snapshots):
            click.echo(f"Warning: {bridge.name} is another address of a bridge that is shown", err=True)
    return snapshots


def _overall_result(found: Sequence[tuple[Snapshot, list[diagnosis.Problem]]]) -> str:
    ill = [snapshot.bridge for snapshot, problems in found if problems]
    if not ill:
        return f"{len(found)} bridges, nothing is wrong with any."
    return f"{len(found)} bridges, something is wrong with {len(ill)}: {', '.join(ill)}."


def _sections(snapshot: Snapshot, problems: list[diagnosis.Problem], now: float) -> list[str]:
    sections = [f"Bridge {snapshot.bridge}: {diagnosis.headline(snapshot)}"]
    if snapshot.sent is not None:
        sections.append(_reading_section(snapshot.sent, now))
    if snapshot.status is not None:
        sections.append(_status_section(snapshot.status))
    elif snapshot.up and snapshot.failures["status"].reason == "no_data":
        sections.append("No status: this firmware has none.")
    if problems:
        lines = [f"  * {problem.what}\n    {problem.advice}" for problem in problems]
        if any(failure.reason == "timeout" for failure in snapshot.failures.values()):
            lines.append("  If the bridge is only slow, give it more time with --timeout.")
        sections.append("\n".join(["What is wrong, and what to do:", *lines]))
    else:
        sections.append("Nothing is wrong.")
    return sections


def _reading_section(reading: Reading, now: float) -> str:
    age = now - reading.time.timestamp()
    lines = [
        f"Meter {reading.meter or '(number unknown)'}, reading of {wording.local_time(reading.time)} "
        f"({wording.duration(max(age, 0.0))} ago)"
    ]
    rows = [
        (str(register.code), *_display_value(reading, register), obis.describe(register.code))
        for register in reading.registers.values()
    ]
    if rows:
        lines.append(_indent(table(("REGISTER", "VALUE", "UNIT", "MEANING"), rows, right=(1,))))
    else:
        lines.append("  no registers")
    return "\n".join(lines)


def _display_value(reading: Reading, register: Register) -> tuple[str, str]:
    """Value and unit as the meter's display shows them: energy in kWh, anything else as sent."""
    joules = quantities.energies(reading).get(register.code)
    if joules is not None:
        value, unit = wording.kilowatt_hours(joules).split(" ")
        return value, unit
    return f"{float(register.value):.15g}", register.unit


def _status_section(status: Status) -> str:
    rows = [
        ("core", status.connection),
        ("on the meter", status.attachment),
        ("meter PIN", status.pin),
        ("power supply", status.power),
        ("battery", None if status.battery_ratio is None else f"{status.battery_ratio:.0%}"),
        ("Wi-Fi signal", None if status.bridge_rssi is None else f"{status.bridge_rssi:g} dBm"),
        ("core signal", None if status.core_rssi is None else f"{status.core_rssi:g} dBm"),
        ("bridge firmware", status.bridge_version or None),
        ("core firmware", status.core_version or None),
        ("device id", status.device_id or None),
        ("installation id", status.installation_id or None),
    ]
    known = [(label, value) for label, value in rows if value is not None]
    return "\n".join(["Status", *(f"  {label:<17}{value}" for label, value in known)])


def _indent(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def _as_json(snapshot: Snapshot, problems: list[diagnosis.Problem]) -> dict[str, Any]:
    reading, status = snapshot.sent, snapshot.status
    return {
        "bridge": snapshot.bridge,
        "up": snapshot.up,
        "meter": snapshot.meter or None,
        "reading": None if reading is None else _reading_as_json(reading),
        "status": None if status is None else _status_as_json(status),
        "failures": {endpoint: failure.reason for endpoint, failure in snapshot.failures.items()},
        "problems": [{"what": problem.what, "advice": problem.advice} for problem in problems],
    }


def _reading_as_json(reading: Reading) -> dict[str, Any]:
    return {
        "time": reading.time.isoformat(),
        "power_watts": quantities.power(reading),
        "registers": [
            {
                "obis": str(register.code),
                "value": float(register.value),
                "unit": register.unit,
                "meaning": obis.describe(register.code),
            }
            for register in reading.registers.values()
        ],
    }


def _status_as_json(status: Status) -> dict[str, Any]:
    fields = asdict(status)
    del fields["problems"], fields["meter"]
    return {name: None if value == "" else value for name, value in fields.items()}
