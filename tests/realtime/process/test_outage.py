from __future__ import annotations

import structlog

from realtime.process.outage import Outage
from tests.kit.log_watch import watched_log

log = structlog.get_logger(__name__)


def told(outage: Outage, *succeeded: bool) -> list[tuple[str, object]]:
    with watched_log("store_waits", "store_waits_over") as seen:
        for success in succeeded:
            if success:
                outage.succeeded()
            else:
                outage.failed(OSError("refused"))
    return [(line["event"], line["reader"]) for line in seen]


def test_an_outage_is_told_at_its_beginning_and_at_its_end() -> None:
    outage = Outage(log, "store_waits", reader="r1")
    assert told(outage, False, False, False) == [("store_waits", "r1")]
    assert told(outage, True, True) == [("store_waits_over", "r1")]


def test_each_outage_is_told_anew() -> None:
    outage = Outage(log, "store_waits", reader="r1")
    assert len(told(outage, False, True, False, True)) == 4


def test_nothing_is_told_while_all_is_well() -> None:
    assert told(Outage(log, "store_waits", reader="r1"), True, True) == []
