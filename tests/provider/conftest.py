"""What the tests of the provider commands share."""

from collections.abc import Iterator

import pytest

from tests.provider.cloud import Cloud, cloud_of


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with cloud_of(installations=30) as running:
        yield running
