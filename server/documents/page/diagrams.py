"""Sequence diagrams as inline SVG: drawn in the page's colours, read aloud as a list of steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 460
_LEFT, _RIGHT = 70, 390
_TOP = 44
_STEP = 34


@dataclass(frozen=True, slots=True)
class Step:
    """`to` is "server", "client", or "note" for something that happens meanwhile."""

    to: str
    text: str
    y: int = 0


@dataclass(frozen=True, slots=True)
class Diagram:
    """`steps` are placed from top to bottom."""

    name: str
    title: str
    steps: Sequence[Step]
    height: int


def _diagram(name: str, title: str, *steps: tuple[str, str]) -> Diagram:
    placed = [Step(to, text, _TOP + 26 + _STEP * number) for number, (to, text) in enumerate(steps)]
    return Diagram(name, title, placed, _TOP + 26 + _STEP * len(steps))


DIAGRAMS = {
    diagram.name: diagram
    for diagram in (
        _diagram(
            "connecting",
            "Log in, connect, call a command, hear pushes",
            ("server", "POST /v1/auth/login {login, password}"),
            ("client", "access_token, refresh_token"),
            ("server", "CONNECT /chat, auth {token}"),
            ("client", "sid: the session is ready"),
            ("server", "message:send {…}"),
            ("client", "{ok: true, data}: it is stored"),
            ("client", "message:created, to every device"),
            ("client", "token:expiring {expires_in_s}"),
            ("server", "auth:renew {token}"),
        ),
        _diagram(
            "recovery",
            "A short loss: the session is recovered",
            ("server", "CONNECT, auth {token, recovery: true}"),
            ("client", "sid, pid"),
            ("client", "push … offset 1"),
            ("note", "the connection is lost; pushes are kept"),
            ("server", "CONNECT, auth {…, pid, offset 1}"),
            ("client", "the same sid and pid"),
            ("client", "the pushes after offset 1"),
        ),
        _diagram(
            "catching-up",
            "A long absence: the store catches up",
            ("server", "sync:pull {}"),
            ("client", "first screens, cursor c1"),
            ("client", "pushes, applied as they come"),
            ("note", "away for minutes or for weeks"),
            ("server", "sync:pull {cursor c1}"),
            ("client", "upserts, removed, cursor c2, more"),
            ("server", "sync:pull {cursor c2}, while there is more"),
            ("client", "the rest, cursor c3"),
        ),
    )
}
