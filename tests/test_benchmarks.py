"""That the benchmarks' tables can be made, in their shortest form."""

import re

import pytest

from benchmarks import live, provider, scrape
from benchmarks.floor import Floor, Target
from benchmarks.measuring import Figure
from devtools.processes import free_port

pytestmark = pytest.mark.end_to_end


def test_a_scrape_is_measured_beside_its_floor(capsys: pytest.CaptureFixture[str]) -> None:
    scrape.main(["--bridges", "2", "--latency", "20", "--scrapes", "2", "--starts", "1"])
    text = capsys.readouterr().out
    rows = [row.split(" | ") for row in re.findall(r"(?m)^\| (.+) \|$", text)]
    header, _, kept, closed = rows
    assert {len(row) for row in rows} == {len(header)}
    assert (kept[:2], closed[:2]) == (["kept", "2"], ["closed each time", "2"])
    for row in (kept, closed):
        # Nobody is faster than the bridges.
        assert float(row[2].split()[0]) >= 20
        assert float(row[3].split()[0]) >= 20
        assert float(row[6].split()[0]) > 0
        assert float(row[7]) > 10
    assert re.search(r"after the start of the process: \d+ \(", text)
    assert re.search(r"at once: \d\.\d\d \(", text)


def test_what_following_costs_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    live.main(["--bridges", "2", "--seconds", "2.5", "--scrapes", "2", "--pause", "0.1"])
    header, _, row = re.findall(r"(?m)^\| (.+) \|$", capsys.readouterr().out)
    cells = row.split(" | ")
    assert len(cells) == len(header.split(" | "))
    assert cells[0] == "2"
    assert all(float(re.split("[ %]", cell)[0]) > 0 for cell in cells[1:])


def test_the_floor_fails_where_nobody_answers() -> None:
    with Floor([Target(free_port(), "/v1/reading")]) as floor, pytest.raises(ConnectionRefusedError):
        floor.fetch()


def test_a_figure_has_its_quartiles() -> None:
    assert Figure.of([3.0]) == Figure(3.0, 3.0, 3.0)
    assert (Figure.of([1.0, 2.0, 3.0, 4.0, 50.0]) / 2).text(1) == "1.5 (1.0 to 2.0)"


def test_a_fleet_is_measured_beside_the_decoder_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider, "PROBES", 3)
    monkeypatch.setattr(provider, "QUIET_SECONDS", 3.0)
    provider.main(["--installations", "80", "--shard", "1/2", "--rounds", "2", "--scrapes", "1"])
    text = capsys.readouterr().out
    decoding, fleet = (
        [row.split(" | ") for row in re.findall(r"(?m)^\| (.+) \|$", table)]
        for table in text.split("\n\n", 2)[1:]
    )
    assert {len(row) for row in decoding} == {4}
    for _, ours, floor, _ in decoding[2:]:
        # Nobody is faster than the decoder.
        assert float(ours) > float(floor) > 0
    figures = {row[0]: row[1] for row in fleet}
    assert 20 < int(figures["installations served"]) < 60
    read, taken = map(int, figures["of them read, and ours"].split(" and "))
    # Of a day, less what was there when the count began, which of so few may be nearly all.
    assert 0 < read + taken <= 2 * 80 * 2 * 96
    assert {"scrape meanwhile", "scrape, nothing changed"} <= figures.keys()
