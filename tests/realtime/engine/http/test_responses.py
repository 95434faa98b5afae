import json
from typing import Any

import pytest
from aiohttp import web

from realtime.engine.http.responses import (
    BadRequest,
    bad_request,
    bad_upgrade,
    poll_answer,
    refused,
    too_large,
)
from realtime.engine.session.policy import HandshakeRefusal
from realtime.engine.websocket.upgrade import UpgradeFlaw


def content(answer: web.Response) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer.body)  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize(
    ("why", "status", "code"),
    [(BadRequest.FORBIDDEN, 403, "forbidden"), (BadRequest.UNKNOWN_SID, 400, "invalid_payload")],
)
def test_a_bad_request_says_its_code_to_clients_of_engine_io_and_to_all_others(
    why: BadRequest, status: int, code: str
) -> None:
    answer = bad_request(why)
    found = content(answer)
    assert (answer.status, found["code"], found["message"]) == (status, *why.value)
    assert (found["ok"], found["error"]["code"], found["error"]["retryable"]) == (False, code, False)


@pytest.mark.parametrize(("flaw", "status"), [(UpgradeFlaw.NO_HANDSHAKE, 400), (UpgradeFlaw.OTHER_VERSION, 426)])
def test_a_bad_upgrade_says_which_version_is_spoken(flaw: UpgradeFlaw, status: int) -> None:
    answer = bad_upgrade(flaw)
    assert (answer.status, content(answer)["error"]["code"]) == (status, "invalid_payload")
    assert answer.headers.get("Sec-WebSocket-Version") == ("13" if status == 426 else None)


@pytest.mark.parametrize(
    ("refusal", "code"),
    [(HandshakeRefusal(429, "rate_limited", 2), "rate_limited"), (HandshakeRefusal(503, "draining", 2), "unavailable")],
)
def test_a_refusal_that_a_retry_heals_says_so(refusal: HandshakeRefusal, code: str) -> None:
    found = content(refused(refusal))
    assert (found["code"], found["error"]["code"], found["error"]["retryable"]) == (refusal.code, code, True)
    assert found["error"]["retry_after_ms"] == 2_000


@pytest.mark.parametrize(("retry_after_s", "header"), [(0.001, "1"), (1, "1"), (1.2, "2"), (30, "30")])
def test_a_refusal_says_whole_seconds_and_never_none(retry_after_s: float, header: str) -> None:
    assert refused(HandshakeRefusal(429, "rate_limited", retry_after_s)).headers["Retry-After"] == header


def test_a_body_that_was_not_read_ends_its_http_connection() -> None:
    assert too_large().keep_alive is False


def test_a_poll_is_never_kept_by_a_cache() -> None:
    assert poll_answer(b"2").headers["Cache-Control"] == "no-store"
