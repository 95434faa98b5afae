"""Fills a database with a demo network, in some seconds."""

from __future__ import annotations

import datetime
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from server.accounts.passwords import Passwords
from server.accounts.secrets_file import signing_keys
from server.accounts.tokens import Tokens
from server.cli_error import CliError
from server.clock import SystemClock
from server.config import Settings
from server.dev.demo_network import DEMO_USERNAME, DemoNetwork, NetworkMaker, read_edges
from sql.database import load_queries
from sql.execution.bulk import (
    CommentRecord,
    ConversationRecord,
    FollowRecord,
    LikeRecord,
    LoginSessionRecord,
    MemberRecord,
    MessageRecord,
    PersonRecord,
    PostRecord,
    Record,
    RefreshTokenRecord,
    copy_records,
)
from sql.ids import id_floor_ms
from sql.pool import close_pool, open_pool
from sql.unit import Units

DEMO_PASSWORD = "rookery demo network"
DEMO_PEOPLE = 200
DEMO_POSTS = 2_000
DEMO_SEED = 1
SEEDING_TIMEOUT_MS = 600_000

Report = Callable[[str], None]


@dataclass(frozen=True)
class DemoLogin:
    """An account of the demo network, shown to new users."""

    username: str
    password: str


async def seed_if_empty(settings: Settings, *, report: Report) -> DemoLogin | None:
    """Fills a database without users with a demo network. Returns None when the users are not those of the demo."""
    async with _Seeding(settings) as seeding:
        if not await seeding.has_people():
            report("making a demo network")
            maker = await seeding.maker(seed=DEMO_SEED, prefix="")
            await seeding.store(maker.generated(DEMO_PEOPLE, posts=DEMO_POSTS, demo=True), report)
        has_demo = await seeding.has_demo()
    return DemoLogin(DEMO_USERNAME, DEMO_PASSWORD) if has_demo else None


async def seed(
    settings: Settings, *, people: int, posts: int, graph: Path | None, tokens: Path | None, report: Report
) -> None:
    """Writes users who follow each other and have posted; `graph` is an edge list that replaces `people`.

    Writes a line of JSON for each user to `tokens`, in the order of the graph: `user_id`, `username`, `access_token`,
    `refresh_token`. All users have the password of the demo. The network is stored as a whole or not at all. Raises
    CliError.
    """
    edges = read_edges(graph) if graph is not None else None
    if tokens is not None:
        _create_private(tokens)
    async with _Seeding(settings) as seeding:
        maker = await seeding.maker(seed=secrets.randbits(32), prefix=f"s{secrets.token_hex(2)}.")
        report("making up the network")
        if edges is not None:
            network = maker.from_edges(edges, posts=posts)
        else:
            network = maker.generated(people, posts=posts, demo=not await seeding.has_people())
        await seeding.store(network, report)
        if tokens is not None:
            await seeding.write_tokens(network.people, tokens)
            report(f"wrote {len(network.people):,} logins to {tokens}")


class _Seeding:
    """A connection to the database inside its block."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def __aenter__(self) -> _Seeding:
        self._pool = await open_pool(
            self._settings.database_url,
            min_size=1,
            max_size=1,
            connect_timeout_s=self._settings.connect_timeout_s,
            statement_timeout_ms=SEEDING_TIMEOUT_MS,
            named_statements=self._settings.database_named_statements,
        )
        self._units = Units(self._pool, load_queries(), acquire_timeout_s=self._settings.acquire_timeout_s)
        return self

    async def __aexit__(self, *_: object) -> None:
        await close_pool(self._pool, timeout_s=self._settings.connect_timeout_s)

    async def has_people(self) -> bool:
        return await self._units.reads.network.has_people()

    async def has_demo(self) -> bool:
        return await self._units.reads.accounts.read_credentials(login=DEMO_USERNAME, network="") is not None

    async def maker(self, *, seed: int, prefix: str) -> NetworkMaker:
        passwords = Passwords(concurrency=1, waiting_max=1)
        try:
            password_hash = await passwords.hash(DEMO_PASSWORD)
        finally:
            passwords.close()
        return NetworkMaker(
            password_hash=password_hash,
            now=SystemClock().now(),
            seed=seed,
            prefix=prefix,
            broadcaster_from=self._settings.feed_fanout_max_followers,
        )

    async def store(self, network: DemoNetwork, report: Report) -> None:
        """Stores all records in one transaction, and reports each kind."""
        started_s = time.monotonic()
        parts: Sequence[tuple[str, type[Record], Sequence[Record]]] = (
            ("people", PersonRecord, network.people),
            ("follows", FollowRecord, network.follows),
            ("posts", PostRecord, network.posts),
            ("likes", LikeRecord, network.likes),
            ("comments", CommentRecord, network.comments),
            ("conversations", ConversationRecord, network.conversations),
            ("members of conversations", MemberRecord, network.members),
            ("messages", MessageRecord, network.messages),
        )
        async with self._units.write() as db:
            await db.sessions.lift_timeouts()
            # In an empty database nobody waits for a lock.
            foreign_keys = [] if await db.network.has_people() else await db.network.postpone_foreign_keys()
            for name, kind, records in parts:
                await copy_records(db, kind, records)
                report(f"wrote {len(records):,} {name}")
            await db.network.restore_foreign_keys(statements=foreign_keys)
        async with self._units.write() as db:
            await db.sessions.lift_timeouts()
            await db.network.analyze_tables()
        report(f"the network is complete after {time.monotonic() - started_s:.1f} s")

    async def write_tokens(self, people: Sequence[PersonRecord], path: Path) -> None:
        settings, now = self._settings, SystemClock().now()
        keys = signing_keys(settings.token_secrets, settings.data_dir)
        tokens = Tokens(keys, SystemClock(), access_token_ttl_s=settings.access_token_ttl_s)
        sessions, refreshes, lines = [], [], []
        first_id = id_floor_ms(int(now.timestamp() * 1000) - len(people))
        expires_at = now + datetime.timedelta(seconds=settings.refresh_token_ttl_s)
        for number, person in enumerate(people):
            session_id = first_id + (number << 22) + secrets.randbits(22)
            refresh_token = tokens.refresh_token()
            sessions.append(LoginSessionRecord(session_id, person.id, "seed"))
            refreshes.append(RefreshTokenRecord(tokens.fingerprint(refresh_token), session_id, expires_at))
            login = {
                "user_id": str(person.id),
                "username": person.username,
                "access_token": tokens.access_token(person.id, session_id).token,
                "refresh_token": refresh_token,
            }
            lines.append(orjson.dumps(login, option=orjson.OPT_APPEND_NEWLINE))
        async with self._units.write() as db:
            await db.sessions.lift_timeouts()
            await copy_records(db, LoginSessionRecord, sessions)
            await copy_records(db, RefreshTokenRecord, refreshes)
        path.write_bytes(b"".join(lines))


def _create_private(path: Path) -> None:
    """Creates a file that only its owner may read, before the long work whose result goes into it."""
    try:
        path.touch(mode=0o600)
    except OSError as error:
        raise CliError(f"cannot write {path}: {error.strerror}") from error
