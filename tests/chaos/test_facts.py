"""Each effect of each Fact is stored exactly once, whatever happens to workers, Redis and PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.chaos.conftest import Form
from tests.chaos.fact_stage import LEASE_S, FactStage, fact_stage
from tests.journeys.servers import settings_of_processes
from tests.kit import refusals
from tests.kit.services import Valkey

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]


@pytest_asyncio.fixture
async def stage(database_url: str, valkey: Valkey, tmp_path: Path) -> AsyncIterator[FactStage]:
    async with fact_stage(settings_of_processes(database_url, valkey.url, tmp_path), workers=2) as made:
        yield made


async def test_a_worker_is_killed_in_the_middle_of_a_batch(stage: FactStage, form: Form) -> None:
    for _ in range(5 if form.is_long else 1):
        async with stage.under_load():
            worker = stage.workers[0]
            await stage.stop_in_the_middle(worker)
            await stage.kill(worker)
            await stage.add_worker()
            await asyncio.sleep(form.away_s)
        await stage.judge()


async def test_a_worker_hangs_for_longer_than_its_leases_and_goes_on(stage: FactStage, form: Form) -> None:
    worker = stage.workers[0]
    async with stage.under_load():
        await stage.stop_in_the_middle(worker)
        try:
            await asyncio.sleep(60.0 if form.is_long else 2 * LEASE_S)
        finally:
            os.kill(worker.pid, signal.SIGCONT)
        await asyncio.sleep(form.away_s)
    await stage.judge()


async def test_redis_is_restarted_refuses_and_is_away(stage: FactStage, valkey: Valkey, form: Form) -> None:
    """These consumers do not need it: they go on meanwhile."""
    async with stage.under_load():
        await asyncio.to_thread(valkey.restart)
        async with refusals.refusing(valkey.url, "OOM"):
            await asyncio.sleep(form.away_s)
        await asyncio.to_thread(valkey.stop)
        try:
            await asyncio.sleep(60.0 if form.is_long else form.away_s)
            made = stage.made
            async with asyncio.timeout(30):
                while await stage.connection.fetchval("SELECT count(*) FROM bench_effects") < made:
                    await asyncio.sleep(0.02)
        finally:
            await asyncio.to_thread(valkey.start)
    await stage.judge()
