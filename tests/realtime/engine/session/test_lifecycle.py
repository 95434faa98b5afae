"""Which states follow each other."""

from __future__ import annotations

import pytest

from realtime.engine.session.lifecycle import ConnectionState, InvalidTransition, SessionState


@pytest.mark.parametrize("state", ConnectionState)
def test_no_state_of_a_connection_follows_itself(state: ConnectionState) -> None:
    with pytest.raises(InvalidTransition):
        state.to(state)


def test_a_connection_opens_once() -> None:
    for state in ConnectionState:
        with pytest.raises(InvalidTransition):
            state.to(ConnectionState.OPEN)


def test_every_connection_can_end() -> None:
    for state in (ConnectionState.OPEN, ConnectionState.CLIENT_CLOSED, ConnectionState.CLOSING):
        assert state.to(ConnectionState.CLOSED).to(ConnectionState.ENDED) is ConnectionState.ENDED


@pytest.mark.parametrize("state", [state for state in SessionState if state is not SessionState.DETACHED])
def test_only_a_detached_session_is_kept(state: SessionState) -> None:
    assert SessionState.DETACHED.to(SessionState.KEPT) is SessionState.KEPT
    with pytest.raises(InvalidTransition):
        state.to(SessionState.KEPT)
