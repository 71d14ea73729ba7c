"""What a person should know of a bridge: its state, what is wrong, and what to do about it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from iometer_exporter.bridges.diagnosis import LOW_BATTERY
from iometer_exporter.bridges.glance import Glance
from iometer_exporter.errors import FetchError
from iometer_exporter.meter.guard import Rejection
from iometer_exporter.meter.models import Status
from iometer_exporter.web.landing.language import Language

State = Literal["down", "hand", "asking", "well"]
"""`hand`: it needs one; `asking`: nothing is known of it yet."""

STATES: Final[tuple[State, ...]] = ("down", "hand", "asking", "well")
"""The most urgent first."""

Severity = Literal["down", "hand", "note"]

_CLOCK_SKEW_SECONDS: Final = 120.0
"""Seconds that a reading may be ahead of this host's clock."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know, and the advice on it; `detail` is what a program said of it, in English."""

    severity: Severity
    what: str
    advice: str = ""
    detail: str = ""


def state_of(glance: Glance, findings: Sequence[Finding]) -> State:
    """The state of a bridge of which there are these findings."""
    severities = {finding.severity for finding in findings}
    if "down" in severities:
        return "down"
    if not glance.is_asked:
        return "asking"
    return "hand" if "hand" in severities else "well"


def findings_of(glance: Glance, say: Language, *, now: float, stale_after: float) -> Iterator[Finding]:
    """What there is to know of the bridge at Unix time `now`, the cause before its consequences."""
    if glance.is_down:
        yield _down(glance, say)
        return
    yield from _of_fetches(glance, say)
    if glance.status is not None:
        yield from _of_status(glance.status, say)
    yield from _of_age(glance, say, now, stale_after)
    yield from _of_refusals(glance, say)
    problems = [
        problem
        for document in (glance.reading, glance.status)
        if document is not None
        for problem in document.problems
    ]
    if problems:
        yield Finding(
            "note",
            say.say("Something that the bridge sends cannot be used and is left out."),
            say.say("Everything else is served. Please report it, with the version of the firmware."),
            "; ".join(problems),
        )


def _down(glance: Glance, say: Language) -> Finding:
    failure = glance.failures["reading"]
    if {each.reason for each in glance.failures.values()} == {"no_data"}:
        return Finding(
            "down",
            say.say("The bridge answers, but shows neither its reading nor its status."),
            say.say(
                "Unlock the local interface for this device in the IOmeter app, or ask IOmeter's support to. "
                "If this is no IOmeter bridge, correct the address."
            ),
            "404",
        )
    what, advice = _SILENCE.get(failure.reason, _NOT_A_BRIDGE)
    return Finding("down", say.say(what), say.say(advice), str(failure))


_SILENCE: Final = {
    "resolve": (
        "The name of the bridge does not resolve.",
        "Check its spelling, or use the IP address that your router shows for the bridge.",
    ),
    "connect": (
        "Nothing answers at this address.",
        "Check that the address is that of the bridge, that it has power and is in this network.",
    ),
    "timeout": (
        "The bridge does not answer in time.",
        "Check that it has power and good Wi-Fi, and that no firewall is in between.",
    ),
    "http_status": (
        "The bridge answers with an error.",
        "Check that the address is that of the bridge, and restart the bridge if it is.",
    ),
}

_NOT_A_BRIDGE: Final = (
    "What answers does not speak like a bridge.",
    "Check that the address is that of an IOmeter bridge and of no other device.",
)


def _of_fetches(glance: Glance, say: Language) -> Iterator[Finding]:
    failure = glance.failures.get("reading")
    if failure is not None and failure.reason == "no_data":
        yield Finding(
            "hand",
            say.say("The bridge has no reading."),
            say.say("After set-up this takes some minutes. If it stays so, check the core on the meter."),
        )
    elif failure is not None:
        yield _failing(say.say("The bridge gives its status, but no reading."), failure, say)
    failure = glance.failures.get("status")
    if failure is not None and failure.reason == "no_data":
        yield Finding("note", say.say("There is no status: this firmware has none."))
    elif failure is not None:
        yield _failing(say.say("The bridge gives its reading, but no status."), failure, say)


def _failing(what: str, failure: FetchError, say: Language) -> Finding:
    return Finding("hand", what, say.say("Restart the bridge if this stays."), str(failure))


def _of_status(status: Status, say: Language) -> Iterator[Finding]:
    if status.connection == "disconnected":
        yield Finding(
            "hand",
            say.say("The core does not reach the bridge."),
            say.say("Bring the bridge nearer to the meter, and check the core's battery."),
        )
    if status.attachment == "detached":
        yield Finding(
            "hand",
            say.say("The core has come off the meter."),
            say.say("Put it back onto the meter's optical port."),
        )
    if status.pin == "missing":
        yield Finding(
            "hand",
            say.say("The PIN of the meter is missing: it shows only whole kWh and no power."),
            say.say("Get the PIN from the operator of the meter, and enter it in the IOmeter app."),
        )
    elif status.pin == "pending":
        yield Finding("note", say.say("The PIN of the meter is being entered."))
    battery = status.battery_ratio
    if battery is not None and battery <= LOW_BATTERY:
        urgent = battery <= LOW_BATTERY / 2
        yield Finding(
            "hand",
            say.say("The battery of the core is at {level}.", level=say.percent(battery)),
            say.say("Replace the batteries now." if urgent else "Have new batteries at hand."),
        )


def _of_age(glance: Glance, say: Language, now: float, stale_after: float) -> Iterator[Finding]:
    age = glance.age(now)
    if age is None:
        return
    if glance.is_stale(now, stale_after):
        yield Finding(
            "hand",
            say.say("The reading is {age} old.", age=say.duration(max(age, glance.seen_for))),
            say.say(
                "Check the core on the meter, its way to the bridge, and how often it reads, which is set in "
                "the app."
            ),
        )
    elif age < -_CLOCK_SKEW_SECONDS:
        yield Finding(
            "hand",
            say.say("The reading is {age} in the future.", age=say.duration(-age)),
            say.say("Check the clock of this host. The bridge takes its own from the internet."),
        )


_REFUSALS: Final[dict[Rejection, str]] = {
    "replayed": "The bridge shows an older reading again; the last good one stays.",
    "decreased": "The bridge shows less energy than before; the last good reading stays.",
    "implausible": "The bridge shows more energy than can have flowed; the last good reading stays.",
}


def _of_refusals(glance: Glance, say: Language) -> Iterator[Finding]:
    if glance.rejection == "replayed":
        yield Finding("note", say.say(_REFUSALS["replayed"]), say.say("This passes by itself."))
    elif glance.rejection is not None:
        yield Finding(
            "hand",
            say.say(_REFUSALS[glance.rejection]),
            say.say("If the meter itself shows this, it is believed after some minutes."),
        )
    elif refused := sum(glance.rejected.values()):
        what = "{count} readings were refused since the start." if refused > 1 else "One reading was refused."
        yield Finding("note", say.say(what, count=say.number(refused)))
