import os
from pathlib import Path

import pytest

from server.dev.unprivileged import NOBODY, SystemUser, ordinary_user


def test_what_it_runs_does_not_see_root() -> None:
    done = ordinary_user().run(["id", "-u"])
    assert done.returncode == 0
    assert int(done.stdout) == (os.geteuid() or NOBODY)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_without_user_namespaces_root_becomes_nobody() -> None:
    identity = ordinary_user(user_namespaces=False)
    assert identity == SystemUser(uid=NOBODY)
    assert identity.run(["sh", "-c", "id -u; id -G"]).stdout.split() == [str(NOBODY)] * 2


def test_a_server_has_a_session_of_its_own_and_its_output_in_the_log(tmp_path: Path) -> None:
    with open(tmp_path / "log", "wb") as log:
        process = SystemUser().spawn(["sh", "-c", "ps -o sid= -p $$; pwd; echo trouble >&2"], cwd=tmp_path, log=log)
    assert process.wait() == 0
    session, place, trouble = (tmp_path / "log").read_text().split()
    assert (int(session), place, trouble) == (process.pid, str(tmp_path), "trouble")
