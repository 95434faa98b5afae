"""What people say to come in, to stay in and to go: registration, login, tokens, login sessions, passwords.

An access token lives some minutes and is not stored; a refresh token brings the next one and is good for one use.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import model_validator

from handlers.accounts.identifiers import EMAIL_CHARS, Email, Phone, Username
from handlers.accounts.login_limits import PER_ADDRESS
from handlers.accounts.password_rules import NewPassword, TypedPassword
from handlers.limits import DISPLAY_NAME_CHARS
from handlers.people.models import Profile, User
from realtime.contract.declarations import AUTH_NAMESPACE, Access, Command, Push, Repeat, Route, Unit
from realtime.contract.errors import CONFLICT, FORBIDDEN, NOT_FOUND, TOKEN_EXPIRED, UNAUTHENTICATED
from realtime.contract.rate_limit import RateLimit
from realtime.contract.wire import Id, Model, Nothing, Page, PageLimit, Payload, TextRule, WireId

EXAMPLE_ID = "185604284416000001"
EXAMPLE_REFRESH_TOKEN = "q3f1yJm0Vb8c2nXr5tZk7wLd9sGh4pAe6uTi1oBv0xE"
EXAMPLE_ACCESS_TOKEN = "eyJhbGciOiJIUzI1NiIsImtpZCI6IjEifQ.e30.c2lnbmF0dXJl"

RefreshToken = Annotated[str, TextRule(200)]
AccessToken = Annotated[str, TextRule(4_096)]


class Register(Payload):
    """`display_name` is the username where it is absent."""

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
    """`everywhere` ends all login sessions of the person, not only the one that the token belongs to."""

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
    """`expires_in_s` is the life of the access token."""

    user: User
    access_token: str
    token_type: Literal["Bearer"] = "Bearer"
    refresh_token: str
    expires_in_s: int


class Renewed(Model):
    expires_in_s: int


class LoginSession(Model):
    """A device on which somebody is logged in; `current` is the one that asks."""

    id: WireId
    user_agent: str
    address: str
    created_at_ms: int
    last_used_at_ms: int
    current: bool


class TokenExpiring(Model):
    expires_in_s: int


class SessionRevoked(Model):
    """`code` is what every call of this login session is answered with from now on."""

    code: Literal["unauthenticated"] = "unauthenticated"


AUTH_REGISTER = Command(
    name="auth:register",
    namespace=AUTH_NAMESPACE,
    payload=Register,
    ack=Credentials,
    effect="Makes an account and logs it in. `conflict` names in `fields` what somebody else has already.",
    repeat=Repeat.ACTS,
    rate=RateLimit(10, 3_600),
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
    effect="Begins a login session. An unknown name and a wrong password are answered alike.",
    repeat=Repeat.ACTS,
    rate=PER_ADDRESS,
    access=Access.ANYONE,
    example={"login": "ada", "password": "analytical engine"},
    errors=(UNAUTHENTICATED,),
    routes=(Route("POST", "/auth/login"), Route("POST", "/auth/jwt/login", renamed={"username": "login"})),
)

AUTH_REFRESH = Command(
    name="auth:refresh",
    namespace=AUTH_NAMESPACE,
    payload=Refresh,
    ack=Credentials,
    effect=(
        "Trades a refresh token for new tokens. A repeat gets the same refresh token again for some seconds, while "
        "nobody has used that one; any other second use is taken for theft and ends the login session."
    ),
    repeat=Repeat.ACTS,
    rate=RateLimit(120, 60),
    access=Access.ANYONE,
    example={"refresh_token": EXAMPLE_REFRESH_TOKEN},
    errors=(UNAUTHENTICATED,),
    routes=(Route("POST", "/auth/refresh"),),
)

AUTH_LOGOUT = Command(
    name="auth:logout",
    namespace=AUTH_NAMESPACE,
    payload=Logout,
    ack=Nothing,
    effect="Ends the login session of a refresh token, or all of its owner's.",
    repeat=Repeat.SETS_STATE,
    rate=RateLimit(60, 60),
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
    effect="Lets the whole connection live on with a newer access token of the same person and login session.",
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
    effect="Lists where the caller is logged in, the latest login first.",
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
    effect="Ends one of the caller's login sessions: its tokens are refused and its sockets closed, on every node.",
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
    effect="Changes the caller's password and ends all of their other login sessions. `forbidden` if `old` is wrong.",
    repeat=Repeat.ACTS,
    rate=RateLimit(10, 300),
    example={"old": "analytical engine", "new": "difference engine"},
    errors=(FORBIDDEN,),
    routes=(Route("PUT", "/auth/password"),),
)

TOKEN_EXPIRING = Push(
    name="token:expiring",
    namespace=AUTH_NAMESPACE,
    model=TokenExpiring,
    audience="Every namespace of a connection whose access token ends within a minute; `auth:renew` lets it live on.",
    volatile=True,
    about_connection=True,
)

SESSION_REVOKED = Push(
    name="session:revoked",
    namespace=AUTH_NAMESPACE,
    model=SessionRevoked,
    audience="Every namespace of every connection of a login session that was ended, before it is closed.",
    volatile=True,
    about_connection=True,
)
