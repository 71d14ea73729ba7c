"""The card of a bridge: its power, where that came from, and all that is known of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from iometer_exporter.bridges.glance import Glance
from iometer_exporter.meter import quantities
from iometer_exporter.meter.models import Status
from iometer_exporter.meter.power_ring import SLOT_SECONDS
from iometer_exporter.web.landing.findings import Finding, State, findings_of, state_of
from iometer_exporter.web.landing.language import Language
from iometer_exporter.web.landing.markup import Html, join, tag
from iometer_exporter.web.landing.parts import UNKNOWN, article, fact, finding_list
from iometer_exporter.web.landing.sparkline import bars, sparkline
from iometer_exporter.web.landing.tables import energies, phases

_WAYS: Final = {1: "from the grid", -1: "into the grid", 0: "balanced"}
_ARROWS: Final = {1: "\N{DOWNWARDS ARROW}", -1: "\N{UPWARDS ARROW}", 0: "="}

_OLD_SECONDS: Final = 60.0
"""Seconds from which on the age of a power stands beside it."""

_LEAST_SLOTS: Final = 15
"""Half an hour, which a curve shows at least."""

_DATED_SECONDS: Final = 12 * 3600.0
"""Seconds from which on a time of day is not enough to tell when."""

_WIFI_LEVELS: Final = (-85.0, -75.0, -67.0, -55.0)
_CORE_LEVELS: Final = (-95.0, -85.0, -75.0, -65.0)
"""dBm from which on one, two, three and four bars are shown."""


@dataclass(frozen=True)
class BridgeCard:
    """A bridge with what is to be shown of it; `power` is the one in W that the title may name."""

    glance: Glance
    findings: Sequence[Finding]
    state: State
    power: float | None

    @classmethod
    def of(cls, glance: Glance, say: Language, *, now: float, stale_after: float) -> "BridgeCard":
        """The card of a bridge at Unix time `now`."""
        findings = tuple(findings_of(glance, say, now=now, stale_after=stale_after))
        state = state_of(glance, findings)
        power = quantities.power(glance.reading) if glance.reading is not None else None
        is_true = state != "down" and not _is_cut_off(glance) and not glance.is_stale(now, stale_after)
        return cls(glance, findings, state, power if is_true else None)


def bridge_card(card: BridgeCard, say: Language, *, number: int, now: float) -> Html:
    """The card as HTML; `number` is unique on the page."""
    glance = card.glance
    reading, status = glance.reading, glance.status
    tables = None
    if reading is not None:
        tables = tag("div", energies(reading, glance.recent, say, now), phases(reading, say), class_="tables")
    return article(
        card.state,
        say,
        tag("bdi", glance.name),
        tag(
            "div",
            _power(card, say, now),
            finding_list(card.findings),
            _course(glance, say, f"course{number}"),
            class_="now",
        ),
        tables,
        tag(
            "div",
            tag("dl", *_facts(glance, status, say, now)),
            _probe_link(glance, say),
            class_="facts",
        ),
    )


def _is_cut_off(glance: Glance) -> bool:
    """Whether the core says itself that it sees no meter or reaches no bridge."""
    status = glance.status
    return status is not None and (status.connection == "disconnected" or status.attachment == "detached")


def _power(card: BridgeCard, say: Language, now: float) -> Html:
    """The power as the big number; the last one, grey and with its age, where it is none of now."""
    glance = card.glance
    value = quantities.power(glance.reading) if glance.reading is not None else None
    age = glance.age(now)
    if value is None or age is None:
        return join(
            tag("p", tag("span", UNKNOWN, class_="value"), class_="power old"),
            tag("p", _why_no_power(card, say), class_="way"),
        )
    sign = (value > 0) - (value < 0)
    figure, unit = say.watts(abs(value))
    is_old = card.power is None
    words = [tag("span", _ARROWS[sign], class_="arrow", aria_hidden="true"), Html(" "), say.say(_WAYS[sign])]
    if is_old and card.state == "down" and glance.answered_at is not None:
        words += [", ", say.say("last seen {moment}", moment=say.moment(glance.answered_at, now))]
    elif is_old or age >= _OLD_SECONDS:
        words += [", ", say.say("{age} ago", age=say.duration(max(age, glance.seen_for)))]
    kind = "old" if is_old else "fed" if value < 0 else "drawn"
    return join(
        tag(
            "p",
            tag("span", figure, class_="value"),
            "\N{NO-BREAK SPACE}",
            tag("span", unit, class_="unit"),
            class_=f"power {kind}",
        ),
        tag("p", *words, class_="way"),
    )


def _why_no_power(card: BridgeCard, say: Language) -> str:
    glance = card.glance
    if glance.answered_at is None:
        return say.say("no answer yet")
    if glance.reading is None:
        return say.say("no reading yet")
    if glance.status is not None and glance.status.pin == "missing":
        return say.say("no power without the PIN")
    return say.say("the meter sends no power")


def _course(glance: Glance, say: Language, name: str) -> Html | None:
    means = _begun(glance.recent.powers)
    known = [mean for mean in means if mean is not None]
    if not known:
        return None
    if len(known) == 1:
        return tag("p", say.say("The curve of the last hours begins here."), class_="begins")
    hours = say.duration(len(means) * SLOT_SECONDS)
    peaks = [(1, max(known), "up to {power} drawn"), (-1, -min(known), "up to {power} fed in")]
    peaks = [peak for peak in peaks if peak[1] > 0]
    extent = ", ".join(say.say(text, power=say.power(power)) for _, power, text in peaks)
    label = say.say("Power of the last {hours}: {extent}", hours=hours, extent=extent)
    picture = sparkline(means, name=name, label=label)
    caption = tag(
        "figcaption",
        tag("span", say.say("{age} ago", age=hours)),
        tag("span", *(_peak(sign, power, say) for sign, power, _ in peaks), aria_hidden="true"),
        tag("span", say.say("now")),
    )
    return tag("figure", picture, caption)


def _begun(means: Sequence[float | None]) -> Sequence[float | None]:
    """The means without the time before the first: a young curve is not pressed against the edge."""
    first = next((slot for slot, mean in enumerate(means) if mean is not None), 0)
    return means[min(first, max(0, len(means) - _LEAST_SLOTS)) :]


def _peak(sign: int, power: float, say: Language) -> Html:
    arrow = tag("span", _ARROWS[sign], class_="arrow drawn" if sign > 0 else "arrow fed")
    return tag("span", arrow, "\N{NO-BREAK SPACE}", say.power(power), class_="peak")


def _facts(glance: Glance, status: Status | None, say: Language, now: float) -> Iterator[Html]:
    """Names and values of what is known."""
    reading, age = glance.reading, glance.age(now)
    if reading is not None and age is not None:
        taken = reading.time.timestamp()
        time = say.moment(taken, now) if abs(age) > _DATED_SECONDS else say.clock(taken)
        old = say.say("{age} ago", age=say.duration(age)) if age >= 0 else say.say("in the future")
        yield fact(say.say("Reading"), time, ", ", old, class_="wide")
    elif glance.is_down and glance.answered_at is not None:
        yield fact(say.say("Last seen"), say.moment(glance.answered_at, now))
    if status is not None:
        yield from _signal(say.say("Wi-Fi"), status.bridge_rssi, _WIFI_LEVELS, say)
        yield from _signal(say.say("Core"), status.core_rssi, _CORE_LEVELS, say)
        if status.battery_ratio is not None:
            yield fact(say.say("Battery"), say.percent(status.battery_ratio))
        elif status.power is not None:
            supply = {"wired": "wired", "battery": "battery"}.get(status.power)
            yield fact(say.say("Power supply"), say.say(supply) if supply else status.power)
    frequency = quantities.frequency(reading) if reading is not None else None
    if frequency is not None:
        yield fact(say.say("Frequency"), say.quantity(frequency, "Hz", 2))
    if status is not None and (status.bridge_version or status.core_version):
        versions = [each for each in (status.bridge_version, status.core_version) if each]
        yield fact(say.say("Firmware"), " · ".join(versions))
    if glance.meter:
        yield fact(say.say("Meter"), tag("bdi", glance.meter))
    yield fact(say.say("Address"), tag("bdi", glance.address))


def _signal(name: str, dbm: float | None, levels: Sequence[float], say: Language) -> Iterator[Html]:
    if dbm is not None:
        level = sum(dbm >= least for least in levels)
        picture = bars(level, label=say.say("{level} of 4 bars", level=str(level)))
        yield fact(name, picture, Html(" "), say.quantity(dbm, "dBm"))


def _probe_link(glance: Glance, say: Language) -> Html:
    query = urlencode({"target": glance.address, "debug": "true"})
    return tag("p", tag("a", say.say("Check in detail"), href=f"probe?{query}"), class_="more")
