"""What a database needs before processes start on it: the schema, and the settings of its sessions."""

from __future__ import annotations

from contextlib import AsyncExitStack

from server.composition.storage import open_pool_with_settings
from server.config import Settings
from sql.migrate import migrate


async def bring_up_to_date(settings: Settings) -> int:
    """Applies the missing migrations and stores the session settings; returns the number of migrations.

    Processes that start afterwards find the settings stored: a start that has to store them ends the idle sessions of
    all others, which may be starting at that moment. Any number of processes may call this at the same time.
    """
    applied = await migrate(settings.database_direct_url or settings.database_url)
    async with AsyncExitStack() as stack:
        await open_pool_with_settings(settings, stack, min_size=0, max_size=1)
    return applied
