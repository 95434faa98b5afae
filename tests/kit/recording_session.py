"""Sessions without a client, for tests of code behind the engine."""

from __future__ import annotations

import json
import secrets
from typing import Any

from realtime.engine.protocol.encoded_push import EncodedPush
from realtime.engine.session.connection import Connection
from realtime.engine.session.session import Session


class RecordingSession(Session):
    """Records the pushes to it: event and data."""

    def __init__(self, namespace: str = "/chat") -> None:
        super().__init__(id=secrets.token_hex(4), namespace=namespace, connection=Connection.closed())
        self.heard: list[tuple[str, Any]] = []

    def deliver(self, push: EncodedPush) -> None:
        self.heard.append((push.event, json.loads(push.data)))
