"""The page for people: all bridges at a glance, and links to what machines read."""

from collections.abc import Sequence
from html import escape
from string import Template
from typing import TYPE_CHECKING, Final

from iometer_exporter import __version__
from iometer_exporter.bridges.diagnosis import Problem, problems
from iometer_exporter.bridges.snapshot import Snapshot
from iometer_exporter.meter import quantities
from iometer_exporter.meter.models import Reading
from iometer_exporter.wording import duration, totals, watts

if TYPE_CHECKING:
    from iometer_exporter.provider.source import Summary

REFRESH_SECONDS: Final = 15

_PAGE: Final = Template("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="$refresh">
<title>IOmeter exporter</title>
<style>
:root { color-scheme: light dark; --line: #d4d8dd; --muted: #5d6670; --good: #1a7f37; --bad: #c4321c;
  --warn: #9a6700; --card: #f6f8fa; }
@media (prefers-color-scheme: dark) { :root { --line: #3a4149; --muted: #9aa4af; --good: #4ac26b;
  --bad: #ff7b6b; --warn: #d4a72c; --card: #1c2127; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.4rem; margin: .5rem 0 1rem; }
h2 { font-size: 1.1rem; margin: 0; overflow-wrap: anywhere; }
main { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr)); }
article { border: 1px solid var(--line); border-radius: .6rem; padding: 1rem; background: var(--card); }
header { display: flex; justify-content: space-between; gap: .5rem; align-items: baseline; }
.state { font-weight: 600; white-space: nowrap; } .up { color: var(--good); } .down { color: var(--bad); }
.power { font-size: 2rem; font-weight: 600; margin: .6rem 0 0; font-variant-numeric: tabular-nums; }
.power small { font-size: 1rem; font-weight: 400; color: var(--muted); }
dl { display: grid; grid-template-columns: minmax(0, 1fr) fit-content(75%); gap: .15rem 1rem;
  margin: .8rem 0 0; }
dt { color: var(--muted); } dd { margin: 0; text-align: right; font-variant-numeric: tabular-nums;
  overflow-wrap: anywhere; } a { color: inherit; }
ul { margin: .8rem 0 0; padding-left: 1.1rem; } li { color: var(--warn); }
li span { color: var(--muted); display: block; }
footer { margin-top: 1.5rem; color: var(--muted); font-size: .9rem; }
</style>
</head>
<body>
<h1>IOmeter exporter</h1>
$provider$bridges
<footer>
<a href="metrics">Metrics</a> · <a href="sd">Discovery</a> · <a href="-/healthy">Health</a> ·
<a href="-/ready">Readiness</a> ·
version $version · read live, again in $refresh s
</footer>
</body>
</html>
""")

_NONE_FOUND: Final = (
    "<p>No bridge has announced itself in this network yet. The bridge must be in the same network "
    "segment as this host; otherwise start the exporter with <code>--bridge ADDRESS</code>.</p>"
)
_NONE_CONFIGURED: Final = (
    "<p>No bridge is configured and discovery is off: start the exporter with "
    "<code>--bridge ADDRESS</code> or <code>--discovery</code>.</p>"
)


def landing_page(
    snapshots: Sequence[Snapshot],
    *,
    now: float,
    stale_after: float,
    discovery: bool,
    provider: "Summary | None" = None,
) -> str:
    """The page as HTML, every value from outside escaped; `now` is Unix time, `stale_after` in seconds."""
    cards = [_card(snapshot, now=now, stale_after=stale_after) for snapshot in snapshots]
    nothing = "" if provider is not None else _NONE_FOUND if discovery else _NONE_CONFIGURED
    return _PAGE.substitute(
        refresh=REFRESH_SECONDS,
        version=escape(__version__),
        bridges=f"<main>\n{''.join(cards)}</main>" if cards else nothing,
        provider=_provider(provider) if provider is not None else "",
    )


def _provider(summary: "Summary") -> str:
    age = "no inventory yet" if summary.age is None else f"inventory {duration(max(summary.age, 0.0))} old"
    facts = f"{summary.installations} installations, {age}, {summary.readings}"
    found = "".join(f"<li>{escape(problem)}</li>" for problem in summary.problems)
    notes = f"\n<ul>{found}</ul>" if found else ""
    return f"<p>Provider <strong>{escape(summary.name or 'unknown')}</strong>: {escape(facts)}</p>{notes}\n"


def _card(snapshot: Snapshot, *, now: float, stale_after: float) -> str:
    state = '<span class="state up">up</span>' if snapshot.up else '<span class="state down">down</span>'
    age = snapshot.age(now)
    is_fresh = not snapshot.is_stale(now, stale_after)
    power = _power(snapshot.reading) if snapshot.reading is not None and is_fresh else ""
    rows = "".join(
        f"<dt>{escape(label)}</dt><dd>{escape(value)}</dd>\n" for label, value in _facts(snapshot, age)
    )
    found = "".join(_item(problem) for problem in problems(snapshot, now=now, stale_after=stale_after))
    notes = f"<ul>{found}</ul>\n" if found else ""
    return (
        f"<article>\n<header><h2>{escape(snapshot.bridge)}</h2>{state}</header>\n{power}"
        f"<dl>\n{rows}</dl>\n{notes}</article>\n"
    )


def _power(reading: Reading) -> str:
    value = quantities.power(reading)
    if value is None:
        return ""
    direction = "from the grid" if value > 0 else "into the grid" if value < 0 else "balanced"
    return f'<p class="power">{escape(watts(abs(value)))} <small>{direction}</small></p>\n'


def _facts(snapshot: Snapshot, age: float | None) -> list[tuple[str, str]]:
    """Labels and values of the card, those that are known."""
    rows: list[tuple[str, str | None]] = []
    if snapshot.reading is not None:
        imported, exported = totals(snapshot.reading)
        rows += [("Import total", imported), ("Export total", exported)]
    if age is not None:
        rows.append(("Age of reading", duration(max(age, 0.0))))
    if snapshot.status is not None and snapshot.status.battery_ratio is not None:
        rows.append(("Battery", f"{snapshot.status.battery_ratio:.0%}"))
    elif snapshot.status is not None and snapshot.status.power is not None:
        rows.append(("Power supply", snapshot.status.power))
    rows += [("Meter", snapshot.meter or None), ("Address", snapshot.address)]
    return [(label, value) for label, value in rows if value is not None]


def _item(problem: Problem) -> str:
    return f"<li>{escape(problem.what)}<span>{escape(problem.advice)}</span></li>"
