import pytest

from iometer_exporter.net.backoff import Backoff


def first_waits(retry_after: float | None, *, count: int = 200) -> list[float]:
    """How long so many that fail for the first time wait."""
    return [Backoff(5.0, 300.0).failed(retry_after) for _ in range(count)]


@pytest.mark.parametrize(("retry_after", "shortest", "longest"), [(None, 2.5, 5.0), (100.0, 100.0, 105.0)])
def test_many_that_failed_at_once_do_not_come_back_at_once(
    retry_after: float | None, shortest: float, longest: float
) -> None:
    waits = first_waits(retry_after)
    assert shortest <= min(waits) <= max(waits) <= longest
    # All over the span: 200 that are even over it leave no quarter of it empty, but once in 10^24.
    quarters = {int(4 * (wait - shortest) / (longest - shortest)) for wait in waits}
    assert quarters >= {0, 1, 2, 3}


def test_waits_grow_to_the_longest_and_begin_anew() -> None:
    backoff = Backoff(1.0, 60.0)
    waits = [backoff.failed() for _ in range(5000)]
    assert all(0.5 <= wait <= min(60.0, 2.0**number) for number, wait in enumerate(waits[:20]))
    assert max(waits) > 50
    backoff.succeeded()
    assert backoff.failed() <= 1.0


def test_a_wait_that_is_asked_for_is_never_cut_short() -> None:
    backoff = Backoff(1.0, 60.0)
    assert all(backoff.failed(120.0) >= 120.0 for _ in range(100))


def test_no_wait_that_is_asked_for_does_not_end_the_growth() -> None:
    backoff = Backoff(1.0, 60.0)
    assert max(backoff.failed(0.0) for _ in range(100)) > 20
