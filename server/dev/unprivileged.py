"""Starts programs that refuse to run as root, such as PostgreSQL."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

NOBODY = 65534
_NAMESPACE = ("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}")


@dataclass(frozen=True)
class SystemUser:
    """The user that a program runs as. `uid` is None where it keeps the uid of this process, seen from outside."""

    prefix: tuple[str, ...] = ()
    uid: int | None = None

    def run(self, command: Sequence[str], *, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Runs a program to its end; standard output and standard error are both in `stdout`."""
        return subprocess.run(
            [*self.prefix, *command],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            user=self.uid,
            group=self.uid,
            extra_groups=None if self.uid is None else [],
        )

    def spawn(self, command: Sequence[str], *, cwd: Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
        """Starts a server in a process session of its own, so that Ctrl-C does not reach it."""
        return subprocess.Popen(
            [*self.prefix, *command],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=self.uid,
            group=self.uid,
            extra_groups=None if self.uid is None else [],
        )


def ordinary_user(*, user_namespaces: bool = True) -> SystemUser:
    """The present user unless that is root; for root a user namespace, or `nobody` where namespaces are blocked."""
    if os.geteuid() != 0:
        return SystemUser()
    if user_namespaces:
        try:
            if subprocess.run([*_NAMESPACE, "true"], capture_output=True, timeout=10).returncode == 0:
                return SystemUser(prefix=_NAMESPACE)
        except (OSError, subprocess.TimeoutExpired):
            pass  # there is no such program, or the kernel hangs: treated as blocked
    return SystemUser(uid=NOBODY)
