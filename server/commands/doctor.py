"""Looks for what would keep Rookery from starting, and says what to do about it."""

import asyncio
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from server.cli_error import CliError
from server.commands.backing_services import dependencies, refuse_busy_port
from server.config import Settings
from server.dev.embedded import in_use
from server.dev.embedded_binaries import EmbeddedError, postgres_binaries, postgres_major, valkey_binary

FREE_SPACE_FLOOR_BYTES = 500_000_000


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    good: bool
    text: str


def examine(settings: Settings) -> bool:
    """Prints a line for each check; returns whether all passed. Stops every server that it starts."""
    all_well = True
    for finding in findings(settings):
        print(f"{'ok ' if finding.good else 'BAD'}  {finding.text}", flush=True)
        all_well = all_well and finding.good
    return all_well


def findings(settings: Settings) -> Iterator[Finding]:
    """Runs the checks, the cheapest first."""
    yield Finding(True, f"Python {'.'.join(map(str, sys.version_info[:3]))}")
    yield _data_folder(settings.data_dir)
    yield _free_space(settings.data_dir)
    running = in_use(settings.data_dir)
    yield Finding(True, f"embedded servers are {'in use' if running else 'not in use'}")
    try:
        refuse_busy_port(settings)
        yield Finding(True, f"port {settings.port} is free")
    except CliError as error:
        yield Finding(
            running, f"port {settings.port} is in use by the running Rookery, it seems" if running else str(error)
        )
    try:
        if not settings.database_url:
            folder = postgres_binaries()
            yield Finding(True, f"embedded PostgreSQL {postgres_major(folder)} in {folder}")
        if not settings.redis_url:
            yield Finding(True, f"embedded Valkey in {valkey_binary().parent}")
        with dependencies(settings) as reached:
            yield Finding(True, "PostgreSQL and Redis answer")
            yield asyncio.run(_schema(reached.database_url))
    except (CliError, EmbeddedError) as error:
        yield Finding(False, str(error))


def _data_folder(folder: Path) -> Finding:
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    if not nearest.is_dir():
        return Finding(False, f"{nearest} is not a folder: remove it, or set DATA_DIR")
    if not os.access(nearest, os.W_OK | os.X_OK):
        return Finding(False, f"may not write to {nearest}: make it writable for this user, or set DATA_DIR")
    return Finding(True, f"data lies in {folder}")


def _free_space(folder: Path) -> Finding:
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    free_bytes = shutil.disk_usage(nearest).free
    text = f"{free_bytes / 1e9:.1f} GB free on the disk"
    return Finding(True, text) if free_bytes >= FREE_SPACE_FLOOR_BYTES else Finding(False, f"only {text}: make space")


async def _schema(database_url: str) -> Finding:
    from sql.errors import Unavailable
    from sql.migrate import MigrationFailed, pending

    try:
        missing = await pending(database_url)
    except (MigrationFailed, Unavailable) as error:
        return Finding(False, str(error))
    # no obstacle: a plain ./run applies them
    return Finding(True, f"{len(missing)} migrations are missing" if missing else "the database is up to date")
