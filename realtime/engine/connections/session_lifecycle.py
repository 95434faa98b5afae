"""How sessions begin and end: the same on every transport."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping

from realtime.engine.hub import Hub
from realtime.engine.recovery.recovery import Recovery
from realtime.engine.session.policy import SessionPolicy
from realtime.engine.session.session import Connection, Session

_log = logging.getLogger(__name__)


async def begin_session(
    connection: Connection,
    namespace: str,
    auth: Mapping[str, object],
    *,
    policy: SessionPolicy,
    hub: Hub,
    recovery: Recovery | None,
) -> Session:
    """A fresh session that the policy has let in, to be accepted at once. Raises ConnectRefused."""
    session = Session(id=secrets.token_urlsafe(15), namespace=namespace, connection=connection)
    if recovery is not None:
        recovery.follow(session, auth)
    try:
        await policy.connect(session, auth)
    except BaseException:
        session.shut()
        hub.remove_session(session)
        if recovery is not None:
            recovery.forget(session)
        raise
    return session


def end_session(session: Session, reason: str, *, policy: SessionPolicy, hub: Hub, recovery: Recovery | None) -> None:
    """Takes a session from its connection; it is kept where its client may come back."""
    if recovery is not None:
        recovery.ended(session, reason)
    try:
        policy.disconnected(session, reason)
    except Exception:
        _log.exception("policy failed to forget session %s", session.id)
    finally:
        hub.remove_session(session)
