"""The tables of error codes and close reasons are what clients rely on."""

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


def test_every_code_has_its_documented_status() -> None:
    assert {error.code: error.status for error in COMMON_ERRORS} == STATUS
    assert len(COMMON_ERRORS) == len(STATUS)


def test_only_errors_that_pass_by_themselves_are_retryable() -> None:
    assert {error.code for error in COMMON_ERRORS if error.retryable} == {"rate_limited", "unavailable"}


def test_codes_of_every_command_are_in_the_table() -> None:
    assert set(ALWAYS_POSSIBLE) <= set(COMMON_ERRORS)


def test_every_close_reason_says_whether_to_reconnect() -> None:
    assert {close.code: (close.reason, close.reconnect, close.resumable) for close in CLOSE_REASONS} == CLOSES
    assert all(len(close.reason.encode()) <= MAX_CLOSE_REASON_BYTES for close in CLOSE_REASONS)


@pytest.mark.parametrize("message", [None, "This post is gone."])
def test_an_error_has_a_message(message: str | None) -> None:
    error = CommandError(NOT_FOUND, message)
    assert str(error) == error.message == (message or NOT_FOUND.message)
