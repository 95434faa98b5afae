"""The entry script, in a copy of the checkout whose interpreter only records how it was called."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_CHECKOUT = Path(__file__).parents[1]
_LOCKS = ("requirements-setup.lock", "requirements.lock", "requirements-dev.lock")
IGNORE_INTERRUPTS = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"
_INTERPRETER = """#!/bin/sh
echo "$@" >> {calls}
case "$*" in *"{failing}"*) echo "{says}"; exit 1;; esac
"""


class Checkout:
    """A copy of the few files that a setup needs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.venv = folder / ".venv"
        self._calls = folder / "calls"
        for name in ("run", *_LOCKS):
            shutil.copy(_CHECKOUT / name, folder / name)

    def fake_venv(self, *, failing: str = "nothing", says: str = "") -> None:
        """An interpreter that fails where its arguments contain `failing`."""
        python = self.venv / "bin" / "python"
        python.parent.mkdir(parents=True, exist_ok=True)
        python.write_text(_INTERPRETER.format(calls=self._calls, failing=failing, says=says))
        python.chmod(0o755)
        if not (self.venv / "rookery-installed").exists():
            (self.venv / "rookery-installed").write_text(f"{python}\nrequirements of an earlier day\n")

    def run(self, *arguments: str, prelude: str = "", **environment: str) -> tuple[int, str]:
        """The exit code and the last line that it printed."""
        script = (
            f"import runpy, sys\n{prelude}\nsys.argv[0] = 'run'\nrunpy.run_path(sys.argv.pop(1), run_name='__main__')"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, str(self.folder / "run"), *arguments],
            cwd="/",
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, (done.stdout + done.stderr).strip().rpartition("\n")[2]

    def calls(self) -> list[str]:
        """The calls of the interpreter since the last time, without the name of the folder."""
        made = self._calls.read_text().replace(f"{self.folder}/", "").splitlines() if self._calls.exists() else []
        self._calls.unlink(missing_ok=True)
        return made


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


_UV = "-m uv pip sync --python .venv/bin/python --require-hashes --system-certs "


def installations(calls: list[str]) -> list[str]:
    return [call.rpartition(" ")[2] for call in calls if " uv pip sync " in call]


def test_it_installs_once_and_then_only_starts(checkout: Checkout) -> None:
    checkout.fake_venv()
    assert checkout.run("migrate")[0] == 0
    first = checkout.calls()
    assert first[0].endswith("install --retries 2 --require-hashes -r requirements-setup.lock")
    assert first[1:] == [_UV + "requirements.lock", "-P -m server migrate"]
    checkout.run("migrate")
    assert checkout.calls() == ["-P -m server migrate"]


def test_without_a_verb_everything_is_started(checkout: Checkout) -> None:
    checkout.fake_venv()
    checkout.run()
    checkout.run("--port", "8001")
    assert checkout.calls()[2:] == ["-P -m server up", "-P -m server up --port 8001"]


def test_what_tests_need_is_installed_for_them_and_stays(checkout: Checkout) -> None:
    checkout.fake_venv()
    checkout.run("serve")
    assert installations(checkout.calls()) == ["requirements.lock"]
    checkout.run("test", "-x")
    calls = checkout.calls()
    assert installations(calls) == ["requirements-dev.lock"]
    assert calls[-1] == "-P -m pytest -n 2 --dist loadfile --no-loadscope-reorder -x"
    checkout.run("serve")
    assert installations(checkout.calls()) == []
    with open(checkout.folder / "requirements.lock", "a") as lock:
        lock.write("# changed\n")
    checkout.run("serve")
    assert installations(checkout.calls()) == ["requirements-dev.lock"]


def test_a_check_tells_all_failures(checkout: Checkout) -> None:
    checkout.fake_venv(failing="ruff", says="bad")
    code, line = checkout.run("check")
    assert (code, line) == (1, "run: failed: lint, format")
    checkout.fake_venv()
    assert checkout.run("check") == (0, "run: all checks passed")


def test_it_can_be_interrupted_where_the_shell_ignores_that_in_the_background(checkout: Checkout) -> None:
    checkout.fake_venv(failing="ruff", says="$(kill -INT $PPID)")
    assert checkout.run("check", prelude=IGNORE_INTERRUPTS)[0] == 130


def test_pip_steps_in_where_uv_cannot(checkout: Checkout) -> None:
    checkout.fake_venv(failing="-m uv", says="invalid peer certificate")
    assert checkout.run("migrate")[0] == 0
    assert checkout.calls()[-2].endswith("--require-hashes -r requirements.lock")


@pytest.mark.parametrize(
    ("says", "line"),
    [
        ("ERROR: [Errno 28] No space left on device", "the disk is full"),
        ("Temporary failure in name resolution", "cannot reach the package index"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", "rookery-setup.log says why"),
    ],
)
def test_a_failed_installation_is_one_line_and_is_tried_again(checkout: Checkout, says: str, line: str) -> None:
    checkout.fake_venv(failing="install", says=says)
    for _ in range(2):
        code, told = checkout.run("migrate")
        assert code == 1 and told.startswith("run: ") and line in told
    assert says in (checkout.venv / "rookery-setup.log").read_text()
    assert not any("-m server" in call for call in checkout.calls())


def test_an_old_python_is_told_so(checkout: Checkout) -> None:
    code, line = checkout.run(prelude="sys.version_info = (3, 9, 2, 'final', 0)")
    assert code == 1
    assert line == "run: Rookery needs Python 3.11 or newer, this is 3.9.2: try `python3.11 run`"
    ast.parse((_CHECKOUT / "run").read_text(), feature_version=(3, 6))


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_a_python_without_venv_is_told_so(checkout: Checkout, module: str) -> None:
    hidden = f"import importlib.util as u; f = u.find_spec; u.find_spec = lambda n: None if n == '{module}' else f(n)"
    code, line = checkout.run("setup", prelude=hidden)
    assert code == 1 and f"no {module} module" in line and "apt install python3-venv" in line
    assert not checkout.venv.exists()


def test_no_network_is_told_so(checkout: Checkout) -> None:
    nowhere = "http://127.0.0.1:1/simple"
    code, line = checkout.run(
        "setup",
        PIP_CONFIG_FILE=os.devnull,
        PIP_INDEX_URL=nowhere,
        PIP_EXTRA_INDEX_URL="",
        PIP_FIND_LINKS="",
        PIP_NO_CACHE_DIR="1",
    )
    assert code == 1
    assert line == "run: cannot reach the package index: check the network and the proxy settings, then start again"


@pytest.mark.skipif(
    subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True).returncode != 0,
    reason="no small disk can be made here",
)
def test_a_full_disk_is_told_so(checkout: Checkout) -> None:
    checkout.venv.mkdir()
    command = (
        f"mount -t tmpfs -o size=1m none {checkout.folder} && cp {_CHECKOUT}/run {_CHECKOUT}/*.lock {checkout.folder}"
    )
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", f"{command} && {sys.executable} {checkout.folder}/run setup"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("run: the disk is full")


def test_a_bench_is_given_what_it_needs(checkout: Checkout) -> None:
    checkout.fake_venv()
    checkout.run("bench", "engine", "--quick")
    calls = checkout.calls()
    assert installations(calls) == ["requirements-dev.lock"]
    assert calls[-1] == "-P -m loadtest.bench engine --quick"


def test_missing_npm_is_told_so(checkout: Checkout) -> None:
    checkout.fake_venv()
    (checkout.folder / "tests" / "js").mkdir(parents=True)
    (checkout.folder / "tests" / "js" / "package-lock.json").write_text("{}")
    code, line = checkout.run("test", PATH="/nonexistent")
    assert code == 1 and "apt install nodejs npm" in line


def test_help_needs_nothing(checkout: Checkout) -> None:
    assert checkout.run("help")[0] == 0
    assert checkout.calls() == [] and not checkout.venv.exists()
