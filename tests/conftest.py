"""Fixtures for every test: databases, a Valkey, and a watch over its event loop."""

import gc
import importlib.util
import itertools
import os
import sys
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import pytest
import pytest_asyncio

from server.dev.embedded import embedded_servers
from tests.kit.log_watch import show_tracebacks_plainly
from tests.kit.loop_watch import watched_loop
from tests.kit.server import RunningServer, running_server, settings_for_tests
from tests.kit.services import (
    Valkey,
    database_clone,
    execute,
    one_at_a_time,
    run_async,
    run_folder,
    url_of_database,
)

_LoopScope = Literal["function", "class", "module", "package", "session"]
_FOLDER = "ROOKERY_TEST_RUN_FOLDER"


def pytest_addoption(parser: pytest.Parser) -> None:
    # Here and not beside the scenarios: pytest collects options before it looks into folders.
    parser.addoption("--chaos-clients", type=int, help="how many clients live through the chaos scenarios")


def pytest_configure(config: pytest.Config) -> None:
    show_tracebacks_plainly()
    if not hasattr(config, "workerinput"):  # the run itself, not one of its workers
        os.environ["ENV_FILE"] = os.devnull  # a developer's .env may name a database that is not for tests
        stack = ExitStack()
        folder = stack.enter_context(run_folder())
        os.environ[_FOLDER] = str(folder)
        if sys.dont_write_bytecode:
            # Tests start about a hundred processes, each of which would compile all that it imports.
            os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
            os.environ["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
        config.add_cleanup(stack.close)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keeps all that is imported and collected out of garbage collections, which would look through it again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "large" not in config.getoption("markexpr"):
        large = [item for item in items if item.get_closest_marker("large")]
        if large and len(large) < len(items):  # those that are asked for by name run
            config.hook.pytest_deselected(items=large)
            items[:] = [item for item in items if item not in large]


@pytest.fixture(scope="session")
def services_folder(worker_id: str) -> Path:
    """The folder of this worker within the run's folder."""
    return Path(os.environ[_FOLDER]) / worker_id


@pytest.fixture(scope="session")
def postgres_admin_url() -> Iterator[str]:
    """The URL of one PostgreSQL for the whole run, as superuser. Not durable, since no test needs that."""
    with embedded_servers(Path(os.environ[_FOLDER]), valkey=False, durable=False) as urls:
        assert urls.database_url is not None
        yield urls.database_url


@pytest.fixture(scope="session")
def template_database(postgres_admin_url: str) -> str:
    """The name of a migrated, empty database, made once per run; no connection to it may stay open."""
    made = Path(os.environ[_FOLDER]) / "template.made"
    with one_at_a_time(made.with_suffix(".lock")):
        if not made.exists():
            run_async(execute(postgres_admin_url, "CREATE DATABASE template_rookery"))
            if importlib.util.find_spec("sql") and importlib.util.find_spec("sql.migrate"):
                from sql.migrate import migrate

                run_async(migrate(url_of_database(postgres_admin_url, "template_rookery")))
            made.touch()
    return "template_rookery"


_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def database_url(postgres_admin_url: str, template_database: str, worker_id: str) -> Iterator[str]:
    """A migrated, empty database for the tests of one module."""
    with database_clone(postgres_admin_url, template_database, f"test_{worker_id}_{next(_numbers)}") as url:
        yield url


@pytest.fixture(scope="session")
def _worker_valkey(services_folder: Path) -> Iterator[Valkey]:
    server = Valkey(services_folder)
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def valkey(_worker_valkey: Valkey) -> Valkey:
    """A running, empty Valkey that the test may stop and start."""
    _worker_valkey.start()
    _worker_valkey.flush()
    return _worker_valkey


@pytest.fixture
def redis_url(valkey: Valkey) -> str:
    """The URL of a running, empty Valkey that no other worker uses."""
    return valkey.url


def _watch(scope: _LoopScope) -> Callable[..., AsyncIterator[None]]:
    @pytest_asyncio.fixture(loop_scope=scope, name=f"_watch_{scope}")
    async def watch() -> AsyncIterator[None]:
        async with watched_loop():
            yield

    return watch


# one fixture for each scope of loops: one fixture function cannot serve both
_watch_function = _watch("function")
_watch_class = _watch("class")
_watch_module = _watch("module")
_watch_package = _watch("package")
_watch_session = _watch("session")


@pytest.fixture(autouse=True)
def _loop_is_watched(request: pytest.FixtureRequest) -> None:
    if pytest_asyncio.is_async_test(request.node):
        marker = request.node.get_closest_marker("asyncio")
        scope = (marker.kwargs.get("loop_scope") if marker else None) or "function"
        request.getfixturevalue(f"_watch_{scope}")


@pytest_asyncio.fixture
async def server(database_url: str, redis_url: str) -> AsyncIterator[RunningServer]:
    """A node that serves and consumes Facts, on the module's database and an empty Valkey."""
    async with running_server(settings_for_tests(database_url, redis_url)) as running:
        yield running
