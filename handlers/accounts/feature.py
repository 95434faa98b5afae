"""The features of accounts."""

from __future__ import annotations

from handlers.accounts import contract, state_contract
from handlers.accounts.consumers import ACCOUNT_STATES
from handlers.accounts.deletion import check_password, delete_account
from handlers.accounts.login import login, prepare_login, prepare_registration, register
from handlers.accounts.login_limits import give_registration_back
from handlers.accounts.login_sessions import change_password, list_sessions, prepare_password_change, revoke
from handlers.accounts.tokens import logout, refresh, renew
from handlers.feature import Feature, bind_command, bind_plain_command, bind_prepared_command

FEATURE = Feature(
    name="accounts",
    commands=(
        bind_prepared_command(contract.AUTH_REGISTER, prepare_registration, register, undo=give_registration_back),
        bind_prepared_command(contract.AUTH_LOGIN, prepare_login, login),
        bind_command(contract.AUTH_REFRESH, refresh),
        bind_command(contract.AUTH_LOGOUT, logout),
        bind_plain_command(contract.AUTH_RENEW, renew),
        bind_command(contract.AUTH_SESSIONS, list_sessions),
        bind_command(contract.AUTH_REVOKE, revoke),
        bind_prepared_command(contract.AUTH_PASSWORD, prepare_password_change, change_password),
    ),
    pushes=(contract.TOKEN_EXPIRING, contract.SESSION_REVOKED),
)

DELETION = Feature(
    name="deletion",
    commands=(bind_prepared_command(state_contract.USER_DELETE, check_password, delete_account),),
    facts=(state_contract.ACCOUNT_HIDDEN, state_contract.ACCOUNT_SHOWN),
    consumers=(ACCOUNT_STATES,),
)
"""A command of `/users`, which stands among those of people."""
