"""The authenticated user of a connection or a call."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """A user in one login session, from the access token. `expires_at_s` is the token's end in Unix seconds."""

    user_id: int
    login_session_id: int
    expires_at_s: int
