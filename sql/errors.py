"""The errors of queries and units of work, by what a caller can do about them."""

import re
from typing import Final, NoReturn

import asyncpg


class DatabaseError(Exception):
    """A query, or the unit of work that it ran in, failed for a known reason."""


class Unavailable(DatabaseError):
    """PostgreSQL cannot answer now: unreachable, overloaded, shutting down, read-only, or over a time limit.

    Nothing was committed, except when the connection was lost during the commit itself, or during a statement outside
    of a transaction, which commits by itself: then the result is unknown.
    """


class StatementTooSlow(Unavailable):
    """PostgreSQL cancelled a statement that took longer than it may: too much work, or a wait for locks."""


class Retry(DatabaseError):
    """The transaction lost against a concurrent one (deadlock, serialization) and may be run again from its start."""


class BadText(DatabaseError):
    """A value has something that PostgreSQL cannot store: NUL, a lone surrogate, a number above 64 bits."""


class ConstraintBroken(DatabaseError):
    """A row would break a constraint; the transaction has failed."""

    def __init__(self, constraint: str) -> None:
        super().__init__(constraint)
        self.constraint = constraint


class UniqueViolated(ConstraintBroken):
    """A row with this key exists already."""


class ForeignKeyMissing(ConstraintBroken):
    """The row that this row refers to does not exist."""


DRIVER_ERRORS: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""Everything that asyncpg raises."""

_UNAVAILABLE_CLASSES: Final = frozenset({"08", "28", "53", "58"})  # 28: the login was refused
_UNAVAILABLE_STATES: Final = frozenset(
    {
        "3D000",  # no such database
        "25006",  # read-only: a standby, also before this node has found the new primary
        "25P03",  # idle in transaction for too long
        "55000",  # the database takes no connections at present
        "57P01",  # administrator's shutdown
        "57P02",  # crash of another backend
        "57P03",  # starting up or shutting down
        "57P04",  # database dropped
        "57P05",  # idle session
    }
)
_STATEMENT_STATES: Final = frozenset(
    {
        "26000",  # the prepared statement is not in this session
        "42P05",  # another one has its name there
    }
)
_LOST: Final = re.compile(
    # "released back": a pool takes a lost connection back at once, even while it is lent. "cannot switch": the loss was
    # reported before the end of the stream was read. "invalid DSN": there is no such address.
    "clos|terminat|released back|cannot switch|invalid DSN"
)
_SESSION_LOST: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
_RETRY_STATES: Final = frozenset({"40001", "40P01", "55P03"})
_BAD_TEXT_STATES: Final = frozenset(
    {
        "22000",  # asyncpg itself could not encode an argument
        "22003",  # number out of range
        "22021",  # NUL in a text
        "22P05",  # NUL in JSON
    }
)


def is_session_lost(error: Unavailable) -> bool:
    """Whether the session had ended already, or ended meanwhile: PostgreSQL was restarted, or somebody ended it."""
    return isinstance(error.__cause__, _SESSION_LOST)


def raise_translated(error: BaseException) -> NoReturn:
    """Raises the error of this module for one that asyncpg raised; a bug's error is raised again as it is.

    For handlers of DRIVER_ERRORS around nothing but calls of asyncpg: any OSError or TimeoutError is taken for one of
    PostgreSQL.
    """
    ours = translate(error)
    if ours is None:
        raise error
    raise ours from error


def translate(error: BaseException) -> DatabaseError | None:
    """The error of this module for an error of asyncpg; None for a bug, whose error is not to be replaced."""
    if isinstance(error, asyncpg.OutdatedSchemaCacheError | asyncpg.InvalidCachedStatementError):
        return Retry(str(error))  # a migration changed a table; the connection has noticed it now
    if isinstance(error, asyncpg.PostgresError):
        return _from_state(error)
    text = str(error) or type(error).__name__
    if isinstance(error, asyncpg.InterfaceError | asyncpg.InternalClientError):
        # asyncpg uses these classes both for a lost connection and for misuse: only the text differs.
        return Unavailable(text) if _LOST.search(text) else None
    return Unavailable(text)


def _from_state(error: asyncpg.PostgresError) -> DatabaseError | None:
    state = error.sqlstate or ""
    if state == asyncpg.UniqueViolationError.sqlstate:
        return UniqueViolated(error.constraint_name or "")
    if state == asyncpg.ForeignKeyViolationError.sqlstate:
        return ForeignKeyMissing(error.constraint_name or "")
    if state in _STATEMENT_STATES:
        told = str(error).partition("\n")[0]  # asyncpg adds advice that is not for operators
        return Unavailable(f"{told}: a pooler that loses prepared statements needs DATABASE_NAMED_STATEMENTS=false")
    if state in _RETRY_STATES:
        return Retry(str(error))
    if state in _BAD_TEXT_STATES:
        return BadText(str(error))
    if state == asyncpg.QueryCanceledError.sqlstate:
        return StatementTooSlow(str(error))
    if state in _UNAVAILABLE_STATES or state[:2] in _UNAVAILABLE_CLASSES:
        return Unavailable(str(error))
    return None
