"""One server and one Chromium for all tests of a module."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.kit.server import PASSWORD, RunningServer, running_server, settings_for_tests
from tests.kit.services import Valkey

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
MISSING = "these tests drive a browser: install Chromium (Debian, Ubuntu: apt install chromium)"


@pytest.fixture(scope="module")
def chromium() -> Path:
    """The machine's. Without one the tests are skipped; in CI, which installs it, they fail."""
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(MISSING)
    return Path(found)


@pytest.fixture(scope="module")
def browser(chromium: Path) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # Containers give it no namespace for its sandbox, and little shared memory.
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def own_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    valkey = Valkey(tmp_path_factory.mktemp("valkey"))
    valkey.start()
    yield valkey
    valkey.stop()


@pytest.fixture(scope="module")
def site(database_url: str, own_valkey: Valkey) -> Iterator[RunningServer]:
    """A node whose console offers the account `demo`; a user `ada` exists too. It runs in a thread of its own."""
    settings = settings_for_tests(database_url, own_valkey.url, demo_login=f"demo:{PASSWORD}")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        serving = running_server(settings)
        running = asyncio.run_coroutine_threadsafe(serving.__aenter__(), loop).result()
        asyncio.run_coroutine_threadsafe(running.people("demo", "ada"), loop).result()
        yield running
        asyncio.run_coroutine_threadsafe(serving.__aexit__(None, None, None), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
