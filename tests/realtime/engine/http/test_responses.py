import json

import pytest

from realtime.engine.http.responses import (
    BadRequest,
    bad_request,
    poll_answer,
    refused,
    too_large,
)
from realtime.engine.session.policy import HandshakeRefusal


@pytest.mark.parametrize(("why", "status"), [(BadRequest.FORBIDDEN, 403), (BadRequest.UNKNOWN_SID, 400)])
def test_a_bad_request_says_its_code(why: BadRequest, status: int) -> None:
    answer = bad_request(why)
    assert (answer.status, json.loads(answer.body)) == (status, {"code": why.value[0], "message": why.value[1]})  # type: ignore[arg-type]


@pytest.mark.parametrize(("retry_after_s", "header"), [(0.001, "1"), (1, "1"), (1.2, "2"), (30, "30")])
def test_a_refusal_says_whole_seconds_and_never_none(retry_after_s: float, header: str) -> None:
    assert refused(HandshakeRefusal(429, "rate_limited", retry_after_s)).headers["Retry-After"] == header


def test_a_body_that_was_not_read_ends_its_http_connection() -> None:
    assert too_large().keep_alive is False


def test_a_poll_is_never_kept_by_a_cache() -> None:
    assert poll_answer(b"2").headers["Cache-Control"] == "no-store"
