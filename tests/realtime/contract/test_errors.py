"""The two tables of refusal say of each case what a client may rely on."""

from __future__ import annotations

import pytest

from realtime.contract.errors import ALWAYS_POSSIBLE, CLOSE_REASONS, COMMON_ERRORS, NOT_FOUND, CommandError

STATUS = {
    "invalid_payload": 422,
    "unauthenticated": 401,
    "token_expired": 401,
    "forbidden": 403,
    "not_found": 404,
    "conflict": 409,
    "rate_limited": 429,
    "too_large": 413,
    "unavailable": 503,
    "unknown_command": 404,
    "internal": 500,
}
CLOSES = {
    4001: ("token_expired", True, True),
    4008: ("slow_consumer", True, True),
    4009: ("protocol_error", False, False),
    4012: ("draining", True, True),
    4029: ("flood", True, False),
    1000: ("session_revoked", False, False),
    1013: ("unavailable", True, True),
}
MAX_CLOSE_REASON_BYTES = 123


def test_every_code_has_the_status_that_clients_were_told() -> None:
    assert {error.code: error.status for error in COMMON_ERRORS} == STATUS
    assert len(COMMON_ERRORS) == len(STATUS)


def test_a_repeat_is_promised_to_help_only_where_nobody_has_to_mend_anything() -> None:
    assert {error.code for error in COMMON_ERRORS if error.retryable} == {"rate_limited", "unavailable"}


def test_what_every_command_may_answer_is_of_the_table() -> None:
    assert set(ALWAYS_POSSIBLE) <= set(COMMON_ERRORS)


def test_every_close_tells_whether_to_come_back() -> None:
    assert {close.code: (close.reason, close.reconnect, close.resumable) for close in CLOSE_REASONS} == CLOSES
    assert all(len(close.reason.encode()) <= MAX_CLOSE_REASON_BYTES for close in CLOSE_REASONS)


@pytest.mark.parametrize("message", [None, "This post is gone."])
def test_an_error_says_what_it_is_about(message: str | None) -> None:
    error = CommandError(NOT_FOUND, message)
    assert str(error) == error.message == (message or NOT_FOUND.message)
