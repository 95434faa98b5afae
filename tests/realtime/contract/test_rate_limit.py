"""The arithmetic of limits; what limiters do with them stands in tests/conformance."""

from __future__ import annotations

from realtime.contract.rate_limit import RateLimit


def test_a_unit_is_refilled_in_an_even_share_of_the_time() -> None:
    assert RateLimit(count=10, per_s=1).interval_us == 100_000
    assert RateLimit(count=600, per_s=60).interval_us == 100_000


def test_a_rate_faster_than_the_clock_still_has_an_interval() -> None:
    assert RateLimit(count=10_000_000, per_s=1).interval_us == 1


def test_the_whole_count_may_come_at_once_unless_a_burst_says_otherwise() -> None:
    assert RateLimit(count=10, per_s=1).tolerance_us == 1_000_000
    assert RateLimit(count=10, per_s=1, burst=3).tolerance_us == 300_000
