from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import Field, ValidationError

from realtime.contract.wire import Id, OneTypeOf, Payload, TextRule
from server.pipeline.field_errors import field_errors


class Inner(Payload):
    deep: bool


class Outer(Payload):
    post_id: Id
    text: Annotated[str, TextRule(5)] = "x"
    number: Annotated[int, Field(ge=1)] = 1
    inner: Inner = Inner(deep=True)
    names: list[str] | None = None
    positions: dict[Id, int] | None = None
    setting: Annotated[bool | Annotated[str, TextRule(3)], OneTypeOf("must be a setting")] = True


@pytest.mark.parametrize(
    ("payload", "errors"),
    [
        ([], {"": "must be an object"}),
        ({}, {"post_id": "is missing"}),
        ({"post_id": "1", "surprise": 1}, {"surprise": "is not known"}),
        ({"post_id": 1}, {"post_id": "must be an id: a decimal string"}),
        ({"post_id": "1", "text": 5, "number": "1"}, {"text": "must be a string", "number": "must be a whole number"}),
        ({"post_id": "1", "text": "123456"}, {"text": "must have at most 5 characters"}),
        ({"post_id": "1", "number": 0}, {"number": "Input should be greater than or equal to 1"}),
        ({"post_id": "1", "inner": {"deep": 1}}, {"inner.deep": "must be true or false"}),
        ({"post_id": "1", "inner": []}, {"inner": "must be an object"}),
        ({"post_id": "1", "names": {}}, {"names": "must be an array"}),
        ({"post_id": "1", "positions": {"x": 1}}, {"positions.x": "must be an id: a decimal string"}),
        ({"post_id": "1", "setting": 5}, {"setting": "must be a setting"}),
        ({"post_id": "1", "setting": "1234"}, {"setting": "must be a setting"}),
        ({"post_id": "1", "positions": []}, {"positions": "must be an object"}),
    ],
    ids=str,
)
def test_each_error_stands_under_the_path_of_its_field(payload: Any, errors: dict[str, str]) -> None:
    with pytest.raises(ValidationError) as raised:
        Outer.model_validate(payload)
    assert field_errors(raised.value) == errors
