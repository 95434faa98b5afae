"""Captures log entries without removing them from the log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from structlog.typing import EventDict, WrappedLogger


@contextmanager
def watched_log(*events: str) -> Iterator[list[EventDict]]:
    """The entries that are logged under these names during the block, as they were passed to the log."""
    seen: list[EventDict] = []

    def watch(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        if event["event"] in events:
            seen.append(dict(event))
        return event

    processors = structlog.get_config()["processors"]
    processors.insert(0, watch)  # in place: loggers that are already bound share this list
    try:
        yield seen
    finally:
        processors.remove(watch)


def show_tracebacks_plainly() -> None:
    """Renders tracebacks without local variables: with them, one takes up to seconds, in which the event loop waits."""
    renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], renderer])
