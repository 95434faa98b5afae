"""Logs the beginning and the end of an outage."""

from __future__ import annotations

import time

from structlog.typing import FilteringBoundLogger


class OutageLog:
    """For a loop that tries again and again: writes two log lines per outage, however long it lasts.

    `event` is the line at its beginning, `<event>_over` the one at its end. Both carry `fields`.
    """

    def __init__(self, log: FilteringBoundLogger, event: str, **fields: object) -> None:
        self._log = log
        self._event = event
        self._fields = fields
        self._since_s: float | None = None

    def failed(self, error: Exception) -> None:
        """Logs a failed try, if it is the first one since the last success."""
        if self._since_s is None:
            self._since_s = time.monotonic()
            self._log.warning(self._event, error=str(error), **self._fields)

    def succeeded(self) -> None:
        """Logs a successful try, if the one before it failed."""
        if self._since_s is not None:
            lasted_s = round(time.monotonic() - self._since_s, 1)
            self._since_s = None
            self._log.info(f"{self._event}_over", lasted_s=lasted_s, **self._fields)
