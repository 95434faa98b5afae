"""The tables of error codes and close reasons are what clients rely on."""

from __future__ import annotations

import re
from pathlib import Path

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
    1002: ("broken_frame", False, False),
    1007: ("invalid_text", False, False),
    1009: ("too_large", True, True),
    1013: ("unavailable", True, True),
}
DOCUMENT = Path(__file__).parents[3] / "docs" / "connecting.md"
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


def test_the_table_of_the_documents_has_every_close() -> None:
    rows = re.findall(
        r"^\| (\d{4}) \| `(\w+)` \|.*\| (yes|no)\b.*? \| (yes|no) \|$", DOCUMENT.read_text(), re.MULTILINE
    )
    assert {int(code): (reason, back == "yes", kept == "yes") for code, reason, back, kept in rows} == CLOSES


@pytest.mark.parametrize("message", [None, "This post is gone."])
def test_an_error_has_a_message(message: str | None) -> None:
    error = CommandError(NOT_FOUND, message)
    assert str(error) == error.message == (message or NOT_FOUND.message)
