from typing import Any

import pytest
from pydantic import ValidationError

from handlers.people.contract import GetUser, UpdateUser


@pytest.mark.parametrize("payload", [{}, {"user_id": "1", "username": "ada"}, {"user_id": None}, {"username": ""}])
def test_a_person_is_named_by_exactly_one_of_id_and_username(payload: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        GetUser.model_validate(payload)


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"bio": ""},
        {"profile": {}, "settings": {}},
        {"profile": {"interests": ["engines", "poetry"], "home_town": "London"}},
        {"settings": {"theme": "dark", "font_px": 14, "sounds": False}},
    ],
)
def test_valid_and_invalid_profiles(payload: dict[str, Any]) -> None:
    update = UpdateUser.model_validate(payload)
    assert update.model_dump(exclude_none=True) == payload


@pytest.mark.parametrize(
    "payload",
    [
        {"display_name": ""},
        {"display_name": "x" * 51},
        {"display_name": "two\nlines"},
        {"bio": "x" * 301},
        {"is_private": True},
        {"avatar_media_id": "1"},
        {"user_id": "1"},
        {"username": "somebody"},
        {"role": "admin"},
        {"profile": []},
        {"profile": {"Interests": "poetry"}},
        {"profile": {"interests\n": "poetry"}},
        {"profile": {"": "poetry"}},
        {"profile": {"interests": [["deep"]]}},
        {"profile": {"interests": {"deep": "er"}}},
        {"profile": {"interests": "nul \x00"}},
        {"profile": {"interests": ["lone \ud800"]}},
        {"profile": {f"key_{number}": "" for number in range(31)}},
        {"settings": {"font_px": 2**53}},
        {"settings": {"font_px": 1.5}},
        {"settings": {"font_px": None}},
        {"settings": {f"key_{number}": 1 for number in range(51)}},
    ],
)
def test_what_they_may_not(payload: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        UpdateUser.model_validate(payload)
