"""The processes of a PostgreSQL, its CPU time, and the programs beside it."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from loadtest.bench.processes import BenchFailed, cpu_s

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class PostgresProcesses:
    """A server by the pid of its first process, which is the parent of all others."""

    pid: int

    @classmethod
    def of_data(cls, folder: Path) -> Self:
        """The server that runs on this data folder."""
        return cls(int((folder / "postmaster.pid").read_text().splitlines()[0]))

    def cpu_s(self) -> float:
        """The CPU time that all its processes have used, with those that have ended."""
        used_s = cpu_s(self.pid) + self._ended_children_s()
        for entry in os.scandir("/proc"):
            if entry.name.isdigit():
                try:
                    if int(_fields(int(entry.name))[1]) == self.pid:
                        used_s += cpu_s(int(entry.name))
                except OSError:
                    continue  # it has ended meanwhile: the parent has its time
        return used_s

    def program(self, name: str) -> Path | None:
        """A program of the same PostgreSQL, or else of the PATH; None if there is none."""
        own = Path(Path(f"/proc/{self.pid}/cmdline").read_bytes().split(b"\0")[0].decode())
        if (beside := own.with_name(name)).exists():
            return beside
        found = shutil.which(name)
        return None if found is None else Path(found)

    def copy_database(self, database_url: str, name: str) -> None:
        """Makes a copy of a database to which nobody is connected. Raises BenchFailed."""
        createdb = self.program("createdb")
        if createdb is None:
            raise BenchFailed("there is no createdb here: install the client programs of PostgreSQL")
        original = Path(database_url.partition("?")[0]).name
        done = subprocess.run(
            [createdb, "--maintenance-db", database_url, "--template", original, "--strategy", "file_copy", name],
            capture_output=True,
            text=True,
            # Statements of the product's user may take some seconds, and a copy takes longer.
            env={**os.environ, "PGOPTIONS": "-c statement_timeout=0"},
        )
        if done.returncode != 0:
            raise BenchFailed(f"the database cannot be copied: {done.stderr.strip()}")

    def _ended_children_s(self) -> float:
        fields = _fields(self.pid)
        return (int(fields[13]) + int(fields[14])) / _TICKS_PER_S


def _fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on: state, ppid, ..."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
