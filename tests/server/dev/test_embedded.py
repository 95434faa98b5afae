import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from server.dev.embedded import EmbeddedError, embedded_servers, in_use
from server.dev.embedded_postgres import EmbeddedPostgres
from server.dev.embedded_valkey import EmbeddedValkey

_USER = """
import sys
from pathlib import Path
from server.dev.embedded import embedded_servers

with embedded_servers(Path(sys.argv[1]), durable=False, report=print) as urls:
    print("up", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def another_command(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that uses the servers until a line is written to it."""
    with subprocess.Popen(
        [sys.executable, "-c", _USER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line == "up\n":
                break
        try:
            yield process
        finally:
            process.kill()


def running(folder: Path) -> tuple[bool, bool]:
    return EmbeddedPostgres(folder).running(), EmbeddedValkey(folder).running()


def test_the_last_to_leave_stops_them(tmp_path: Path) -> None:
    told: list[str] = []
    with another_command(tmp_path) as other:
        with embedded_servers(tmp_path, durable=False, report=told.append):
            assert told == []
        assert running(tmp_path) == (True, True)
        assert in_use(tmp_path)
        other.communicate("leave\n")
    assert running(tmp_path) == (False, False)
    assert not in_use(tmp_path)


def test_the_command_that_started_them_may_end_first(tmp_path: Path) -> None:
    with ExitStack() as first:
        first.enter_context(embedded_servers(tmp_path, durable=False))
        with another_command(tmp_path) as other:
            first.close()
            gc.collect()  # a process that nobody minds any more is warned of, and a warning fails the test
            assert running(tmp_path) == (True, True)
            other.communicate("leave\n")
    assert running(tmp_path) == (False, False)


def test_a_killed_command_leaves_servers_that_the_next_one_uses_and_stops(tmp_path: Path) -> None:
    with another_command(tmp_path) as other:
        other.send_signal(signal.SIGKILL)
        other.wait()
    assert running(tmp_path) == (True, True)
    assert not in_use(tmp_path)
    told: list[str] = []
    with embedded_servers(tmp_path, durable=False, report=told.append):
        assert told == []
    assert running(tmp_path) == (False, False)


def test_the_terminal_s_ctrl_c_does_not_reach_them(tmp_path: Path) -> None:
    with embedded_servers(tmp_path, durable=False):
        pid = int((tmp_path / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])
        assert os.getsid(pid) != os.getsid(0)


def test_servers_that_were_not_asked_for_stay_off(tmp_path: Path) -> None:
    with embedded_servers(tmp_path, postgres=False) as urls:
        assert urls.database_url is None
        assert running(tmp_path) == (False, True)


def test_a_failed_start_leaves_nothing_running(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "something").touch()
    with pytest.raises(EmbeddedError, match="holds files but no database"):
        with embedded_servers(tmp_path):
            pass
    assert running(tmp_path) == (False, False)
    assert not in_use(tmp_path)


def test_starts_that_meet_take_turns(tmp_path: Path) -> None:
    with another_command(tmp_path), another_command(tmp_path):
        with another_command(tmp_path):
            assert running(tmp_path) == (True, True)
    with embedded_servers(tmp_path, postgres=False, valkey=False):
        pass
    assert running(tmp_path) == (False, False)


@pytest.mark.skipif(
    subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True).returncode != 0,
    reason="no small disk can be made here",
)
def test_a_full_disk_is_reported_in_one_line(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    command = (
        f"mount -t tmpfs -o size=20m none {disk} && cd {Path(__file__).parents[3]} && "
        f"DATA_DIR={disk} {sys.executable} -m server migrate"
    )
    done = subprocess.run(["unshare", "-rm", "sh", "-c", command], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("rookery: the disk is full")


def test_a_killed_server_is_started_again_by_the_next_command(tmp_path: Path) -> None:
    with another_command(tmp_path):
        os.kill(int((tmp_path / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0]), signal.SIGKILL)
        while EmbeddedPostgres(tmp_path).running():
            time.sleep(0.001)
        with another_command(tmp_path):
            assert running(tmp_path) == (True, True)
    with embedded_servers(tmp_path, postgres=False, valkey=False):
        pass
