"""Declarations of the messages of a feature: Command, Push, Fact.

A declaration is a frozen value in its feature's `contract.py`. The socket handler, the REST route, the documents and
the registry-wide tests are derived from it; nothing about a command is written a second time elsewhere.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, TypeAdapter

from realtime.contract.errors import ErrorCode
from realtime.contract.payload_size import payload_limit_bytes
from realtime.contract.rate_limit import RateLimit

PayloadT = TypeVar("PayloadT", bound=BaseModel)
AckT = TypeVar("AckT", bound=BaseModel)
ModelT = TypeVar("ModelT", bound=BaseModel)

AUTH_NAMESPACE = "/auth"
EVERY_NAMESPACE = "*"


class Access(enum.Enum):
    """Who may call a command."""

    ANYONE = "anyone"
    PERSON = "person"


class Repeat(enum.Enum):
    """The effect of a second call with the same payload."""

    READ = "read"
    """The command changes nothing at all."""
    SETS_STATE = "sets_state"
    """The command sets a state: a repeat finds it set and has no effect."""
    CLIENT_ID = "client_id"
    """The command creates something: a repeat with the same `client_id` is answered with what was created."""
    ACTS = "acts"
    """Each call takes effect again (a login creates a new login session)."""


class Unit(enum.Enum):
    """How an operation uses PostgreSQL."""

    TRANSACTION = "transaction"
    """A connection in a transaction: everything is committed together with its Facts, or nothing."""
    STATEMENTS = "statements"
    """A connection for each statement, which is committed by itself: at most one may write. No Facts are possible."""
    NONE = "none"
    """Not at all: the operation works with the memory of this process. No Facts are possible."""


@dataclass(frozen=True, slots=True)
class Route:
    """The REST route of a command. `path` is below `/v1`; `{names}` in it are payload fields; `status` is of success.

    `{caller_id}` is no field: it takes the caller's own id, or `me`; any other id is `forbidden`. `caller_fields` are
    taken and refused in the same way from query and body, where the command is for persons and does not read such a
    field from there.
    `renamed` maps the names that old clients use for fields to the present ones. `form_ignores` are fields of an HTML
    form that mean nothing here; None: no forms are taken. `also_answers` are fields of the answer that stand also
    beside `data`. `with_body`: fields stand in the body where the method would have them in the query, whose secrets
    would be found in logs.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    status: int = 200
    renamed: Mapping[str, str] = field(default_factory=dict)
    caller_fields: tuple[str, ...] = ("user_id",)
    form_ignores: tuple[str, ...] | None = None
    also_answers: tuple[str, ...] = ()
    with_body: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Command(Generic[PayloadT, AckT]):
    """A request that is always answered: the answer says what was durably done, or why not.

    `effect` is one sentence for the documents. `example` is a valid payload; its ids are placeholders. `errors` are the
    codes that it may answer beside those that every command may. `works_on` is how its operation uses PostgreSQL;
    None: a transaction where the command writes, single statements where it reads. `takes_bytes` is the largest
    payload; None: what its fields need.
    """

    name: str
    namespace: str
    payload: type[PayloadT]
    ack: type[AckT]
    effect: str
    repeat: Repeat
    rate: RateLimit
    example: Mapping[str, Any] = field(default_factory=dict)
    access: Access = Access.PERSON
    errors: tuple[ErrorCode, ...] = ()
    takes_bytes: int | None = None
    routes: tuple[Route, ...] = ()
    any_namespace: bool = False
    """True for the few commands that may be called in every namespace (`auth:renew`)."""
    works_on: Unit | None = None
    writes: bool = field(init=False)
    """True when the command may change something."""
    unit: Unit = field(init=False)
    """How the command's operation uses PostgreSQL."""
    max_bytes: int = field(init=False)
    """The largest payload that it takes."""

    def __post_init__(self) -> None:
        writes = self.repeat is not Repeat.READ
        object.__setattr__(self, "writes", writes)
        object.__setattr__(self, "max_bytes", self.takes_bytes or payload_limit_bytes(self.payload))
        object.__setattr__(self, "unit", self.works_on or (Unit.TRANSACTION if writes else Unit.STATEMENTS))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PositionAnnouncement(Generic[ModelT]):
    """Follows a numbered push to a room within 10 s and repeats its number.

    A client that missed the room's last push finds out by it. `push` is volatile. `data_of` makes its data, and
    `number_of` reads the number, from the data of the numbered push.
    """

    push: Push[Any]
    data_of: Callable[[ModelT], BaseModel]
    number_of: Callable[[ModelT], int]


class Subject(NamedTuple):
    """Something that pushes tell of, by a name that is unique over all kinds: `post:7`. Of two versions of it the one
    with the larger number is newer; 0 for what has no versions.
    """

    name: str
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Push(Generic[ModelT]):
    """A hint from server to client, delivered at most once; the same bytes for all recipients.

    `audience` is one sentence for the documents: who receives it. It may be sent in the namespaces `also_in` too
    (`EVERY_NAMESPACE`). A `volatile` push is never kept and never replayed. `subjects_of` reads from its data what it
    tells of: when that is withdrawn (`Withdraw`), a `resync` stands in its place in a replay; None for one that tells
    of nothing that can be withdrawn. A push `of_every_version` follows each edit: nobody misses one that was
    overtaken by the next. `position` is the announcement that follows a numbered push; None for a push without a
    number. A push `about_connection` is not given to long-polling clients: each of their requests carries a token,
    and its answer reports one that has expired or was revoked.
    """

    name: str
    namespace: str
    model: type[ModelT]
    audience: str
    also_in: tuple[str, ...] = ()
    volatile: bool = False
    subjects_of: Callable[[ModelT], Sequence[Subject]] | None = None
    of_every_version: bool = False
    position: PositionAnnouncement[ModelT] | None = None
    about_connection: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fact(Generic[ModelT]):
    """Something that durably happened, delivered at least once to every consumer that reacts to it.

    `model` holds ids only: a consumer reads the present state and sets its result, so that neither repeats nor the
    order of Facts matter. `key` names the field whose Facts stand in one lane of the log, read by one worker at a time.
    """

    name: str
    model: type[ModelT]
    key: str
    _parser: TypeAdapter[list[ModelT]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        list_of_model: Any = list[self.model]  # type: ignore[name-defined]  # known at run time only
        object.__setattr__(self, "_parser", TypeAdapter(list_of_model))

    def key_of(self, data: ModelT) -> int:
        return int(getattr(data, self.key))

    def parse(self, payloads: Sequence[str]) -> list[ModelT]:
        """The data of Facts from their JSON texts. Raises pydantic's ValidationError."""
        return self._parser.validate_json(f"[{','.join(payloads)}]")
