"""Samples of snapshots: what the table of families says of a bridge."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from iometer_exporter.bridges.snapshot import Snapshot, StreamState
from iometer_exporter.errors import REASONS, Reason
from iometer_exporter.meter.guard import REJECTIONS, Rejection
from iometer_exporter.meter.models import ENDPOINTS, Endpoint
from iometer_exporter.metrics.families import (
    BRIDGE_INFO,
    BRIDGE_RSSI,
    CORE_RSSI,
    ENDPOINT_UP,
    POWER_DISTRIBUTION,
    PROBE_DURATION,
    PROBE_SUCCESS,
    READINGS_REJECTED,
    SCRAPE_DURATION,
    SCRAPE_ERRORS,
    STREAM_EVENTS,
    STREAM_RECONNECTS,
    STREAM_UP,
    UP,
    Distribution,
    Observed,
    Owned,
    Sample,
    core_states,
    counters,
    instantaneous,
    registers,
)
from iometer_exporter.metrics.lines import Lines, Text

_ERRORS: Final = tuple((endpoint, reason) for endpoint in ENDPOINTS for reason in REASONS)

_Group = tuple[tuple[str, ...], Callable[..., Iterable[Sample | Observed]], tuple[Any, ...]]
"""Samples of one owner: its labels, the function that gives the samples, and its arguments."""


def add_bridges(lines: Lines, snapshots: Iterable[Snapshot], *, now: float, stale_after: float) -> None:
    """Add the lines of bridges, from one snapshot of each; times are those of `bridge_samples`."""
    for snapshot in snapshots:
        is_stale = snapshot.is_stale(now, stale_after)
        # Of a bridge that is followed, nothing has changed unless an event came since the page before.
        made_of = _made_of(snapshot, is_stale)
        lines.add_texts(snapshot.heads.kept(add_bridges, made_of, partial(_texts, snapshot, is_stale)))


def _made_of(snapshot: Snapshot, is_stale: bool) -> object:
    """What is the same only where all lines of a bridge are; None where they are others at each scrape."""
    reading, sent = snapshot.reading, snapshot.sent
    if not snapshot.streams or snapshot.edition is None or reading is None or sent is None:
        return None
    return (
        (snapshot.edition, snapshot.is_held, is_stale),
        (snapshot.bridge, snapshot.meter, reading.meter, sent.meter),
        (snapshot.streams, snapshot.powers, snapshot.status),
        (tuple(snapshot.failures), snapshot.durations, snapshot.errors, snapshot.rejected),
    )


def _texts(snapshot: Snapshot, is_stale: bool) -> Sequence[Text]:
    """The lines of a bridge, those kept of each group of samples that is as it was."""
    heads, texts = snapshot.heads, list[Text]()
    for owner, samples, arguments in _groups(snapshot, is_stale):
        if samples in _STEADY:
            texts += heads.steady(owner, samples, arguments)
        else:
            texts += heads.alike(owner, samples, arguments, _edition(snapshot, samples, arguments))
    return texts


def _edition(
    snapshot: Snapshot, samples: Callable[..., Iterable[Sample | Observed]], arguments: tuple[Any, ...]
) -> object:
    """What is the same only where the samples are; None where they are others at each scrape."""
    if samples in _OF_READINGS:
        return None if snapshot.edition is None else (snapshot.edition, snapshot.is_held)
    return arguments if samples in _NOW_AND_THEN else None


def bridge_samples(snapshot: Snapshot, *, now: float, stale_after: float) -> Iterator[Owned]:
    """The samples of one bridge, under its own label and under those of its meter.

    `now` is Unix time; instantaneous values of readings older than `stale_after` seconds, by their time or
    since they came, are left out (0: never).
    """
    for owner, samples, arguments in _groups(snapshot, snapshot.is_stale(now, stale_after)):
        yield owner, samples(*arguments)


def probe_samples(*, success: bool, duration: float) -> Iterator[Sample]:
    """The samples of one probe: whether the bridge answered, and the duration in seconds."""
    yield PROBE_SUCCESS, (), int(success)
    yield PROBE_DURATION, (), duration


def _groups(snapshot: Snapshot, is_stale: bool) -> Iterator[_Group]:
    bridge, reading, sent, status = snapshot.bridge, snapshot.reading, snapshot.sent, snapshot.status
    yield (bridge,), _durations, (snapshot.durations,)
    yield (bridge,), _outcomes, (snapshot.up, tuple(snapshot.failures), snapshot.errors, snapshot.rejected)
    if snapshot.streams:
        yield (bridge,), _stream_events, (snapshot.streams,)
        standing = tuple((endpoint, up, begun) for endpoint, (up, _, begun) in snapshot.streams.items())
        yield (bridge,), _stream_states, (standing,)
    if reading is not None:
        labels = (bridge, reading.meter)
        yield labels, counters, ({} if snapshot.is_held else snapshot.energies, reading.time)
        # Last night's power is no power.
        if not is_stale:
            yield labels, instantaneous, (reading,)
    if snapshot.powers is not None:
        meter, powers = snapshot.powers
        yield (bridge, meter), _powers, (powers,)
    if sent is not None:
        yield (bridge, sent.meter), registers, (sent,)
    if status is not None:
        labels = (bridge, snapshot.meter)
        yield labels, _signals, (status.bridge_rssi, status.core_rssi)
        states = (status.connection, status.attachment, status.power, status.pin, status.battery_ratio)
        identity = (status.device_id, status.installation_id, status.bridge_version, status.core_version)
        yield labels, _status, (*states, identity)


def _durations(durations: Mapping[Endpoint, float]) -> Iterator[Sample]:
    for endpoint in ENDPOINTS:
        yield SCRAPE_DURATION, (endpoint,), durations[endpoint]


def _outcomes(
    up: bool,
    failed: Collection[Endpoint],
    errors: Mapping[tuple[Endpoint, Reason], int],
    rejected: Mapping[Rejection, int],
) -> Iterator[Sample]:
    yield UP, (), int(up)
    for endpoint in ENDPOINTS:
        yield ENDPOINT_UP, (endpoint,), int(endpoint not in failed)
    # From zero on, so that increase() sees the first error too.
    for error in _ERRORS:
        yield SCRAPE_ERRORS, error, errors.get(error, 0)
    for rejection in REJECTIONS:
        yield READINGS_REJECTED, (rejection,), rejected.get(rejection, 0)


def _stream_events(streams: Mapping[Endpoint, StreamState]) -> Iterator[Sample]:
    for endpoint, stream in streams.items():
        yield STREAM_EVENTS, (endpoint,), stream.events


def _stream_states(streams: Iterable[tuple[Endpoint, bool, int]]) -> Iterator[Sample]:
    for endpoint, up, reconnects in streams:
        yield STREAM_UP, (endpoint,), int(up)
        yield STREAM_RECONNECTS, (endpoint,), reconnects


def _powers(powers: Distribution) -> Iterator[Observed]:
    yield POWER_DISTRIBUTION, (), powers


def _signals(bridge_rssi: float | None, core_rssi: float | None) -> Iterator[Sample]:
    yield BRIDGE_RSSI, (), bridge_rssi
    yield CORE_RSSI, (), core_rssi


def _status(
    connection: str | None,
    attachment: str | None,
    power: str | None,
    pin: str | None,
    battery_ratio: float | None,
    identity: tuple[str, ...],
) -> Iterator[Sample]:
    yield from core_states(
        connection=connection, attachment=attachment, power=power, pin=pin, battery_ratio=battery_ratio
    )
    yield BRIDGE_INFO, identity, 1


_STEADY: Final = frozenset((_outcomes, _stream_states, _status))
"""Those whose samples are the same from scrape to scrape, as a rule; they get nothing but their arguments."""

_NOW_AND_THEN: Final = frozenset((_durations, _stream_events, _signals, _powers))
"""Those whose samples change with each event or fetch, or once in many scrapes."""

_OF_READINGS: Final = frozenset((counters, instantaneous, registers))
"""Those whose samples are the same while the snapshot is of the same readings."""
