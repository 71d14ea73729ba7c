"""`check`: what one bridge says, in words for a person."""

import asyncio
import json
import time
from dataclasses import asdict
from typing import Any

import click

from iometer_exporter import wording
from iometer_exporter.bridges import diagnosis as facts
from iometer_exporter.bridges.fleet import Fleet
from iometer_exporter.bridges.snapshot import Snapshot
from iometer_exporter.cli.options import POSITIVE_DURATION, Parsed, logging_options, option
from iometer_exporter.cli.table import table
from iometer_exporter.config.file import BridgeConfig, Config, DiscoveryConfig, parse_bridge
from iometer_exporter.meter import obis, quantities
from iometer_exporter.meter.models import Reading, Register, Status


@click.command()
@click.argument("host", metavar="HOST[:PORT]", type=Parsed("address", parse_bridge))
@option("--timeout", type=POSITIVE_DURATION, default="10s", show_default=True, help="How long to wait.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@logging_options("error")
@click.pass_context
def check(ctx: click.Context, *, host: BridgeConfig, timeout: float, as_json: bool) -> None:
    """Ask one bridge, say what is wrong.

    Prints what the bridge at HOST[:PORT] measures and its state, and for each problem what to do about it.
    Exit code 1 if anything is wrong.
    """
    snapshot = asyncio.run(_ask(host, timeout))
    now = time.time()
    problems = list(facts.problems(snapshot, now=now, stale_after=Config().stale_after))
    if as_json:
        click.echo(json.dumps(_as_json(snapshot, problems), indent=2))
    else:
        click.echo("\n\n".join(_sections(snapshot, problems, now)))
    if problems:
        ctx.exit(1)


async def _ask(bridge: BridgeConfig, timeout: float) -> Snapshot:
    config = Config(bridges=(bridge,), discovery=DiscoveryConfig(enabled=False))
    async with Fleet(config) as fleet:
        [snapshot] = await fleet.scrape(asyncio.get_running_loop().time() + timeout)
        return snapshot


def _sections(snapshot: Snapshot, problems: list[facts.Problem], now: float) -> list[str]:
    sections = [f"Bridge {snapshot.bridge}: {'answers' if snapshot.up else 'gives no document'}"]
    if snapshot.sent is not None:
        sections.append(_reading_section(snapshot.sent, now))
    if snapshot.status is not None:
        sections.append(_status_section(snapshot.status))
    if problems:
        lines = [f"  * {problem.what}\n    {problem.advice}" for problem in problems]
        sections.append("\n".join(["What is wrong, and what to do:", *lines]))
    else:
        sections.append("Nothing is wrong.")
    return sections


def _reading_section(reading: Reading, now: float) -> str:
    age = now - reading.time.timestamp()
    lines = [
        f"Meter {reading.meter or '(number unknown)'}, reading of {reading.time.isoformat()} "
        f"({wording.duration(max(age, 0.0))} ago)"
    ]
    rows = [
        (str(register.code), *_shown(reading, register), obis.describe(register.code))
        for register in reading.registers.values()
    ]
    if rows:
        lines.append(_indented(table(("REGISTER", "VALUE", "UNIT", "MEANING"), rows, right=(1,))))
    else:
        lines.append("  no registers")
    return "\n".join(lines)


def _shown(reading: Reading, register: Register) -> tuple[str, str]:
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


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def _as_json(snapshot: Snapshot, problems: list[facts.Problem]) -> dict[str, Any]:
    reading, status = snapshot.sent, snapshot.status
    return {
        "bridge": snapshot.bridge,
        "up": snapshot.up,
        "meter": snapshot.meter,
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
    return fields
