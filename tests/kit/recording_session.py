"""Sessions without a client, for what stands behind the engine."""

from __future__ import annotations

import json
import secrets
from typing import Any

from realtime.engine.nobody import connection_to_nobody
from realtime.engine.push_frames import PushFrames
from realtime.engine.session import Session


class RecordingSession(Session):
    """Writes down what it is to tell: event and data."""

    def __init__(self, namespace: str = "/chat") -> None:
        super().__init__(id=secrets.token_hex(4), namespace=namespace, connection=connection_to_nobody())
        self.heard: list[tuple[str, Any]] = []

    def take(self, push: PushFrames) -> None:
        self.heard.append((push.event, json.loads(push.data)))
