"""Official JavaScript clients, and nodes side by side."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.journeys.javascript import JavaScript
from tests.kit.recovering import recovering_clients
from tests.kit.server import RunningServer, running_server, settings_for_tests


@pytest_asyncio.fixture
async def clients() -> AsyncIterator[JavaScript]:
    async with recovering_clients() as running:
        yield running


@pytest_asyncio.fixture
async def nodes(database_url: str, redis_url: str) -> AsyncIterator[list[RunningServer]]:
    """Three nodes of one cluster."""
    settings = settings_for_tests(database_url, redis_url)
    async with (
        running_server(settings) as one,
        running_server(settings, work=False) as two,
        running_server(settings, work=False) as three,
    ):
        yield [one, two, three]
