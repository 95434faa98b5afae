"""Fixtures for tests that compare the peers with the product."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.loadtest.bench.commands.stage import Stage, running_stage


@pytest_asyncio.fixture
async def stage(database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    async with running_stage(database_url, redis_url, monkeypatch) as running:
        yield running
