"""Accounts as a value: what `server/features.py` lists."""

from __future__ import annotations

from handlers.accounts import contract
from handlers.accounts.entering import hash_new_password, login, prove_password, register
from handlers.accounts.managing import change_password, hash_changed_password, list_sessions, revoke
from handlers.accounts.staying import logout, refresh, renew
from handlers.feature import Feature, bind_command, bind_prepared, bind_without_sql

FEATURE = Feature(
    name="accounts",
    commands=(
        bind_prepared(contract.AUTH_REGISTER, hash_new_password, register),
        bind_prepared(contract.AUTH_LOGIN, prove_password, login),
        bind_command(contract.AUTH_REFRESH, refresh),
        bind_command(contract.AUTH_LOGOUT, logout),
        bind_without_sql(contract.AUTH_RENEW, renew),
        bind_command(contract.AUTH_SESSIONS, list_sessions),
        bind_command(contract.AUTH_REVOKE, revoke),
        bind_prepared(contract.AUTH_PASSWORD, hash_changed_password, change_password),
    ),
    pushes=(contract.TOKEN_EXPIRING, contract.SESSION_REVOKED),
)
