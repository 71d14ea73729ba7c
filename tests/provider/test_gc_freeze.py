import gc

import pytest

from iometer_exporter.provider.served.gc_freeze import FreezeSchedule
from tests.provider.fleet import fleet, installation


def test_what_is_kept_is_settled_from_time_to_time(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(gc, "collect", lambda: calls.append("collect"))
    monkeypatch.setattr(gc, "freeze", lambda: calls.append("freeze"))
    schedule = FreezeSchedule()
    schedule.note_new_objects(1249)
    assert not calls
    schedule.note_new_objects()
    assert calls == ["collect", "freeze"]
    for _ in range(1249):
        schedule.note_new_objects()
    assert len(calls) == 2
    schedule.note_new_objects()
    assert len(calls) == 4


def test_a_large_fleet_is_out_of_the_collectors_sight() -> None:
    before = gc.get_freeze_count()
    try:
        known = fleet(*(installation(f"i{number}") for number in range(3000)))
        assert gc.get_freeze_count() - before > 3000
        assert len(known) == 3000
    finally:
        gc.unfreeze()
