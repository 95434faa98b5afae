"""Presence as a value."""

from __future__ import annotations

from handlers.feature import Feature, bind_prepared
from handlers.presence.contract import PRESENCE_CHANGED, UNWATCH, WATCH
from handlers.presence.operations import start_watching, stop_watching, unwatch, watch

FEATURE = Feature(
    name="presence",
    commands=(
        bind_prepared(WATCH, start_watching, watch),
        bind_prepared(UNWATCH, stop_watching, unwatch),
    ),
    pushes=(PRESENCE_CHANGED,),
)
