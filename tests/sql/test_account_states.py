"""Who is hidden, and who is not any more."""

from __future__ import annotations

from sql.ids import UserId
from tests.sql.world import World


async def new_user(world: World, username: str) -> UserId:
    return await world.write(
        lambda db: db.accounts.insert_user(
            username=username,
            username_folded=username,
            email=f"{username}@example.org",
            email_folded=f"{username}@example.org",
            phone=None,
            password_hash="h",
            display_name="",
        )
    )


async def test_a_user_is_hidden_while_suspended_or_deleted(world: World) -> None:
    user_id, reader_id = await new_user(world, "state.a"), await new_user(world, "state.b")

    async def suspend(suspended: bool) -> bool | None:
        return await world.write(lambda db: db.accounts.set_suspended(user_id=user_id, suspended=suspended))

    async def delete(deleted: bool) -> bool | None:
        return await world.write(lambda db: db.accounts.set_deleted(user_id=user_id, deleted=deleted))

    async def blocked_by() -> bool:
        person = await world.read(lambda db: db.people.read_person(viewer_id=reader_id, user_id=user_id))
        assert person is not None
        return person.viewer.blocked_by

    assert [await suspend(False), await delete(False), await blocked_by()] == [None, None, False]
    stamp = 0
    for act, wanted, is_hidden in (
        (suspend, True, True),
        (delete, True, True),
        (suspend, False, True),
        (delete, False, False),
    ):
        assert await act(wanted) is is_hidden
        assert await act(wanted) is None
        assert await blocked_by() is is_hidden
        told = await world.value("SELECT published_changed FROM users WHERE id = $1", user_id)
        assert told > stamp
        stamp = told


async def test_an_erased_user_is_found_by_nobody_and_cannot_be_taken_back(world: World) -> None:
    user_id = await new_user(world, "state.c")
    await world.write(lambda db: db.accounts.set_deleted(user_id=user_id, deleted=True))
    await world.write(lambda db: db.accounts.erase_account(user_id=user_id))
    assert await world.read(lambda db: db.accounts.find_user(username_folded="state.c")) is None
    assert await world.read(lambda db: db.accounts.read_state(user_id=user_id)) is None
    assert await world.write(lambda db: db.accounts.set_deleted(user_id=user_id, deleted=False)) is None
    for login in ("state.c", f"deleted-{user_id}", "state.c@example.org"):
        assert await world.units.reads.accounts.read_credentials(login=login, network="") is None
