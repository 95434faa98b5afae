"""Who is at the other end."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """A person in one login session, as their access token says. `expires_at_s` is the token's end in Unix seconds."""

    user_id: int
    login_session_id: int
    expires_at_s: int
