"""Which credentials identify a caller, and which are refused."""

from __future__ import annotations

import pytest

from realtime.contract.errors import CommandError
from realtime.contract.identity import Identity
from server.accounts.authenticator import Authenticator
from server.accounts.revocations import Revocations
from server.accounts.secrets_file import SigningKey
from server.accounts.tokens import Tokens
from sql.unit import Units
from tests.kit.clock import ManualClock

LIFE_S = 900


class Lab:
    def __init__(self, units: Units) -> None:
        self.clock = ManualClock()
        self.tokens = Tokens((SigningKey("k", b"k" * 32),), self.clock, access_token_ttl_s=LIFE_S)
        self.revoked: list[int] = []
        self.revocations = Revocations(units, self.clock, access_token_ttl_s=LIFE_S, on_revoked=self.revoked.extend)
        self.authenticator = Authenticator(self.tokens, self.revocations, self.clock)

    def refusal(self, credentials: Identity | str) -> str:
        with pytest.raises(CommandError) as refused:
            self.authenticator.identify(credentials)
        return refused.value.code.code


@pytest.fixture
def lab(units: Units) -> Lab:
    return Lab(units)


async def test_a_token_identifies_user_and_login_session(lab: Lab) -> None:
    identity = lab.authenticator.identify(lab.tokens.access_token(7, 9).token)
    assert identity is not None and (identity.user_id, identity.login_session_id) == (7, 9)
    assert lab.authenticator.identify(identity) == identity


async def test_no_token_is_anonymous_and_garbage_is_refused(lab: Lab) -> None:
    assert lab.authenticator.identify(None) is None
    for token in ("", "garbage", lab.tokens.access_token(7, 9).token[:-1]):
        assert lab.refusal(token) == "unauthenticated"


async def test_a_token_and_what_a_socket_was_bound_to_run_out_together(lab: Lab) -> None:
    token = lab.tokens.access_token(7, 9).token
    identity = lab.authenticator.identify(token)
    assert identity is not None
    lab.clock.advance(LIFE_S - 1)
    assert lab.authenticator.identify(token) == lab.authenticator.identify(identity) == identity
    lab.clock.advance(1)
    assert lab.refusal(token) == lab.refusal(identity) == "token_expired"


async def test_an_ended_login_session_is_refused_by_its_token_and_on_its_sockets(lab: Lab) -> None:
    ended, other = (lab.tokens.access_token(7, session).token for session in (9, 10))
    identity = lab.authenticator.identify(ended)
    assert identity is not None
    lab.revocations.add([9])
    assert lab.refusal(ended) == lab.refusal(identity) == "unauthenticated"
    assert lab.authenticator.identify(other) is not None
