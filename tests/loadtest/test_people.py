"""The users of a load test are different people."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtest.people import Login, People


def logins(count: int) -> list[Login]:
    return [Login(str(number), f"person{number}", f"token{number}") for number in range(count)]


def test_each_login_is_handed_out_before_any_is_handed_out_again() -> None:
    people = People(logins(3))
    assert len(people) == 3
    assert [people.next_login().user_id for _ in range(7)] == ["0", "1", "2", "0", "1", "2", "0"]


def test_anybody_can_be_named_by_any_number() -> None:
    people = People(logins(3))
    assert [people.login_at(number).user_id for number in (0, 2, 3, 997)] == ["0", "2", "0", "1"]
    assert people.next_login().user_id == "0"


def test_a_load_needs_somebody() -> None:
    with pytest.raises(ValueError, match="no logins"):
        People([])


def test_what_seeding_wrote_is_read(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    line = {"user_id": "5", "username": "ada", "access_token": "t", "refresh_token": "r"}
    file.write_text(json.dumps(line) + "\n" + json.dumps({**line, "user_id": "6"}) + "\n")
    people = People.from_file(file)
    assert [people.next_login(), people.next_login().user_id] == [Login("5", "ada", "t"), "6"]


@pytest.mark.parametrize("content", ["", "no json\n", "[]\n", "5\n", '{"user_id": "5"}\n', '{"user_id": "5", "user'])
def test_another_file_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "tokens"
    file.write_text(content)
    with pytest.raises(ValueError):
        People.from_file(file)
