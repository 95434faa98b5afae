"""What is wrong with a payload, field by field, in words for the developer of a client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import ValidationError

_MESSAGES: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "extra_forbidden": "is not known",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "dict_type": "must be an object",
    "list_type": "must be an array",
    "string_type": "must be a string",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
}
_OF_A_VALIDATOR: Final = "Value error, "
_OF_A_KEY: Final = "[key]"


def field_errors(error: ValidationError) -> dict[str, str]:
    """A message for each path of a field; a message about the whole payload stands under the empty path."""
    return {
        ".".join(str(part) for part in item["loc"] if part != _OF_A_KEY): _MESSAGES.get(
            item["type"], item["msg"].removeprefix(_OF_A_VALIDATOR)
        )
        for item in error.errors(include_url=False, include_context=False, include_input=False)
    }
