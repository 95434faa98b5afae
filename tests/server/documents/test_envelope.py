import orjson
from jsonschema import Draft202012Validator

from realtime.contract.errors import COMMON_ERRORS, CONFLICT, NOT_FOUND, CommandError
from realtime.contract.wire import answer_error
from server.documents.envelope import FAILURE_SCHEMAS, failure_with


def is_valid(error: CommandError, *codes: str) -> bool:
    schema = {**failure_with(list(codes)), "components": {"schemas": FAILURE_SCHEMAS}}
    return Draft202012Validator(schema).is_valid(orjson.loads(answer_error(error)))


def test_failures_as_they_are_sent_are_of_the_schema() -> None:
    for code in COMMON_ERRORS:
        assert is_valid(CommandError(code, fields={"text": "is wrong"}, retry_after_ms=5), code.code)


def test_a_failure_with_another_code_is_not() -> None:
    assert is_valid(CommandError(CONFLICT), CONFLICT.code, NOT_FOUND.code)
    assert not is_valid(CommandError(CONFLICT), NOT_FOUND.code)
