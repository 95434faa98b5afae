"""Makes the wire model of login sessions from rows."""

from __future__ import annotations

from handlers.accounts.contract import LoginSession
from realtime.contract.wire import unix_ms
from sql.accounts import LoginSessionRow
from sql.ids import LoginSessionId


def login_session_view(row: LoginSessionRow, current_id: LoginSessionId) -> LoginSession:
    return LoginSession(
        id=row.id,
        user_agent=row.user_agent,
        address=row.address,
        created_at_ms=unix_ms(row.created_at),
        last_used_at_ms=unix_ms(row.last_used_at),
        current=row.id == current_id,
    )
