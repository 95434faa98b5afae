"""Credentials, login sessions and refresh tokens; roles, suspension and deletion, and the audit of such acts."""

import datetime
from typing import NamedTuple, Protocol

from sql.execution.joining import joined
from sql.ids import CommentId, LoginSessionId, PostId, UserId


class CredentialsRow(NamedTuple):
    user_id: UserId
    password_hash: str
    is_known_network: bool
    """Whether the user was logged in from the caller's network before."""


class TakenNamesRow(NamedTuple):
    """Which of three names another account has."""

    username: bool
    email: bool
    phone: bool


class LoginSessionRow(NamedTuple):
    id: LoginSessionId
    user_agent: str
    address: str
    created_at: datetime.datetime
    last_used_at: datetime.datetime


class RevokedSessionRow(NamedTuple):
    id: LoginSessionId
    user_id: UserId
    revoked_at: datetime.datetime


class RefreshTokenRow(NamedTuple):
    session_id: LoginSessionId
    user_id: UserId
    expires_at: datetime.datetime
    used_at: datetime.datetime | None
    """None while this token is the newest of its session."""
    successor_hash: bytes | None
    revoked_at: datetime.datetime | None
    """When its session was revoked."""
    is_suspended: bool
    """Its user."""


class AccountStateRow(NamedTuple):
    id: UserId
    username: str
    role: str
    is_suspended: bool
    deletion_asked_at: datetime.datetime | None
    """When the account was deleted."""
    is_hidden: bool
    """One of the two."""


class CommentToEraseRow(NamedTuple):
    id: CommentId
    post_id: PostId


class ActRow(NamedTuple):
    made_at: datetime.datetime
    actor: str | None
    """None: the operator at the command line."""
    act: str
    post_id: PostId | None
    role: str | None
    reason: str


class AccountQueries(Protocol):
    async def find_taken_names(
        self, *, username_folded: str, email_folded: str | None, phone: str | None
    ) -> TakenNamesRow: ...

    async def insert_user(
        self,
        *,
        username: str,
        username_folded: str,
        email: str | None,
        email_folded: str | None,
        phone: str | None,
        password_hash: str,
        display_name: str,
    ) -> UserId:
        """Raises UniqueViolated: `users_username_key`, `users_email_key` or `users_phone_key`."""
        ...

    @joined
    async def read_credentials(self, *, login: str, network: str) -> CredentialsRow | None:
        """`login` is folded."""
        ...

    async def read_own_credentials(self, *, user_id: UserId, network: str) -> CredentialsRow | None: ...

    async def lock_password_hash(self, *, user_id: UserId) -> str | None:
        """Waits for transactions that are changing the hash, and locks it until this transaction ends."""
        ...

    async def set_password_hash(self, *, user_id: UserId, password_hash: str) -> None: ...

    async def note_network(self, *, user_id: UserId, network: str) -> None: ...

    async def delete_unused_networks(self, *, unused_since: datetime.datetime, batch_size: int) -> int:
        """The number of deleted rows; there may be more when it equals the batch size."""
        ...

    async def insert_session(self, *, user_id: UserId, user_agent: str, address: str) -> LoginSessionId: ...

    async def owns_session(self, *, session_id: LoginSessionId, user_id: UserId) -> bool: ...

    async def list_sessions(
        self,
        *,
        user_id: UserId,
        used_since: datetime.datetime,
        before: LoginSessionId,
        page_size: int,
    ) -> list[LoginSessionRow]:
        """Sessions that are not revoked and were used since then, newest first."""
        ...

    async def touch_session(self, *, session_id: LoginSessionId, user_agent: str, address: str) -> None: ...

    async def revoke_session(self, *, user_id: UserId, session_id: LoginSessionId) -> LoginSessionId | None:
        """None when the session is another user's, or was revoked before."""
        ...

    async def revoke_sessions(
        self, *, user_id: UserId, except_session_id: LoginSessionId | None
    ) -> list[LoginSessionId]:
        """The sessions that it revoked: all of the user, except one if given."""
        ...

    async def sessions_revoked_since(self, *, since: datetime.datetime) -> list[RevokedSessionRow]: ...

    async def insert_refresh_token(
        self,
        *,
        token_hash: bytes,
        session_id: LoginSessionId,
        issued_at: datetime.datetime,
        expires_at: datetime.datetime,
    ) -> None: ...

    async def lock_refresh_token(self, *, token_hash: bytes) -> RefreshTokenRow | None:
        """Waits for transactions that are using the token, and locks it until this transaction ends."""
        ...

    async def rotate_refresh_token(
        self,
        *,
        token_hash: bytes,
        successor_hash: bytes,
        now: datetime.datetime,
        expires_at: datetime.datetime,
    ) -> bool | None:
        """True: the old token is used and its successor is stored. None: it was used before, or does not exist."""
        ...

    async def delete_expired_tokens(self, *, expired_before: datetime.datetime, batch_size: int) -> int:
        """The number of deleted tokens; there may be more when it equals the batch size."""
        ...

    async def find_user(self, *, username_folded: str) -> AccountStateRow | None: ...

    async def read_state(self, *, user_id: UserId) -> AccountStateRow | None: ...

    async def set_role(self, *, user_id: UserId, role: str) -> None: ...

    async def set_suspended(self, *, user_id: UserId, suspended: bool) -> bool | None:
        """Whether the user is hidden now; None: nothing changed."""
        ...

    async def set_deleted(self, *, user_id: UserId, deleted: bool) -> bool | None:
        """Whether the user is hidden now; None: nothing changed."""
        ...

    async def find_author(self, *, post_id: PostId) -> UserId | None: ...

    async def note_act(
        self,
        *,
        actor_id: UserId | None,
        act: str,
        user_id: UserId,
        post_id: PostId | None,
        role: str | None,
        reason: str,
    ) -> None:
        """`actor_id` is None for the operator at the command line."""
        ...

    async def list_acts(self, *, user_id: UserId, row_limit: int) -> list[ActRow]: ...

    async def lock_account_to_erase(self, *, deleted_before: datetime.datetime) -> UserId | None: ...

    async def posts_to_erase(self, *, user_id: UserId, row_limit: int) -> list[PostId]: ...

    async def comments_to_erase(self, *, user_id: UserId, row_limit: int) -> list[CommentToEraseRow]: ...

    async def erase_comments(self, *, comment_ids: list[CommentId]) -> None: ...

    async def erase_traces(self, *, user_id: UserId, row_limit: int) -> int:
        """How many rows were left; 0: none."""
        ...

    async def erase_account(self, *, user_id: UserId) -> None: ...
