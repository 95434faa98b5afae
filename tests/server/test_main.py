"""The command line as people meet it: in a process of its own, with its output and exit code."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from server.config import Settings
from server.dev.embedded import embedded_servers
from server.dev.embedded_postgres import EmbeddedPostgres
from server.dev.embedded_valkey import EmbeddedValkey

_CHECKOUT = Path(__file__).parents[2]


def environment_with(data: Path) -> dict[str, str]:
    """No settings but the data folder."""
    kept = {name: value for name, value in os.environ.items() if name.lower() not in Settings.model_fields}
    return kept | {"ENV_FILE": os.devnull, "DATA_DIR": str(data), "PORT": "0", "LOG_FORMAT": "json"}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A data folder of the test's own."""
    return environment_with(tmp_path / "data")


@pytest.fixture(scope="module")
def lasting_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A data folder that the next test finds as the one before left it."""
    return environment_with(tmp_path_factory.mktemp("lasting") / "data")


def rookery(*verb: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "server", *verb],
        env=environment,
        cwd=_CHECKOUT,
        capture_output=True,
        text=True,
        input="",
    )


def heed_signals() -> None:
    """As a terminal does. A test run that was started with nohup ignores a hangup, and so does what it starts."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def ignore_signals() -> None:
    """As nohup does, and a shell without job control for what it puts into the background."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def running(
    *verb: str, environment: dict[str, str], begin: Callable[[], None] = heed_signals
) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "server", *verb],
        env=environment,
        cwd=_CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=begin,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def refusal(*verb: str, environment: dict[str, str]) -> str:
    """The one line with which it gave up."""
    done = rookery(*verb, environment=environment)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1]


def still_running(environment: dict[str, str]) -> bool:
    folder = Path(environment["DATA_DIR"])
    return EmbeddedPostgres(folder).running() or EmbeddedValkey(folder).running()


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_up_serves_until_it_is_stopped_and_leaves_nothing_running(
    lasting_environment: dict[str, str], ending: signal.Signals
) -> None:
    environment = lasting_environment
    with running("up", environment=environment) as process:
        assert process.stdout is not None
        address = ""
        for line in process.stdout:
            if match := re.search(r"Health +(http://\S+)", line):
                address = match.group(1)
            if line.startswith("└"):
                break
        with urlopen(address) as answer:
            assert answer.status == 200
        assert still_running(environment)
        process.send_signal(ending)
        _, log = process.communicate()
    assert process.returncode == 0, log
    assert not re.search(r'"level":"(error|critical)"|Traceback', log), log
    assert not still_running(environment)


def test_what_was_put_into_the_background_is_interrupted_at_any_time_and_survives_a_hangup(
    environment: dict[str, str],
) -> None:
    with running("up", environment=environment, begin=ignore_signals) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "rookery: starting PostgreSQL\n"
        process.send_signal(signal.SIGHUP)
        assert process.stderr.readline() == "rookery: starting Valkey\n"
        process.send_signal(signal.SIGINT)
        _, log = process.communicate()
    assert process.returncode == 130 and "Traceback" not in log, log
    assert not still_running(environment)


def test_migrate_twice_changes_nothing_the_second_time(environment: dict[str, str]) -> None:
    assert "brought the database up to date" in rookery("migrate", environment=environment).stderr
    assert rookery("migrate", environment=environment).stderr.splitlines()[-1] == "rookery: the database is up to date"
    assert not still_running(environment)


def test_a_busy_port_is_reported_before_anything_is_started(environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = str(busy.getsockname()[1])
        for verb in ("up", "serve"):
            assert f"port {port} is in use" in refusal(verb, "--port", port, environment=environment)
    assert not Path(environment["DATA_DIR"]).exists()


def test_a_server_whose_schema_is_missing_says_how_to_get_it(environment: dict[str, str]) -> None:
    assert "./run migrate" in refusal("serve", environment=environment)
    assert not still_running(environment)


@pytest.mark.parametrize("verb", ["up", "migrate", "worker"])
def test_a_database_that_cannot_be_reached_is_reported(environment: dict[str, str], verb: str) -> None:
    for url in ("postgresql+asyncpg://me:secret@127.0.0.1:1/x", "postgresql://me@127.0.0.1:1/x?password=secret"):
        told = refusal(verb, environment=environment | {"DATABASE_URL": url})
        assert "cannot reach PostgreSQL" in told and "DATABASE_URL" in told and "secret" not in told


def test_a_redis_that_cannot_be_reached_is_reported(environment: dict[str, str]) -> None:
    told = refusal("up", environment=environment | {"REDIS_URL": "redis://:secret@127.0.0.1:1"})
    assert "cannot reach Redis" in told and "REDIS_URL" in told and "secret" not in told


def test_an_invalid_setting_is_reported(environment: dict[str, str]) -> None:
    assert "POOL_MAX cannot be used" in refusal("migrate", environment=environment | {"POOL_MAX": "many"})


def test_damaged_data_is_reported_and_reset_makes_a_fresh_start(environment: dict[str, str]) -> None:
    assert rookery("migrate", environment=environment).returncode == 0
    (Path(environment["DATA_DIR"]) / "postgres" / "global" / "pg_control").unlink()
    assert "./run reset" in refusal("migrate", environment=environment)
    assert rookery("reset", "--yes", environment=environment).returncode == 0
    assert not Path(environment["DATA_DIR"]).exists()
    assert rookery("migrate", environment=environment).returncode == 0


def test_reset_asks_and_takes_silence_for_a_no(environment: dict[str, str]) -> None:
    folder = Path(environment["DATA_DIR"])
    folder.mkdir()
    (folder / "kept").touch()
    rookery("reset", environment=environment)
    assert (folder / "kept").exists()


def test_reset_spares_what_is_in_use(environment: dict[str, str]) -> None:
    folder = Path(environment["DATA_DIR"])
    with embedded_servers(folder, postgres=False):
        assert "in use" in refusal("reset", "--yes", environment=environment)
        assert EmbeddedValkey(folder).running()
