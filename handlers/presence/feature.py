"""The presence feature."""

from __future__ import annotations

from handlers.feature import Feature, bind_plain_command, bind_prepared_command
from handlers.presence.contract import PRESENCE_CHANGED, UNWATCH, WATCH
from handlers.presence.operations import start_watch, unwatch, watch

FEATURE = Feature(
    name="presence",
    commands=(
        bind_prepared_command(WATCH, start_watch, watch),
        bind_plain_command(UNWATCH, unwatch),
    ),
    pushes=(PRESENCE_CHANGED,),
)
