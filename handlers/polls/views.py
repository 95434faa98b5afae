"""Makes the wire model of polls from rows."""

from __future__ import annotations

from handlers.polls.models import Poll, PollOption
from realtime.contract.wire import unix_ms
from sql.polls import PollRow


def poll_view(row: PollRow, *, shows_results: bool) -> Poll:
    """`shows_results`: to this reader; those of a closed poll show to all."""
    counts = row.counts if shows_results or row.is_closed else [None] * len(row.options)
    return Poll(
        options=[PollOption(text=text, vote_count=count) for text, count in zip(row.options, counts, strict=True)],
        multiple=row.multiple,
        closes_at_ms=unix_ms(row.closes_at),
        vote_count=row.voter_count,
        closed=row.is_closed,
    )
