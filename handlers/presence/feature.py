"""Presence as a value."""

from __future__ import annotations

from handlers.feature import Feature, bind_prepared, bind_without_sql
from handlers.presence.contract import PRESENCE_CHANGED, UNWATCH, WATCH
from handlers.presence.operations import start_watching, unwatch, watch

FEATURE = Feature(
    name="presence",
    commands=(
        bind_prepared(WATCH, start_watching, watch),
        bind_without_sql(UNWATCH, unwatch),
    ),
    pushes=(PRESENCE_CHANGED,),
)
