from __future__ import annotations

import structlog

from realtime.process.outage_log import OutageLog
from tests.kit.log_watch import watched_log

log = structlog.get_logger(__name__)


def logged(outage: OutageLog, *succeeded: bool) -> list[tuple[str, object]]:
    with watched_log("store_waits", "store_waits_over") as seen:
        for success in succeeded:
            if success:
                outage.succeeded()
            else:
                outage.failed(OSError("refused"))
    return [(line["event"], line["reader"]) for line in seen]


def test_an_outage_is_logged_at_its_beginning_and_at_its_end() -> None:
    outage = OutageLog(log, "store_waits", reader="r1")
    assert logged(outage, False, False, False) == [("store_waits", "r1")]
    assert logged(outage, True, True) == [("store_waits_over", "r1")]


def test_each_outage_is_logged_again() -> None:
    outage = OutageLog(log, "store_waits", reader="r1")
    assert len(logged(outage, False, True, False, True)) == 4


def test_nothing_is_logged_without_a_failure() -> None:
    assert logged(OutageLog(log, "store_waits", reader="r1"), True, True) == []
