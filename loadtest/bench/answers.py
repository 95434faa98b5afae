"""What an answer to a command says, read without decoding it."""

from __future__ import annotations

import json
from typing import Any, Final

from loadtest.bench.connecting_socket import ClientFailed

_OK: Final = b'[{"ok":true'
_RETRYABLE: Final = b'"retryable":true'
_OK_WITHIN: Final = 40
"""How far into an answer its beginning may stand: before it are the namespace and the ack id."""


def is_accepted(answer: bytes) -> bool:
    """Whether the command was done."""
    return _OK in answer[:_OK_WITHIN]


def is_refused_for_now(answer: bytes) -> bool:
    """Whether it may be sent again, as under too much load."""
    return _RETRYABLE in answer


def data_of(answer: bytes) -> Any:
    """The data of an accepted command. Raises ClientFailed for another."""
    (told,) = json.loads(answer[answer.index(b"[") :])
    if not told["ok"]:
        raise ClientFailed(f"answered {answer[:200]!r}")
    return told["data"]
