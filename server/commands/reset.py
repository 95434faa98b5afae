"""Starts anew."""

import shutil

import typer

from server.commands.dependencies import tell
from server.config import Settings
from server.dev.embedded import embedded_servers, in_use
from server.failure import CommandFailed


def reset(settings: Settings, *, yes: bool) -> None:
    """The data folder with the embedded database is gone. A database at DATABASE_URL is never touched."""
    folder = settings.data_dir
    if not folder.exists():
        tell(f"there is nothing in {folder}")
        return
    if in_use(folder):
        raise CommandFailed(f"{folder} is in use: stop the running ./run first")
    if not yes and not typer.confirm(f"Delete everything in {folder}?"):
        tell("nothing was deleted")
        return
    # what a killed command left running is found and stopped
    with embedded_servers(folder, postgres=False, valkey=False):
        pass
    data = folder / "postgres"
    if data.is_symlink():
        shutil.rmtree(data.resolve().parent, ignore_errors=True)
    shutil.rmtree(folder)
    tell(f"deleted {folder}")
