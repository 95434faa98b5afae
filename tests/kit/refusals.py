"""A Valkey that is up and refuses to work, brought into each state for real."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from realtime.redis.client import StoreRefuses, StoreUnavailable, open_redis, store_unavailable_when_away
from server.dev.embedded_binaries import valkey_binary

_SETTINGS = {
    "NOREPLICAS": {"min-replicas-to-write": ("1", "0")},
    "OOM": {"maxmemory": ("1", "0")},
    "MASTERDOWN": {"replica-serve-stale-data": ("no", "yes")},
}
REFUSALS = ("NOREPLICAS", "MISCONF", "OOM", "READONLY", "MASTERDOWN", "BUSY", "NOAUTH", "NOPERM")


@asynccontextmanager
async def refusing(url: str, code: str) -> AsyncIterator[None]:
    """The Valkey answers with this code inside of the block, at least to writes, and works again afterwards."""
    async with AsyncExitStack() as stack:
        admin: Any = open_redis(url, client_name="admin", max_connections=1)
        stack.push_async_callback(admin.aclose)
        await admin.ping()
        for name, (wrong, right) in _SETTINGS.get(code, {}).items():
            stack.push_async_callback(admin.config_set, name, right)
            await admin.config_set(name, wrong)
        match code:
            case "READONLY" | "MASTERDOWN":
                stack.push_async_callback(admin.execute_command, "REPLICAOF", "NO", "ONE")
                await admin.execute_command("REPLICAOF", "127.0.0.1", "1")
            case "NOPERM":
                stack.push_async_callback(admin.execute_command, "ACL", "SETUSER", "default", "+@all")
                await admin.execute_command("ACL", "SETUSER", "default", "-@write")
            case "NOAUTH":  # connections that are open stay logged in
                stack.push_async_callback(admin.config_set, "requirepass", "")
                await admin.config_set("requirepass", "another")
                await admin.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                await admin.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
            case "MISCONF":
                await stack.enter_async_context(_unable_to_save(admin))
            case "BUSY":
                await stack.enter_async_context(_busy(admin, url))
        yield


@asynccontextmanager
async def _unable_to_save(admin: Any) -> AsyncIterator[None]:
    obstacle = Path((await admin.config_get("dir"))["dir"]) / "dump.rdb"
    obstacle.mkdir()
    try:
        await admin.config_set("save", "3600 1")
        await admin.bgsave()
        while (await admin.info("persistence"))["rdb_last_bgsave_status"] != "err":
            await asyncio.sleep(0.01)
        yield
    finally:
        await admin.config_set("save", "")
        obstacle.rmdir()


@asynccontextmanager
async def _busy(admin: Any, url: str) -> AsyncIterator[None]:
    await admin.config_set("busy-reply-threshold", "1")
    busy: Any = open_redis(url, client_name="busy", timeout_s=60)
    script = asyncio.create_task(busy.execute_command("EVAL", "while true do end", 0))
    try:
        while not await _is_busy(admin):
            await asyncio.sleep(0.001)
        yield
    finally:
        await admin.script_kill()
        await asyncio.gather(script, return_exceptions=True)
        await busy.aclose()
        await admin.config_set("busy-reply-threshold", "5000")


async def _is_busy(admin: Any) -> bool:
    try:
        await admin.ping()
    except ResponseError:
        return True
    return False


@asynccontextmanager
async def loading(url: str, folder: Path) -> AsyncIterator[tuple[str, Redis]]:
    """A second Valkey that loads the content of the first one: its URL, and a client.

    It takes some seconds, or until the client sets `key-load-delay` to 0.
    """
    async with AsyncExitStack() as stack:
        first: Any = open_redis(url, client_name="admin", max_connections=1)
        stack.push_async_callback(first.aclose)
        async with first.pipeline(transaction=False) as pipeline:
            for number in range(5_000):
                pipeline.set(f"key:{number}", "x" * 64)
            await pipeline.execute()
        await first.save()
        shutil.move(Path((await first.config_get("dir"))["dir"]) / "dump.rdb", folder)
        options = {"port": "0", "unixsocket": f"{folder}/valkey.sock", "dir": f"{folder}", "save": ""}
        options |= {"key-load-delay": "1000", "loading-process-events-interval-bytes": "1024"}
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        server = await asyncio.create_subprocess_exec(
            valkey_binary(), *words, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL
        )
        stack.push_async_callback(server.wait)
        stack.callback(server.kill)
        second_url = f"unix://{folder}/valkey.sock"
        second = open_redis(second_url, client_name="admin", timeout_s=10)
        stack.push_async_callback(second.aclose)
        while not await _is_loading(second):
            assert server.returncode is None
            await asyncio.sleep(0.01)
        yield second_url, second


async def _is_loading(client: Redis) -> bool:
    try:
        with store_unavailable_when_away():
            await client.ping()
    except StoreUnavailable as error:
        return isinstance(error, StoreRefuses)
    raise AssertionError("it has loaded its data already")
