"""Commands and pushes of accounts: registration, login, tokens, login sessions, passwords.

An access token lives some minutes and is not stored. A refresh token gets the next access token and works once.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, model_validator

from handlers.accounts.identifiers import EMAIL_CHARS, Email, Phone, Username
from handlers.accounts.password_rules import NewPassword, TypedPassword
from handlers.limits import DISPLAY_NAME_CHARS
from handlers.people.models import Profile, User
from realtime.contract.declarations import AUTH_NAMESPACE, EVERY_NAMESPACE, Access, Command, Push, Repeat, Route, Unit
from realtime.contract.errors import CONFLICT, FORBIDDEN, NOT_FOUND, TOKEN_EXPIRED, UNAUTHENTICATED
from realtime.contract.payload_rules import exactly_one_of
from realtime.contract.rate_limit import RateLimit
from realtime.contract.wire import Id, Model, Nothing, Page, PageLimit, Payload, TextRule, WireId

EXAMPLE_ID = "185604284416000001"
EXAMPLE_REFRESH_TOKEN = "q3f1yJm0Vb8c2nXr5tZk7wLd9sGh4pAe6uTi1oBv0xE"
EXAMPLE_ACCESS_TOKEN = "eyJhbGciOiJIUzI1NiIsImtpZCI6IjEifQ.e30.c2lnbmF0dXJl"

_REGISTRATIONS = RateLimit(300, 3_600)
_LOGINS = RateLimit(300, 300)
"""Attempts of a network, whatever comes of them; `login_limits.py` has the narrow limits, of outcomes."""
_TOKEN_USES = RateLimit(600, 60)
"""Of a network: all of its devices come back at once after an outage. Refresh tokens are too long to be guessed."""

RefreshToken = Annotated[str, TextRule(200)]
AccessToken = Annotated[str, TextRule(4_096)]


class Register(Payload):
    """With one of `email` and `phone`. `display_name` is the username where it is absent."""

    model_config = ConfigDict(json_schema_extra=exactly_one_of("email", "phone"))

    username: Username
    password: NewPassword
    email: Email | None = None
    phone: Phone | None = None
    display_name: Annotated[str, TextRule(DISPLAY_NAME_CHARS)] | None = None
    profile: Profile | None = None

    @model_validator(mode="after")
    def _reachable_one_way(self) -> Register:
        if (self.email is None) == (self.phone is None):
            raise ValueError("needs one of email and phone")
        return self


class Login(Payload):
    """`login` is a username, an e-mail address or a phone number."""

    login: Annotated[str, TextRule(EMAIL_CHARS)]
    password: TypedPassword


class Refresh(Payload):
    refresh_token: RefreshToken


class Logout(Payload):
    """`everywhere` ends all login sessions of the user, not only the session of the token."""

    refresh_token: RefreshToken
    everywhere: bool = False


class Renew(Payload):
    token: AccessToken


class ListSessions(Payload):
    before: Id | None = None
    limit: PageLimit | None = None


class RevokeSession(Payload):
    session_id: Id


class ChangePassword(Payload):
    old: TypedPassword
    new: NewPassword


class Credentials(Model):
    """`expires_in_s` is the time until the access token expires."""

    user: User
    access_token: str
    token_type: Literal["Bearer"] = "Bearer"
    refresh_token: str
    expires_in_s: int


class Renewed(Model):
    expires_in_s: int


class LoginSession(Model):
    """A device on which a user is logged in; `current` is the device of the caller."""

    id: WireId
    user_agent: str
    address: str
    created_at_ms: int
    last_used_at_ms: int
    current: bool


class TokenExpiring(Model):
    expires_in_s: int


class SessionRevoked(Model):
    """`code` is the error that every call of this login session gets from now on."""

    code: Literal["unauthenticated"] = "unauthenticated"


AUTH_REGISTER = Command(
    name="auth:register",
    namespace=AUTH_NAMESPACE,
    payload=Register,
    ack=Credentials,
    effect="Creates an account and logs it in. `conflict` names in `fields` the values that another account has.",
    repeat=Repeat.ACTS,
    rate=_REGISTRATIONS,
    access=Access.ANYONE,
    example={
        "username": "ada",
        "password": "analytical engine",
        "email": "ada@example.com",
        "display_name": "Ada Lovelace",
    },
    errors=(CONFLICT,),
    routes=(Route("POST", "/auth/register", 201, renamed={"profile_info": "profile"}),),
)

AUTH_LOGIN = Command(
    name="auth:login",
    namespace=AUTH_NAMESPACE,
    payload=Login,
    ack=Credentials,
    effect=(
        "Starts a login session, and takes the deletion of the account back. An unknown name and a wrong password get "
        "the same error; `forbidden` while the account is suspended."
    ),
    repeat=Repeat.ACTS,
    rate=_LOGINS,
    access=Access.ANYONE,
    example={"login": "ada", "password": "analytical engine"},
    errors=(UNAUTHENTICATED, FORBIDDEN),
    routes=(
        Route("POST", "/auth/login"),
        Route(  # the password form of OAuth2
            "POST",
            "/auth/jwt/login",
            renamed={"username": "login"},
            form_ignores=("grant_type", "scope", "client_id", "client_secret"),
            also_answers=("access_token", "token_type"),
        ),
    ),
)

AUTH_REFRESH = Command(
    name="auth:refresh",
    namespace=AUTH_NAMESPACE,
    payload=Refresh,
    ack=Credentials,
    effect=(
        "Exchanges a refresh token for new tokens. A repeat within some seconds gets the same new refresh token, while "
        "that one is unused; any other second use is treated as theft and ends the login session. `forbidden` while "
        "the account is suspended."
    ),
    repeat=Repeat.ACTS,
    rate=_TOKEN_USES,
    access=Access.ANYONE,
    example={"refresh_token": EXAMPLE_REFRESH_TOKEN},
    errors=(UNAUTHENTICATED, FORBIDDEN),
    routes=(Route("POST", "/auth/refresh"),),
)

AUTH_LOGOUT = Command(
    name="auth:logout",
    namespace=AUTH_NAMESPACE,
    payload=Logout,
    ack=Nothing,
    effect="Ends the login session of a refresh token, or all login sessions of its user.",
    repeat=Repeat.SETS_STATE,
    rate=_TOKEN_USES,
    access=Access.ANYONE,
    example={"refresh_token": EXAMPLE_REFRESH_TOKEN},
    errors=(UNAUTHENTICATED,),
    routes=(Route("POST", "/auth/logout"),),
)

AUTH_RENEW = Command(
    name="auth:renew",
    namespace=AUTH_NAMESPACE,
    payload=Renew,
    ack=Renewed,
    effect="Extends the whole connection by a newer access token of the same user and login session.",
    repeat=Repeat.SETS_STATE,
    works_on=Unit.NONE,
    rate=RateLimit(60, 60),
    example={"token": EXAMPLE_ACCESS_TOKEN},
    errors=(FORBIDDEN, UNAUTHENTICATED, TOKEN_EXPIRED),
    any_namespace=True,
)

AUTH_SESSIONS = Command(
    name="auth:sessions",
    namespace=AUTH_NAMESPACE,
    payload=ListSessions,
    ack=Page[LoginSession],
    effect="Lists the login sessions of the caller, the latest login first.",
    repeat=Repeat.READ,
    rate=RateLimit(600, 60),
    example={"limit": 20},
    routes=(Route("GET", "/auth/sessions"),),
)

AUTH_REVOKE = Command(
    name="auth:revoke",
    namespace=AUTH_NAMESPACE,
    payload=RevokeSession,
    ack=Nothing,
    effect="Ends one login session of the caller: every node refuses its tokens and closes its sockets.",
    repeat=Repeat.SETS_STATE,
    works_on=Unit.STATEMENTS,
    rate=RateLimit(60, 60),
    example={"session_id": EXAMPLE_ID},
    errors=(NOT_FOUND,),
    routes=(Route("DELETE", "/auth/sessions/{session_id}"),),
)

AUTH_PASSWORD = Command(
    name="auth:password",
    namespace=AUTH_NAMESPACE,
    payload=ChangePassword,
    ack=Nothing,
    effect="Changes the caller's password and ends their other login sessions. `forbidden` if `old` is wrong.",
    repeat=Repeat.ACTS,
    rate=RateLimit(60, 300),
    example={"old": "analytical engine", "new": "difference engine"},
    errors=(FORBIDDEN,),
    routes=(Route("PUT", "/auth/password"),),
)

TOKEN_EXPIRING = Push(
    name="token:expiring",
    namespace=AUTH_NAMESPACE,
    also_in=(EVERY_NAMESPACE,),
    model=TokenExpiring,
    audience="Every namespace of a connection whose access token expires within a minute; `auth:renew` extends it.",
    volatile=True,
    about_connection=True,
)

SESSION_REVOKED = Push(
    name="session:revoked",
    namespace=AUTH_NAMESPACE,
    also_in=(EVERY_NAMESPACE,),
    model=SessionRevoked,
    audience="Every namespace of every connection of a revoked login session, before the connection is closed.",
    volatile=True,
    about_connection=True,
)
