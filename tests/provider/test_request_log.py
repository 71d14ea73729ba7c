import logging

import pytest

from iometer_exporter.errors import ProviderError, ProviderReason
from iometer_exporter.provider.reading.request_log import _MOST_KINDS, RequestLog


def test_kinds_beyond_a_limit_are_counted_and_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    request_log = RequestLog()
    for number in range(3 * _MOST_KINDS):
        request_log.problems("installations", [f"field{number} is missing"])
    assert request_log.errors["installations", "invalid_document"] == 3 * _MOST_KINDS
    assert len(caplog.records) == _MOST_KINDS


def test_the_limit_is_that_of_an_operation_and_of_a_span(caplog: pytest.LogCaptureFixture) -> None:
    request_log = RequestLog()
    for number in range(3 * _MOST_KINDS):
        request_log.problems("installations", [f"field{number} is missing"])
    request_log.problems("readings", ["time is missing"])
    assert len(caplog.records) == _MOST_KINDS + 1
    request_log.start_period()
    # What was logged in the span before is no news, and counts for the limit of this one.
    for number in range(3 * _MOST_KINDS):
        request_log.problems("installations", [f"field{number} is missing"])
    assert len(caplog.records) == _MOST_KINDS + 1
    request_log.start_period()
    request_log.start_period()
    request_log.problems("installations", ["field0 is missing"])
    assert len(caplog.records) == _MOST_KINDS + 2


def test_one_answer_with_very_many_kinds_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    RequestLog().problems("account", [f"field{number} is missing" for number in range(10 * _MOST_KINDS)])
    [record] = caplog.records
    assert record.getMessage() == (
        f"left out of what the provider API sent: field0 is missing; and {_MOST_KINDS - 1} of another kind"
    )


def test_an_operation_that_fails_for_another_reason_is_news(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    request_log = RequestLog()
    reasons: list[ProviderReason] = ["timeout", "timeout", "connect"]
    for reason in reasons:
        request_log.failed("account", ProviderError(reason, f"is bad ({reason})"))
    assert request_log.failing == ["the provider API is bad (connect)"]
    request_log.succeeded("account")
    request_log.succeeded("account")
    assert request_log.failing == []
    assert [record.getMessage() for record in caplog.records] == [
        "the provider API is bad (timeout)",
        "the provider API is bad (connect)",
        "the provider API answers again",
    ]
