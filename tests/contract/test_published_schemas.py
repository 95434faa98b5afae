"""What is not as the documents describe it is found."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.published_schemas import traffic_faults
from tests.kit.traffic import AnsweredCall, ReceivedPush, Traffic

LIKED = {"ok": True, "data": {"post_id": "1", "liked": True, "like_count": 1}}
REFUSED = {"ok": False, "error": {"code": "not_found", "message": "There is none.", "retryable": False}}
UNLIKED = {"ok": False, "error": {"code": "conflict", "message": "It is so already.", "retryable": False}}


@pytest.mark.parametrize(
    ("answer", "fits"),
    [
        (LIKED, True),
        (REFUSED, True),
        ({**LIKED, "data": {"post_id": "1", "liked": True}}, False),
        ({**LIKED, "data": {"post_id": 1, "liked": True, "like_count": 1}}, False),
        ({"ok": True}, False),
        (UNLIKED, False),
    ],
)
def test_an_answer_is_compared(answer: dict[str, Any], fits: bool) -> None:
    traffic = Traffic(calls=[AnsweredCall("/posts", "post:like", {"post_id": "1"}, answer)])
    assert (traffic_faults(traffic) == []) is fits


@pytest.mark.parametrize(("payload", "fits"), [({"post_id": "1"}, True), ({"post_id": 1}, False), ({}, False)])
def test_a_payload_that_was_taken_is_compared(payload: dict[str, Any], fits: bool) -> None:
    traffic = Traffic(calls=[AnsweredCall("/posts", "post:like", payload, LIKED)])
    assert (traffic_faults(traffic) == []) is fits
    assert traffic_faults(Traffic(calls=[AnsweredCall("/posts", "post:like", payload, REFUSED)])) == []


@pytest.mark.parametrize(
    ("push", "fits"),
    [
        (ReceivedPush("/posts", "post:deleted", {"post_id": "1"}), True),
        (ReceivedPush("/feed", "post:deleted", {"post_id": "1"}), True),
        (ReceivedPush("/posts", "resync", {"scope": "all"}), True),
        (ReceivedPush("/chat", "post:deleted", {"post_id": "1"}), False),
        (ReceivedPush("/posts", "post:deleted", {"post_id": None}), False),
        (ReceivedPush("/posts", "post:deleted", None), False),
    ],
)
def test_a_push_is_compared(push: ReceivedPush, fits: bool) -> None:
    assert (traffic_faults(Traffic(pushes=[push])) == []) is fits
