"""Reads the access table."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

CALLERS = ("anonymous", "stranger", "follower", "blocked", "muted", "member", "owner")

_HEAD = ["command", "object", *CALLERS]
_TABLE = Path(__file__).parent / "access_table.md"


class AccessRow(NamedTuple):
    command: str
    thing: str
    answers: dict[str, str]
    """The expected answer by caller: `ok` or the code of the error."""

    def __str__(self) -> str:
        return f"{self.command} of {self.thing}"


def read_access_table() -> list[AccessRow]:
    """The rows in order. Raises ValueError if the table does not match its head."""
    lines = [line for line in _TABLE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    head, ruler, *body = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    if head != _HEAD or set("".join(ruler)) != {"-"}:
        raise ValueError(f"the access table begins with {head}")
    rows = []
    for cells in body:
        command, thing, *answers = cells
        rows.append(AccessRow(command, thing, dict(zip(CALLERS, answers, strict=True))))
    return rows
