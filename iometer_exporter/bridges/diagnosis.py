"""Diagnosis of a bridge, in words for a person: what is wrong, and what to do about it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from iometer_exporter.bridges.snapshot import Snapshot
from iometer_exporter.errors import FetchError, Reason
from iometer_exporter.meter.models import ENDPOINTS, WEB_PAGE, Status
from iometer_exporter.wording import duration

LOW_BATTERY: Final = 0.2
"""Charge of the core's battery at which a person is told, 0 to 1."""


_CLOCK_SKEW_SECONDS: Final = 120.0
"""Seconds that a reading may be ahead of this host's clock."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a bridge, and what to do about it: one sentence each."""

    what: str
    advice: str


def problems(snapshot: Snapshot, *, now: float, stale_after: float) -> Iterator[Problem]:
    """Problems of the bridge at Unix time `now`, the cause before its consequences."""
    reasons = {endpoint: failure.reason for endpoint, failure in snapshot.failures.items()}
    if list(reasons.values()) == ["no_data", "no_data"]:
        yield Problem(
            "the bridge answers, but 404 for both the reading and the status",
            "unlock the local API for this device in the IOmeter app, or ask IOmeter's support to; "
            "if this is no IOmeter bridge, correct the address",
        )
        return
    if not snapshot.up:
        yield _unreachable(snapshot)
        return
    yield from _reading_problems(snapshot)
    if snapshot.status is not None:
        yield from _status_problems(snapshot.status)
    age = snapshot.age(now)
    if age is not None:
        if snapshot.is_stale(now, stale_after):
            yield Problem(
                f"the reading is {duration(max(age, snapshot.seen_for))} old",
                "check the core on the meter, its way to the bridge, and the interval set in the app",
            )
        elif age < -_CLOCK_SKEW_SECONDS:
            yield Problem(
                f"the reading is {duration(-age)} in the future",
                "check the clock of this host; the bridge takes its own from the internet",
            )


def probe_log(snapshot: Snapshot, *, target: str, duration: float) -> Iterator[str]:
    """Lines on what a probe asked, what was answered and what was rejected; `duration` in seconds."""
    yield f"target {target}: {snapshot.source} bridge {snapshot.bridge} at {snapshot.address}"
    for endpoint in ENDPOINTS:
        failure = snapshot.failures.get(endpoint)
        answer = f"failed, {failure.reason}: {failure}" if failure else "answered with a valid document"
        yield f"GET /v1/{endpoint}: {answer} ({snapshot.durations[endpoint]:.3f} s)"
    for document in (snapshot.sent, snapshot.status):
        for problem in document.problems if document is not None else ():
            yield f"left out: {problem}"
    sent, served = snapshot.sent, snapshot.reading
    if sent is not None and served is not None:
        yield f"meter {sent.meter or 'unknown'}, {len(sent.registers)} registers of {sent.time.isoformat()}"
        if sent.time != served.time:
            yield f"that reading was refused, served is the one of {served.time.isoformat()}"
        if snapshot.is_held:
            yield "its counters are held back until it is clear that it is no replay of the past"
    rejected = ", ".join(f"{reason} {count}" for reason, count in snapshot.rejected.items())
    yield f"readings refused since the start: {rejected or 'none'}"
    yield f"probe {'succeeded' if snapshot.up else 'failed'} after {duration:.3f} s"


_NOT_A_BRIDGE: Final = "check that the address is that of an IOmeter bridge and no other device"
_OTHER_DEVICE: Final = "this is another device, such as a router or a printer: correct the address"

_ADVICE: Final[Mapping[Reason, str]] = {
    "resolve": "check the spelling of the name, or use the IP address that your router shows for the bridge",
    "connect": "check that the address is that of the bridge, that it has power and is in this network",
    "timeout": "check that the bridge has power and good Wi-Fi, and that no firewall is in between",
    "protocol": "bring the bridge nearer to the access point, for weak Wi-Fi breaks connections off; "
    "if it stays, " + _NOT_A_BRIDGE,
}

_LOGIN: Final = (401, 403)


def headline(snapshot: Snapshot) -> str:
    """What a bridge does, in a few words."""
    if snapshot.up:
        return "answers"
    silent = {failure.reason for failure in snapshot.failures.values()} <= {"resolve", "connect", "timeout"}
    return "does not answer" if silent else "does not answer as a bridge"


def _unreachable(snapshot: Snapshot) -> Problem:
    failures = snapshot.failures.values()
    # A web page tells most, and one 404 beside something else least.
    failure = min(failures, key=lambda each: (str(each) != WEB_PAGE, each.reason == "no_data"))
    if failure.reason == "resolve" and snapshot.address.partition(":")[0].endswith(".local"):
        return Problem(
            f"the bridge does not answer: {failure}",
            "a name in .local needs mDNS on this host: use the IP address that your router shows",
        )
    if failure.status in _LOGIN:
        return Problem(f"what answers asks for a login (status {failure.status})", _OTHER_DEVICE)
    if str(failure) == WEB_PAGE:
        return Problem("what answers is a web page", _OTHER_DEVICE)
    if failure.status is not None and failure.status >= 500:
        return Problem(
            f"the bridge {failure}",
            "restart the bridge; if it stays, check that the address is that of the bridge",
        )
    what = (
        "does not answer"
        if failure.reason in ("resolve", "connect", "timeout")
        else "does not answer as a bridge"
    )
    return Problem(f"the bridge {what}: {in_words(failure)}", _ADVICE.get(failure.reason, _NOT_A_BRIDGE))


def in_words(failure: FetchError) -> str:
    """The failure for a person: without the words of a parser, which the log has."""
    return "what it sends is not JSON" if failure.reason == "invalid_json" else str(failure)


def _reading_problems(snapshot: Snapshot) -> Iterator[Problem]:
    failure = snapshot.failures.get("reading")
    if failure is not None and failure.reason == "no_data":
        yield Problem(
            "the bridge has no reading yet",
            "wait some minutes after set-up; if it stays, check the core on the meter",
        )
    elif failure is not None:
        yield Problem(
            f"there is no reading: {in_words(failure)}", "try again; restart the bridge if it stays"
        )
    failure = snapshot.failures.get("status")
    if failure is not None and failure.reason != "no_data":
        yield Problem(f"there is no status: {in_words(failure)}", "try again; restart the bridge if it stays")
    for document in (snapshot.sent, snapshot.status):
        if document is not None and document.problems:
            yield Problem(
                f"the bridge sent what cannot be used: {'; '.join(document.problems)}",
                "everything else is served; please report it with the firmware version",
            )


_PIN_PROBLEMS: Final = {
    "missing": Problem(
        "the PIN of the meter is missing: it shows only whole kWh and no power",
        "get the PIN from the operator of the meter and enter it in the IOmeter app",
    ),
    "pending": Problem("the PIN of the meter is being entered", "wait some minutes"),
}


def _status_problems(status: Status) -> Iterator[Problem]:
    if status.connection == "disconnected":
        yield Problem(
            "the core does not reach the bridge",
            "bring the bridge nearer to the meter, and check the core's battery",
        )
    if status.attachment == "detached":
        yield Problem("the core is detached from the meter", "put it back onto the meter's optical port")
    if status.pin in _PIN_PROBLEMS:
        yield _PIN_PROBLEMS[status.pin]
    if status.battery_ratio is not None and status.battery_ratio <= LOW_BATTERY:
        yield Problem(
            f"the battery of the core is at {status.battery_ratio:.0%}",
            "have new batteries at hand"
            if status.battery_ratio > LOW_BATTERY / 2
            else "replace the batteries now",
        )
