import asyncio
import datetime

import pytest

from handlers.case_folding import folded
from sql.accounts import CredentialsRow, LoginSessionRow, RefreshTokenRow, TakenNamesRow
from sql.database import Database
from sql.errors import UniqueViolated
from sql.ids import MAX_ID, LoginSessionId, UserId
from tests.sql.world import World

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
LATER = NOW + datetime.timedelta(days=30)
WAITING_FOR_LOCKS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


async def register(world: World, username: str, email: str | None, phone: str | None = None) -> UserId:
    return await world.write(
        lambda db: db.accounts.insert_user(
            username=username,
            username_folded=folded(username),
            email=email,
            email_folded=None if email is None else folded(email),
            phone=phone,
            password_hash="h",
            display_name="",
        )
    )


async def log_in(world: World, user_id: UserId) -> LoginSessionId:
    return await world.write(
        lambda db: db.accounts.insert_session(user_id=user_id, user_agent="test", address="192.0.2.1")
    )


async def issue(world: World, session_id: LoginSessionId, token_hash: bytes) -> None:
    await world.write(
        lambda db: db.accounts.insert_refresh_token(
            token_hash=token_hash, session_id=session_id, issued_at=NOW, expires_at=LATER
        )
    )


async def token_of(world: World, token_hash: bytes) -> RefreshTokenRow | None:
    return await world.write(lambda db: db.accounts.lock_refresh_token(token_hash=token_hash))


async def list_sessions(db: Database, user_id: UserId) -> list[LoginSessionRow]:
    return await db.accounts.list_sessions(user_id=user_id, used_since=NOW, before=LoginSessionId(MAX_ID), page_size=20)


async def rotate(world: World, old: bytes, new: bytes) -> bool | None:
    return await world.write(
        lambda db: db.accounts.rotate_refresh_token(token_hash=old, successor_hash=new, now=NOW, expires_at=LATER)
    )


@pytest.mark.parametrize(
    ("username", "email", "phone", "constraint"),
    [
        ("ADA.taken", "ada2@example.org", None, "users_username_key"),
        ("ada2.taken", "Ada@Example.org", None, "users_email_key"),
        ("ada3.taken", None, "+4930123456", "users_phone_key"),
    ],
)
async def test_a_second_person_cannot_take_a_name_or_an_address(
    world: World, username: str, email: str | None, phone: str | None, constraint: str
) -> None:
    if await world.value("SELECT count(*) FROM users WHERE username = 'ada.taken'") == 0:
        await register(world, "ada.taken", "ada@example.org", "+4930123456")
    with pytest.raises(UniqueViolated) as caught:
        await register(world, username, email, phone)
    assert caught.value.constraint == constraint


async def test_one_logs_in_by_name_address_or_number_without_regard_to_case(world: World) -> None:
    user_id = await register(world, "Grace", "Grace@example.org", "+4930777")
    await world.write(lambda db: db.accounts.note_network(user_id=user_id, network="192.0.2.1"))

    async def found(login: str, network: str = "192.0.2.1") -> CredentialsRow | None:
        return await world.read(lambda db: db.accounts.read_credentials(login=login, network=network))

    expected = CredentialsRow(user_id, "h", is_known_network=True)
    assert [await found(login) for login in ("grace", "grace@example.org", "+4930777")] == [expected] * 3
    assert await found("grace", "192.0.2.2") == expected._replace(is_known_network=False)
    assert await found("nobody") is None


async def test_the_names_that_are_taken(world: World) -> None:
    await register(world, "Taken", "Taken@example.org", "+4930778")

    async def taken(username: str, email: str | None, phone: str | None) -> TakenNamesRow:
        return await world.read(
            lambda db: db.accounts.find_taken_names(username_folded=username, email_folded=email, phone=phone)
        )

    assert await taken("taken", "taken@example.org", "+4930778") == TakenNamesRow(True, True, True)
    assert await taken("free", "taken@example.org", None) == TakenNamesRow(False, True, False)
    assert await taken("free", None, "+4930779") == TakenNamesRow(False, False, False)


async def test_a_network_is_known_until_it_is_not_used_for_long(world: World) -> None:
    user_id = await world.person()

    async def use(network: str) -> None:
        await world.write(lambda db: db.accounts.note_network(user_id=user_id, network=network))

    async def networks() -> dict[str, datetime.datetime]:
        rows = "SELECT jsonb_object_agg(network, last_used_at) FROM user_networks WHERE user_id = $1"
        return {name: datetime.datetime.fromisoformat(at) for name, at in (await world.value(rows, user_id)).items()}

    await use("home")
    await use("cafe")
    first = await networks()
    await use("home")
    assert await networks() == first, "one write a day is enough"
    await world.execute(
        "UPDATE user_networks SET last_used_at = last_used_at - interval '2 days' WHERE user_id = $1", user_id
    )
    await use("home")
    yesterday = first["home"] - datetime.timedelta(days=1)
    assert await world.write(lambda db: db.accounts.delete_unused_networks(unused_since=yesterday, batch_size=9)) == 1
    assert list(await networks()) == ["home"]


async def test_a_token_is_used_up_once_and_leaves_one_successor(world: World) -> None:
    session_id = await log_in(world, await world.person())
    await issue(world, session_id, b"first")
    answers = await world.at_once(
        [
            lambda db: db.accounts.rotate_refresh_token(
                token_hash=b"first", successor_hash=b"second", now=NOW, expires_at=LATER
            )
        ]
        * 10
    )
    assert sorted(map(str, answers)) == ["None"] * 9 + ["True"]
    first, second = await token_of(world, b"first"), await token_of(world, b"second")
    assert first is not None and second is not None
    assert (first.used_at, first.successor_hash) == (NOW, b"second")
    assert (second.used_at, second.successor_hash, second.session_id) == (None, None, session_id)
    assert await token_of(world, b"unknown") is None


async def test_a_locked_token_shows_the_second_caller_what_the_first_one_did(world: World) -> None:
    session_id = await log_in(world, await world.person())
    await issue(world, session_id, b"shared")

    async def refresh(db: Database) -> bool:
        token = await db.accounts.lock_refresh_token(token_hash=b"shared")
        assert token is not None
        if token.used_at is None:
            await db.accounts.rotate_refresh_token(
                token_hash=b"shared", successor_hash=b"shared2", now=NOW, expires_at=LATER
            )
            return True
        successor = await db.accounts.lock_refresh_token(token_hash=b"shared2")
        assert successor is not None and successor.used_at is None
        return False

    answers = await world.at_once([refresh] * 12)
    assert answers.count(True) == 1


async def test_revoking_answers_the_sessions_it_ended_and_only_once(world: World) -> None:
    user_id, other_id = await world.people("revoked", "untouched")
    sessions = [await log_in(world, user_id) for _ in range(4)]
    foreign = await log_in(world, other_id)

    async with world.units.write() as db:
        assert await db.accounts.revoke_session(user_id=other_id, session_id=sessions[0]) is None
        assert await db.accounts.revoke_session(user_id=user_id, session_id=sessions[0]) == sessions[0]
        assert await db.accounts.revoke_session(user_id=user_id, session_id=sessions[0]) is None
        others = await db.accounts.revoke_sessions(user_id=user_id, except_session_id=sessions[1])
        assert sorted(others) == sorted(sessions[2:])
        open_rows = await list_sessions(db, user_id)
        assert [row.id for row in open_rows] == [sessions[1]]
        assert await db.accounts.owns_session(session_id=sessions[2], user_id=user_id)
        assert not await db.accounts.owns_session(session_id=sessions[2], user_id=other_id)
        everything = await db.accounts.revoke_sessions(user_id=user_id, except_session_id=None)
        assert everything == [sessions[1]]

    since = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=15)
    rows = await world.read(lambda db: db.accounts.sessions_revoked_since(since=since))
    ended = {row.id for row in rows if row.user_id == user_id}
    assert ended == set(sessions)
    assert foreign not in {row.id for row in rows}
    none = await world.read(lambda db: db.accounts.sessions_revoked_since(since=since + datetime.timedelta(days=1)))
    assert none == []


async def test_a_token_knows_that_its_session_was_revoked(world: World) -> None:
    user_id = await world.person()
    session_id = await log_in(world, user_id)
    await issue(world, session_id, b"doomed")
    await world.write(lambda db: db.accounts.revoke_session(user_id=user_id, session_id=session_id))
    token = await token_of(world, b"doomed")
    assert token is not None and token.revoked_at is not None


async def test_open_sessions_are_paged_and_those_unused_for_long_are_left_out(world: World) -> None:
    user_id = await world.person()
    idle, middle, newest = [await log_in(world, user_id) for _ in range(3)]
    await world.execute("UPDATE login_sessions SET last_used_at = $1 WHERE id = $2", NOW, idle)

    async def page(before: int, used_since: datetime.datetime, page_size: int = 20) -> list[LoginSessionId]:
        rows = await world.read(
            lambda db: db.accounts.list_sessions(
                user_id=user_id,
                used_since=used_since,
                before=LoginSessionId(before),
                page_size=page_size,
            )
        )
        return [row.id for row in rows]

    assert await page(MAX_ID, NOW) == [newest, middle, idle]
    assert await page(MAX_ID, NOW, page_size=1) == [newest]
    assert await page(newest, NOW) == [middle, idle]
    assert await page(MAX_ID, NOW + datetime.timedelta(seconds=1)) == [newest, middle]


async def test_touching_a_session_stores_where_it_was_used(world: World) -> None:
    user_id = await world.person()
    session_id = await log_in(world, user_id)
    await world.write(
        lambda db: db.accounts.touch_session(session_id=session_id, user_agent="other", address="192.0.2.9")
    )
    (row,) = await world.read(lambda db: list_sessions(db, user_id))
    assert (row.user_agent, row.address) == ("other", "192.0.2.9")
    assert row.last_used_at > row.created_at


async def test_passwords_are_read_and_replaced(world: World) -> None:
    user_id = await world.person()
    await world.write(lambda db: db.accounts.set_password_hash(user_id=user_id, password_hash="stronger"))
    own = await world.read(lambda db: db.accounts.read_own_credentials(user_id=user_id, network="192.0.2.1"))
    assert own == CredentialsRow(user_id, "stronger", is_known_network=False)
    assert await world.read(lambda db: db.accounts.read_own_credentials(user_id=UserId(1), network="")) is None


async def test_expired_tokens_are_forgotten_and_others_kept(world: World) -> None:
    session_id = await log_in(world, await world.person())
    await issue(world, session_id, b"old")
    await rotate(world, b"old", b"new")
    await world.execute("UPDATE refresh_tokens SET expires_at = $1 WHERE token_hash = $2", NOW, b"old")
    await world.write(
        lambda db: db.accounts.delete_expired_tokens(expired_before=NOW + datetime.timedelta(seconds=1), batch_size=10)
    )
    assert await token_of(world, b"old") is None
    assert await token_of(world, b"new") is not None


async def test_uses_of_old_and_new_tokens_of_one_login_queue_at_the_login(world: World) -> None:
    """Whoever waits holds nothing that the one in front may want: a repeat and a use of its successor do not clash."""
    session_id = await log_in(world, await world.person())
    await issue(world, session_id, b"queue 1")
    await rotate(world, b"queue 1", b"queue 2")
    async with world.units.write() as repeating:
        await repeating.accounts.lock_refresh_token(token_hash=b"queue 1")
        waiting = asyncio.create_task(token_of(world, b"queue 2"))
        while not await world.value(WAITING_FOR_LOCKS):
            await asyncio.sleep(0.01)
        assert await repeating.accounts.lock_refresh_token(token_hash=b"queue 2") is not None
        assert not waiting.done()
        await repeating.accounts.rotate_refresh_token(
            token_hash=b"queue 2", successor_hash=b"queue 3", now=NOW, expires_at=LATER
        )
    row = await waiting
    assert row is not None and row.used_at == NOW, "the one who waited sees what was done meanwhile"
