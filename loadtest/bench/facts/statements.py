"""The statements of the benchmark and of consumers written by hand, from `loadtest/peers/facts.sql`."""

from __future__ import annotations

from typing import Any, Final

import aiosql

from loadtest.bench.processes import CHECKOUT

PATH: Final = CHECKOUT / "loadtest" / "peers" / "facts.sql"


def load_statements() -> Any:
    """A method for each statement, which takes a connection and the parameters by name."""
    return aiosql.from_path(PATH, "asyncpg")
