"""The pipeline, through a real server with a feature that misbehaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest_asyncio
from structlog.testing import capture_logs

from server.features import FEATURES
from tests.kit.device import Device
from tests.kit.odd_feature import NAMESPACE, OddFeature
from tests.kit.server import Person, RunningServer, running_server, settings_for_tests


@dataclass
class Lab:
    server: RunningServer
    odd: OddFeature
    me: Person
    device: Device


_names = iter(range(1000))


@pytest_asyncio.fixture
async def lab(database_url: str, redis_url: str) -> AsyncIterator[Lab]:
    odd = OddFeature()
    settings = settings_for_tests(database_url, redis_url)
    async with running_server(settings, features=(*FEATURES, odd.feature())) as server:
        me = await server.person(f"lab{next(_names)}")
        yield Lab(server, odd, me, await me.device(namespaces=[NAMESPACE]))


async def test_a_defect_is_answered_with_an_id_that_the_log_has(lab: Lab) -> None:
    with capture_logs() as logs:
        answer = await lab.device.call(NAMESPACE, "odd:crash")
    failed = next(line for line in logs if line["event"] == "command_failed")
    assert answer["error"]["code"] == "internal"
    assert failed["incident"] in answer["error"]["message"]
    assert "a defect" not in answer["error"]["message"]


async def test_a_lost_database_is_answered_with_unavailable(lab: Lab) -> None:
    status, answer = await lab.me.rest("POST", "/odd/away", {})
    assert (status, answer["error"]["code"], answer["error"]["retryable"]) == (503, "unavailable", True)
    assert answer["error"]["retry_after_ms"] > 0


async def test_an_error_that_was_not_declared_is_reported(lab: Lab) -> None:
    with capture_logs() as logs:
        answer = await lab.device.call(NAMESPACE, "odd:undeclared")
    assert answer["error"]["code"] == "forbidden"
    assert [line["command"] for line in logs if line["event"] == "undeclared_error"] == ["odd:undeclared"]


async def test_contention_is_tried_again(lab: Lab) -> None:
    assert (await lab.device.call(NAMESPACE, "odd:contend", {"times": 2}))["ok"]
    assert lab.odd.contended == 3


async def test_contention_without_end_is_unavailable(lab: Lab) -> None:
    answer = await lab.device.call(NAMESPACE, "odd:contend", {"times": 1_000})
    assert answer["error"]["code"] == "unavailable"


async def test_what_is_refused_leaves_no_fact_behind(lab: Lab) -> None:
    assert (await lab.device.call(NAMESPACE, "odd:refuse"))["error"]["code"] == "conflict"
    await lab.device.do(NAMESPACE, "odd:tell")
    await lab.device.expect_push("odd:noted")
    async with asyncio.timeout(10):
        while not lab.odd.reactions:
            await asyncio.sleep(0.01)
    assert lab.odd.reactions == [int(lab.me.id)]


async def test_an_unknown_command_is_answered(lab: Lab) -> None:
    assert (await lab.device.call(NAMESPACE, "odd:nothing"))["error"]["code"] == "unknown_command"


async def test_two_arguments_are_no_payload(lab: Lab) -> None:
    answer = await lab.device.call(NAMESPACE, "odd:tell", ({}, {}))
    assert answer["error"]["code"] == "invalid_payload"
