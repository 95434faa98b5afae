"""The product's statements, read from its query files: whatever is compared runs the same SQL.

Those that the product joins for many callers stand in `loadtest/peers/plain.sql` as one caller writes them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import aiosql

from loadtest.bench.processes import CHECKOUT

QUERIES: Final = CHECKOUT / "sql" / "queries"
PLAIN: Final = CHECKOUT / "loadtest" / "peers" / "plain.sql"


class StatementChanged(Exception):
    """The product has no such statement any more, or it takes other parameters."""


@dataclass(frozen=True, slots=True)
class Statement:
    """`text` with `$1`, `$2`, ... in the order of `parameters`."""

    text: str
    parameters: tuple[str, ...]


def read_statements() -> dict[str, Statement]:
    """All statements by the name of their file and their own, `posts.read_post`."""
    found = {}
    for path in (PLAIN, *sorted(QUERIES.glob("*.sql"))):
        queries = aiosql.from_path(path, "asyncpg")
        for name in queries.available_queries:
            if f"{path.stem}.{name.removesuffix('_cursor')}" in found:
                continue  # aiosql makes a second form of each query that answers rows
            function = getattr(queries, name)
            parameters = tuple(parameter for parameter in function.__signature__.parameters if parameter != "self")
            found[f"{path.stem}.{name}"] = Statement(function.sql, parameters)
    return found


def statement(statements: Mapping[str, Statement], name: str, parameters: Sequence[str]) -> Statement:
    """The statement of this name. Raises StatementChanged unless it takes exactly these parameters."""
    found = statements.get(name)
    if found is None:
        raise StatementChanged(f"the product has no statement {name}")
    if set(found.parameters) != set(parameters):
        raise StatementChanged(f"{name} takes {', '.join(found.parameters)}, not {', '.join(parameters)}")
    return found


def write_statements(statements: Mapping[str, Statement], path: Path) -> None:
    """Writes them as JSON, for a peer in another language."""
    path.write_text(json.dumps({name: asdict(found) for name, found in statements.items()}))
