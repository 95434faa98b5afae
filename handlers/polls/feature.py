"""The polls feature."""

from __future__ import annotations

from typing import Final

from handlers.feature import Feature, bind_command
from handlers.polls.consumers import POLL_WATCHERS
from handlers.polls.contract import POLL_CLOSED, POLL_COUNTERS, POLL_VOTE
from handlers.polls.operations import vote

FEATURE: Final = Feature(
    name="polls",
    commands=(bind_command(POLL_VOTE, vote),),
    pushes=(POLL_COUNTERS,),
    facts=(POLL_CLOSED,),
    consumers=(POLL_WATCHERS,),
)
