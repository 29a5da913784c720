"""Alice at her browser, on a Tuesday morning in November."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import time_machine

MORNING = datetime(2026, 11, 24, 8, 30, tzinfo=UTC)  # 9:30 in Berlin


@pytest.fixture
def morning() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(MORNING, tick=False) as clock:
        yield clock
