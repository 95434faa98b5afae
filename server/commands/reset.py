"""Deletes the embedded database."""

import shutil

import typer

from server.cli_error import CliError
from server.commands.backing_services import report
from server.config import Settings
from server.dev.embedded import embedded_servers, in_use


def reset(settings: Settings, *, yes: bool) -> None:
    """Deletes the data folder with the embedded database. A database at DATABASE_URL is never touched."""
    folder = settings.data_dir
    if not folder.exists():
        report(f"there is nothing in {folder}")
        return
    if in_use(folder):
        raise CliError(f"{folder} is in use: stop the running ./run first")
    if not yes and not typer.confirm(f"Delete everything in {folder}?"):
        report("nothing was deleted")
        return
    # stops servers that a killed command left running
    with embedded_servers(folder, postgres=False, valkey=False):
        pass
    data = folder / "postgres"
    if data.is_symlink():
        shutil.rmtree(data.resolve().parent, ignore_errors=True)
    shutil.rmtree(folder)
    report(f"deleted {folder}")
