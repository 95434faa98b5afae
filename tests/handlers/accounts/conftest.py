"""Two nodes of one cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.handlers.accounts.hidden_person import Nodes
from tests.kit.server import running_server, settings_for_tests


@pytest_asyncio.fixture
async def nodes(database_url: str, redis_url: str) -> AsyncIterator[Nodes]:
    """Only the first one works on Facts."""
    settings = settings_for_tests(database_url, redis_url)
    async with running_server(settings) as one, running_server(settings, work=False) as other:
        yield one, other
