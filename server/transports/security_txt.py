"""`/.well-known/security.txt`: whom to tell of a vulnerability (RFC 9116)."""

from __future__ import annotations

import datetime
from typing import Final

from aiohttp import web

from handlers.ports import Clock

GOOD_FOR: Final = datetime.timedelta(days=180)
"""The standard asks for less than a year."""
_PATH: Final = "/.well-known/security.txt"


class SecurityTxt:
    """Serves it where there is a contact; without one there is no such file."""

    def __init__(self, contact: str, clock: Clock) -> None:
        self._contact = contact
        self._clock = clock

    def attach(self, app: web.Application) -> None:
        if self._contact:
            app.router.add_get(_PATH, self._serve)

    async def _serve(self, request: web.Request) -> web.Response:
        expires = datetime.datetime.fromtimestamp(self._clock.now_s(), datetime.UTC) + GOOD_FOR
        text = f"Contact: {self._contact}\nExpires: {expires:%Y-%m-%dT00:00:00Z}\nPreferred-Languages: en\n"
        return web.Response(text=text)
