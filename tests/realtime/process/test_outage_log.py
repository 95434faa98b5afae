from __future__ import annotations

import structlog

from realtime.process.outage_log import OutageLog
from tests.kit.log_watch import watched_log

log = structlog.get_logger(__name__)


def logged(outage: OutageLog, *tries: Exception | None) -> list[tuple[str, object, bool]]:
    """The lines of these tries, None for one that succeeds: event, field, whether there is a traceback."""
    with watched_log("store_waits", "store_waits_over") as seen:
        for error in tries:
            if error is None:
                outage.succeeded()
            else:
                outage.failed(error)
    return [(line["event"], line["reader"], "exc_info" in line) for line in seen]


AWAY, DEFECT = OSError("refused"), ZeroDivisionError("a defect")
BEGINS, ENDS = ("store_waits", "r1", False), ("store_waits_over", "r1", False)


def test_an_outage_is_logged_at_its_beginning_and_at_its_end() -> None:
    outage = OutageLog(log, "store_waits", reader="r1")
    assert logged(outage, AWAY, AWAY, AWAY) == [BEGINS]
    assert logged(outage, None, None) == [ENDS]


def test_each_outage_is_logged_again() -> None:
    outage = OutageLog(log, "store_waits", reader="r1")
    assert logged(outage, AWAY, None, AWAY, None) == [BEGINS, ENDS, BEGINS, ENDS]


def test_nothing_is_logged_without_a_failure() -> None:
    assert logged(OutageLog(log, "store_waits", reader="r1"), None, None) == []


def test_a_defect_is_logged_once_with_its_traceback_also_in_an_outage() -> None:
    outage = OutageLog(log, "store_waits", known=(OSError,), reader="r1")
    traced = ("store_waits", "r1", True)
    assert logged(outage, DEFECT, DEFECT, AWAY, None) == [traced, ENDS]
    assert logged(outage, AWAY, DEFECT, AWAY, DEFECT, None) == [BEGINS, traced, ENDS]
