"""What holds in every test that goes through all that is declared."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit.log_watch import watched_log


@pytest.fixture(autouse=True)
def _every_error_is_declared() -> Iterator[None]:
    """No command may answer what its declaration does not name, nor fail of a defect."""
    with watched_log("undeclared_error", "command_failed") as complaints:
        yield
    assert complaints == []
