"""A child process ends when its parent is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[3]
WITHIN_S = 10.0
PARENT = """
import subprocess, sys, time
from server.commands.parent_death import terminate_with_parent

child = subprocess.Popen(
    [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"],
    start_new_session=True,
    preexec_fn=terminate_with_parent(),
    stdout=subprocess.PIPE,
)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(60)
"""


def _is_alive(pid: int) -> bool:
    try:
        # It stays a zombie when no process waits for it.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children")
def test_a_child_ends_when_its_parent_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], cwd=CHECKOUT, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        try:
            assert _is_alive(pid)
            parent.kill()
            give_up_s = time.monotonic() + WITHIN_S
            while _is_alive(pid) and time.monotonic() < give_up_s:
                time.sleep(0.02)
            assert not _is_alive(pid)
        finally:
            parent.kill()
            if _is_alive(pid):
                os.kill(pid, signal.SIGKILL)
