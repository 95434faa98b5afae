"""Tokens, passwords and revocations."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass

from handlers.ports import Clock
from server.accounts.authenticator import Authenticator
from server.accounts.passwords import Passwords
from server.accounts.revocations import Revocations
from server.accounts.sealed_cursors import SealedCursors
from server.accounts.secrets_file import signing_keys
from server.accounts.token_watch import TokenWatch
from server.accounts.tokens import Tokens
from server.config import Settings
from sql.unit import Units


@dataclass(frozen=True, slots=True)
class Accounts:
    tokens: Tokens
    passwords: Passwords
    token_watch: TokenWatch
    revocations: Revocations
    authenticator: Authenticator
    sealed_cursors: SealedCursors


def build_accounts(settings: Settings, clock: Clock, reserved_units: Units, stack: AsyncExitStack) -> Accounts:
    keys = signing_keys(settings.token_secrets, settings.data_dir)
    tokens = Tokens(keys, clock, access_token_ttl_s=settings.access_token_ttl_s)
    passwords = Passwords(
        concurrency=settings.password_hash_concurrency,
        waiting_max=settings.password_hash_waiting_max,
        memory_kib=settings.password_hash_memory_kib,
    )
    stack.callback(passwords.close)
    token_watch = TokenWatch(clock, access_token_ttl_s=settings.access_token_ttl_s)
    revocations = Revocations(
        reserved_units,
        clock,
        access_token_ttl_s=settings.access_token_ttl_s,
        on_revoked=token_watch.close_revoked,
    )
    authenticator = Authenticator(tokens, revocations, clock)
    return Accounts(tokens, passwords, token_watch, revocations, authenticator, SealedCursors(keys))
