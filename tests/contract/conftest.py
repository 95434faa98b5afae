"""What must hold in every test of all declared commands."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.published_schemas import traffic_faults
from tests.kit.log_watch import watched_log
from tests.kit.traffic import recorded_traffic


@pytest.fixture(autouse=True)
def _every_error_is_declared() -> Iterator[None]:
    """No command may answer an error that it does not declare, nor fail because of a defect."""
    with watched_log("undeclared_error", "command_failed") as complaints:
        yield
    assert complaints == []


@pytest.fixture(autouse=True)
def _everything_is_as_documented() -> Iterator[None]:
    """What the documents say is what travels: payloads that are taken, answers, pushes."""
    with recorded_traffic() as traffic:
        yield
    assert traffic_faults(traffic) == []
