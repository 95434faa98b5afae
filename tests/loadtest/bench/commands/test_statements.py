"""The statements of the product as the peers read them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtest.bench.commands.plans import PLANS
from loadtest.bench.commands.statements import (
    StatementChanged,
    read_statements,
    statement,
    write_statements,
)
from sql.execution.binding import read_queries

STATEMENTS = read_statements()


def test_they_are_those_of_the_product() -> None:
    queries = read_queries("posts")
    assert {name for name in STATEMENTS if name.startswith("posts.")} == {f"posts.{name}" for name in queries}
    for name, query in queries.items():
        assert (STATEMENTS[f"posts.{name}"].text, STATEMENTS[f"posts.{name}"].parameters) == (
            query.sql,
            query.parameters,
        )


def test_a_statement_that_changed_is_refused() -> None:
    assert statement(STATEMENTS, "posts.find_post", ["client_id", "author_id"]) is STATEMENTS["posts.find_post"]
    with pytest.raises(StatementChanged, match=r"posts\.find_post takes .*, not post_id"):
        statement(STATEMENTS, "posts.find_post", ["post_id"])
    with pytest.raises(StatementChanged, match="has no statement posts.love_post"):
        statement(STATEMENTS, "posts.love_post", ["post_id"])


@pytest.mark.parametrize("name", PLANS)
def test_every_plan_is_of_statements_that_there_are(name: str) -> None:
    for step in PLANS[name].steps:
        statement(STATEMENTS, step.statement, list(step.arguments))


def test_another_language_reads_them(tmp_path: Path) -> None:
    write_statements(STATEMENTS, tmp_path / "statements.json")
    kept = json.loads((tmp_path / "statements.json").read_text())
    assert kept["plain.unfollow"]["parameters"] == list(STATEMENTS["plain.unfollow"].parameters)
    assert "$1" in kept["plain.unfollow"]["text"]
