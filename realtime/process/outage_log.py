"""Logs the beginning and the end of an outage."""

from __future__ import annotations

import time

from structlog.typing import FilteringBoundLogger


class OutageLog:
    """For a loop that tries again and again: writes two log lines per outage, however long it lasts.

    `event` is the line at its beginning, `<event>_over` the one at its end. Both carry `fields`. An error that is none
    of `known` is a defect: the line has its traceback, and an outage that a known error began gets it as a third line.
    """

    def __init__(
        self,
        log: FilteringBoundLogger,
        event: str,
        *,
        known: tuple[type[Exception], ...] = (Exception,),
        **fields: object,
    ) -> None:
        self._log = log
        self._event = event
        self._known = known
        self._fields = fields
        self._since_s: float | None = None
        self._has_defect = False

    def failed(self, error: Exception, **more: object) -> None:
        """Logs a failed try, if it is the first one since the last success, or its first defect; `more` are fields."""
        is_defect = not isinstance(error, self._known)
        if is_defect and not self._has_defect:
            self._log.error(self._event, error=str(error), exc_info=error, **self._fields, **more)
        elif self._since_s is None:
            self._log.warning(self._event, error=str(error), **self._fields, **more)
        self._has_defect = self._has_defect or is_defect
        if self._since_s is None:
            self._since_s = time.monotonic()

    def succeeded(self) -> None:
        """Logs a successful try, if the one before it failed."""
        if self._since_s is not None:
            lasted_s = round(time.monotonic() - self._since_s, 1)
            self._since_s, self._has_defect = None, False
            self._log.info(f"{self._event}_over", lasted_s=lasted_s, **self._fields)
