"""Starts everything at once, for new users and for development."""

import asyncio
from collections.abc import Sequence

from server.commands.backing_services import dependencies, refuse_busy_port, report, without_password
from server.commands.process import run_process
from server.commands.schema import bring_up_to_date
from server.config import Settings
from server.dev.seed import DemoLogin, seed_if_empty


def up(settings: Settings) -> None:
    """Prepares the database, then runs server and worker until Ctrl-C."""
    refuse_busy_port(settings)
    with dependencies(settings) as reached:
        login = asyncio.run(prepare(reached))
        if login is not None and not reached.demo_login:
            reached = reached.model_copy(update={"demo_login": f"{login.username}:{login.password}"})
        report("starting the server")
        run_process(
            reached, serve=True, work=True, on_ready=lambda port: print(box(_summary(reached, port, login)), flush=True)
        )
        report("stopping")
    report("stopped")


async def prepare(settings: Settings) -> DemoLogin | None:
    """Brings the schema up to date and fills an empty database with a demo network; returns its demo account."""
    if applied := await bring_up_to_date(settings):
        report(f"brought the database up to date ({applied} migrations)")
    return await seed_if_empty(settings, report=report)


def _summary(settings: Settings, port: int, login: DemoLogin | None) -> list[str]:
    """Where a new user finds the parts of the running server."""
    shown = "localhost" if settings.host in ("0.0.0.0", "::", "127.0.0.1", "::1") else settings.host
    lines = [
        "Rookery is running",
        "",
        f"Open        http://{shown}:{port}/",
        f"Sockets     ws://{shown}:{port}/socket.io/",
        f"REST        http://{shown}:{port}/v1",
        f"Health      http://{shown}:{port}/health",
        f"Database    {without_password(settings.database_url)}",
        f"Redis       {without_password(settings.redis_url)}",
        f"Data        {settings.data_dir}",
    ]
    if login is not None:
        lines.append(f"Demo login  {login.username} / {login.password}")
    return [*lines, "", "Stop it with Ctrl-C; ./run reset deletes the data"]


def box(lines: Sequence[str]) -> str:
    """The lines in a frame."""
    width = max(map(len, lines))
    bar = "─" * (width + 2)
    return "\n".join([f"┌{bar}┐", *(f"│ {line.ljust(width)} │" for line in lines), f"└{bar}┘"])
