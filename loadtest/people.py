"""The logins of a load test's users, from the file that `./run seed --tokens FILE` wrote."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Login:
    """A person with an access token, so that no login is needed."""

    user_id: str
    username: str
    access_token: str


class People:
    """Hands out each login once, so that no two users of the load test are one person."""

    def __init__(self, logins: Sequence[Login]) -> None:
        if not logins:
            raise ValueError("there are no logins")
        self._logins = list(logins)
        self._next = 0

    @classmethod
    def from_file(cls, path: Path) -> People:
        """Raises ValueError if `seed --tokens` did not write the file."""
        try:
            lines = [json.loads(line) for line in path.read_text().splitlines()]
            return cls([Login(line["user_id"], line["username"], line["access_token"]) for line in lines])
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path} is no file of logins: {error}") from None

    def __len__(self) -> int:
        return len(self._logins)

    def next_login(self) -> Login:
        """The next login; starts again from the first when all are used."""
        login = self._logins[self._next % len(self._logins)]
        self._next += 1
        return login

    def login_at(self, number: int) -> Login:
        """The login at this number, modulo their count."""
        return self._logins[number % len(self._logins)]
