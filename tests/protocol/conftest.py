"""Runs the protocol tests on every event loop."""

import asyncio
from collections.abc import Callable, Mapping

from tests.kit.loops import LOOPS


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return LOOPS
