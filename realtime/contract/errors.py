"""Two tables: the error codes that a command may answer, and the reasons to close a connection.

A code never changes its meaning: clients rely on it. The documents and the REST status are derived from these values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """One way in which a command can fail.

    `status` is the HTTP status of the REST answer. `retryable`: the very same call may succeed later, without any
    change by the client or its user.
    """

    code: str
    status: int
    retryable: bool
    message: str


INVALID_PAYLOAD = ErrorCode("invalid_payload", 422, False, "The payload does not fit this command.")
UNAUTHENTICATED = ErrorCode("unauthenticated", 401, False, "Log in first.")
TOKEN_EXPIRED = ErrorCode("token_expired", 401, False, "The access token has expired: renew it.")
FORBIDDEN = ErrorCode("forbidden", 403, False, "This is not allowed to you.")
NOT_FOUND = ErrorCode("not_found", 404, False, "There is no such thing, or it is hidden from you.")
CONFLICT = ErrorCode("conflict", 409, False, "This contradicts what is already there.")
RATE_LIMITED = ErrorCode("rate_limited", 429, True, "Too many calls: wait and try again.")
TOO_LARGE = ErrorCode("too_large", 413, False, "The payload is larger than this command takes.")
UNAVAILABLE = ErrorCode("unavailable", 503, True, "The server cannot do this right now: try again.")
UNKNOWN_COMMAND = ErrorCode("unknown_command", 404, False, "This namespace has no such command.")
INTERNAL = ErrorCode("internal", 500, False, "The server failed. The log has the details under this id.")

COMMON_ERRORS: tuple[ErrorCode, ...] = (
    INVALID_PAYLOAD,
    UNAUTHENTICATED,
    TOKEN_EXPIRED,
    FORBIDDEN,
    NOT_FOUND,
    CONFLICT,
    RATE_LIMITED,
    TOO_LARGE,
    UNAVAILABLE,
    UNKNOWN_COMMAND,
    INTERNAL,
)
"""Codes with the same meaning for all commands."""

ALWAYS_POSSIBLE: tuple[ErrorCode, ...] = (
    INVALID_PAYLOAD,
    RATE_LIMITED,
    TOO_LARGE,
    UNAVAILABLE,
    INTERNAL,
)
"""Codes that every command may answer without declaring them: the pipeline itself gives these answers."""


class CommandError(Exception):
    """Ends a command with an error answer; the unit of work is rolled back.

    `fields` maps a payload path ("text", "limit") to its fault. `retry_after_ms` is set where waiting helps.
    """

    def __init__(
        self,
        code: ErrorCode,
        message: str | None = None,
        *,
        fields: Mapping[str, str] | None = None,
        retry_after_ms: int | None = None,
    ) -> None:
        super().__init__(message or code.message)
        self.code = code
        self.message = message or code.message
        self.fields = fields
        self.retry_after_ms = retry_after_ms


@dataclass(frozen=True, slots=True)
class CloseReason:
    """Why the server closed a connection: the code and reason of the WebSocket close frame.

    `reconnect`: the client should reconnect by itself. `resumable`: its session may be recovered then. `reason` stays
    below 124 bytes, RFC 6455's limit for a close frame. `meaning` is a sentence for the documents.
    """

    code: int
    reason: str
    reconnect: bool
    resumable: bool
    meaning: str


CLOSE_TOKEN_EXPIRED = CloseReason(
    4001, "token_expired", True, True, "The access token has expired: connect with a new one."
)
CLOSE_SLOW_CONSUMER = CloseReason(
    4008, "slow_consumer", True, True, "The client does not read; it learns this at its next CONNECT by `resync`."
)
CLOSE_PROTOCOL_ERROR = CloseReason(
    4009,
    "protocol_error",
    False,
    False,
    "A malformed packet, a reserved event name, an event before CONNECT, or too many attachments.",
)
CLOSE_DRAINING = CloseReason(4012, "draining", True, True, "This server stops; another one goes on.")
CLOSE_FLOOD = CloseReason(
    4029, "flood", True, False, "Far too many frames, CONNECTs or refused calls: pause before coming back."
)
CLOSE_TOO_LARGE = CloseReason(1009, "too_large", True, True, "A packet or polling body over the limit.")
"""RFC 6455's "message too big": a packet over the limit. What the client missed meanwhile is no less good for that."""
CLOSE_SESSION_REVOKED = CloseReason(
    1000, "session_revoked", False, False, "The login session has ended; `session:revoked` told so before."
)
"""RFC 6455's normal closure: the client got `session:revoked` and a DISCONNECT packet in every namespace before."""
CLOSE_UNAVAILABLE = CloseReason(1013, "unavailable", True, True, "The session could not be set up now.")
"""RFC 6455's "try again later": the session could not be set up now; a reconnect may succeed."""
CLOSE_BROKEN_FRAME = CloseReason(1002, "broken_frame", False, False, "A frame that RFC 6455 does not allow.")
CLOSE_INVALID_TEXT = CloseReason(1007, "invalid_text", False, False, "Text that is not UTF-8.")
"""RFC 6455's codes for frames that it does not allow, and for text that is not UTF-8."""

CLOSE_REASONS: tuple[CloseReason, ...] = (
    CLOSE_TOKEN_EXPIRED,
    CLOSE_SLOW_CONSUMER,
    CLOSE_PROTOCOL_ERROR,
    CLOSE_DRAINING,
    CLOSE_FLOOD,
    CLOSE_TOO_LARGE,
    CLOSE_SESSION_REVOKED,
    CLOSE_UNAVAILABLE,
    CLOSE_BROKEN_FRAME,
    CLOSE_INVALID_TEXT,
)
