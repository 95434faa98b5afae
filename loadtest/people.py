"""The logins that a load test's users take: the lines that `./run seed --tokens FILE` wrote."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Login:
    """Somebody who can be played without logging in first."""

    user_id: str
    username: str
    access_token: str


class People:
    """Hands out each login once, so that no two users play one person."""

    def __init__(self, logins: Sequence[Login]) -> None:
        if not logins:
            raise ValueError("there are no logins")
        self._logins = list(logins)
        self._next = 0

    @classmethod
    def from_file(cls, path: Path) -> People:
        """Raises ValueError for a file that `seed --tokens` did not write."""
        try:
            lines = [json.loads(line) for line in path.read_text().splitlines()]
            return cls([Login(line["user_id"], line["username"], line["access_token"]) for line in lines])
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path} is no file of logins: {error}") from None

    def __len__(self) -> int:
        return len(self._logins)

    def take(self) -> Login:
        """The next one; from the beginning again when all are taken."""
        login = self._logins[self._next % len(self._logins)]
        self._next += 1
        return login

    def somebody(self, number: int) -> Login:
        """Anybody, by any number."""
        return self._logins[number % len(self._logins)]
