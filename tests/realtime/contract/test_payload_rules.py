"""What is said of several fields of a payload in its schema is what its model checks."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ValidationError

from handlers.accounts.contract import Register
from handlers.chat.contract import ListMessages
from handlers.people.contract import GetUser
from handlers.posts.contract import CreatePost

ABSENT = object()
ACCOUNT = {"username": "ada", "password": "analytical engine"}
PHONE = "+442079460958"


@pytest.mark.parametrize(
    ("payload", "given", "fields"),
    [
        (GetUser, {}, {"user_id": ["7"], "username": ["ada"]}),
        (Register, ACCOUNT, {"email": ["ada@example.org"], "phone": [PHONE]}),
        (ListMessages, {"conversation_id": "7"}, {"before_seq": [7], "after_seq": [7]}),
        (CreatePost, {}, {"text": ["Hello"], "link": ["https://example.org/"], "kind": ["text", "link"]}),
    ],
)
def test_each_way_to_fill_in_the_fields(
    payload: type[BaseModel], given: dict[str, Any], fields: dict[str, list[Any]]
) -> None:
    validator = Draft202012Validator(payload.model_json_schema())
    taken = []
    for chosen in itertools.product(*([ABSENT, None, *values] for values in fields.values())):
        filled = given | {name: value for name, value in zip(fields, chosen, strict=True) if value is not ABSENT}
        try:
            payload.model_validate(filled)
        except ValidationError:
            taken.append(False)
        else:
            taken.append(True)
        assert validator.is_valid(filled) is taken[-1], filled
    assert {True, False} == set(taken)
