import asyncio
import logging

import pytest

from iometer_exporter.bridges.discovery import announcements as announcements_module
from iometer_exporter.bridges.discovery.announcements import MOST, Announcements, Service
from iometer_exporter.net.addresses import Address
from tests.waiting import until


def service(name: str, host: str = "10.0.0.1") -> Service:
    return Service(name, "", (Address(host),))


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "iometer_exporter")
    return caplog


def told(log: pytest.LogCaptureFixture, name: str) -> list[str]:
    return [line.getMessage() for line in log.records if line.__dict__.get("bridge") == name]


def flap(table: Announcements, times: int) -> None:
    """Let a bridge come and go."""
    for _ in range(times):
        table.add(service("flapping"))
        table.remove("flapping")


async def test_names_differ_by_more_than_case_and_the_first_spelling_stays() -> None:
    table = Announcements()
    table.add(service("House"))
    first = table.services[0]
    first.standing.answered = True
    table.add(service("HOUSE", "10.0.0.2"))
    assert [(s.name, s.addresses) for s in table.services] == [("House", (Address("10.0.0.2"),))]
    assert table.services[0].standing is first.standing
    assert "hOUSE" in table
    table.remove("house")
    assert (list(table.services), "House" in table) == ([], False)


async def test_nothing_new_is_the_same_object() -> None:
    table = Announcements()
    table.add(service("a"))
    before = table.services
    table.add(service("a"))
    table.remove("b")
    assert table.services is before


async def test_the_table_is_bounded_and_keeps_those_that_have_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(announcements_module, "MOST", 3)
    table = Announcements()
    for name in ("real", "a", "b", "c", "d"):
        table.add(service(name))
        table.services[0].standing.answered = True
    assert [known.name for known in table.services] == ["real", "c", "d"]
    for known in table.services:
        known.standing.answered = True
    table.add(service("e"))
    assert [known.name for known in table.services] == ["real", "c", "d"]


async def test_a_flood_is_bounded_in_memory_and_log(log: pytest.LogCaptureFixture) -> None:
    table = Announcements()
    for index in range(2 * MOST):
        table.add(service(f"b{index}"))
        table.remove(f"b{index - MOST // 2}")
    assert len(table.services) <= MOST
    assert len(table._news._bridges) <= MOST
    table.close()
    assert len(log.records) == 101
    assert [line.getMessage() for line in log.records if line.levelno == logging.WARNING] == [
        "bridges come and go too fast to log them all; /sd lists those that are read"
    ]


async def test_one_that_comes_and_goes_is_told_some_times_and_at_the_end_what_is_true(
    log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcements_module, "_SPAN_SECONDS", 0.2)
    table = Announcements()
    flap(table, 49)
    table.add(service("flapping"))
    table.add(service("calm"))
    first = [
        "bridge discovered at 10.0.0.1",
        "bridge no longer announced",
        "bridge announced again at 10.0.0.1",
        "bridge no longer announced",
    ]
    assert told(log, "flapping") == first
    timer = table._news._bridges["flapping"].timer
    table.remove("flapping")
    table.add(service("flapping"))
    assert table._news._bridges["flapping"].timer is timer
    assert told(log, "calm") == ["bridge discovered at 10.0.0.1"]
    await until(lambda: len(told(log, "flapping")) >= 5)
    assert told(log, "flapping") == [*first, "bridge announced again at 10.0.0.1"]
    # And from then on as before.
    for _ in range(10):
        table.remove("flapping")
        table.add(service("flapping"))
    assert len(told(log, "flapping")) < 12
    table.add(service("flapping", "10.0.0.3"))
    await until(lambda: "10.0.0.3" in told(log, "flapping")[-1])
    table.close()


async def test_one_that_is_where_it_was_last_said_to_be_is_not_told_again(
    log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcements_module, "_SPAN_SECONDS", 0.05)
    table = Announcements()
    flap(table, 10)
    assert told(log, "flapping")[-1] == "bridge no longer announced"
    await asyncio.sleep(0.2)
    assert len(told(log, "flapping")) == 4
    table.close()


async def test_a_closed_table_tells_nothing_more(
    log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcements_module, "_SPAN_SECONDS", 0.05)
    table = Announcements()
    flap(table, 10)
    table.add(service("flapping"))
    table.close()
    await asyncio.sleep(0.2)
    assert len(told(log, "flapping")) == len(log.records) == 4


async def test_an_announcement_without_an_address_is_told_once(log: pytest.LogCaptureFixture) -> None:
    table = Announcements()
    for _ in range(5):
        table.note_without_address("lost")
    table.add(service("lost"))
    assert told(log, "lost") == ["bridge announced without an address", "bridge announced at 10.0.0.1"]


def test_an_empty_table_and_what_makes_services_the_same() -> None:
    assert list(Announcements().services) == []
    one, other = service("a"), service("a")
    other.standing.answered = True
    # What is known of it does not make it another announcement.
    assert one == other
