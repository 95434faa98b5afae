import asyncio
import threading
from collections.abc import Iterator

import argon2
import bcrypt
import pytest

from realtime.contract.errors import CommandError
from server.accounts.passwords import LONGEST_PASSWORD_BYTES, Passwords

RIGHT, WRONG = "analytical engine", "difference engine"
BCRYPT_ROUNDS = 4


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    hasher = Passwords(concurrency=2, waiting_max=8)
    yield hasher
    hasher.close()


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The parameters of each hash that argon2 was asked to verify, with the thread that did it."""
    seen: list[str] = []
    original = argon2.PasswordHasher.verify

    def verify(self: argon2.PasswordHasher, stored: str, password: bytes) -> bool:
        seen.append(f"{argon2.extract_parameters(stored)} {threading.current_thread().name.split('_')[0]}")
        return original(self, stored, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", verify)
    return seen


async def test_a_password_is_stored_as_argon2id_of_the_chosen_strength(passwords: Passwords) -> None:
    stored = await passwords.hash(RIGHT)
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert stored != await passwords.hash(RIGHT)


async def test_only_the_right_password_is_correct(passwords: Passwords) -> None:
    stored = await passwords.hash(RIGHT)
    right, wrong = await passwords.verify(stored, RIGHT), await passwords.verify(stored, WRONG)
    assert (right.correct, right.upgraded_hash) == (True, None)
    assert (wrong.correct, wrong.upgraded_hash) == (False, None)


async def test_no_account_and_a_wrong_password_cost_one_verification_each_of_the_same_strength(
    passwords: Passwords, verified: list[str]
) -> None:
    stored = await passwords.hash(RIGHT)
    verified.clear()
    assert not (await passwords.verify(None, RIGHT)).correct
    assert not (await passwords.verify("!", RIGHT)).correct
    assert not (await passwords.verify(stored, WRONG)).correct
    assert len(verified) == 3
    assert len(set(verified)) == 1


async def test_the_event_loop_does_not_hash(passwords: Passwords, verified: list[str]) -> None:
    await passwords.verify(None, RIGHT)
    assert verified[0].endswith(" passwords")


async def test_a_hash_of_another_strength_is_accepted_and_upgraded(passwords: Passwords) -> None:
    weaker = Passwords(concurrency=1, waiting_max=1, memory_kib=64)
    stored = await weaker.hash(RIGHT)
    weaker.close()
    verdict = await passwords.verify(stored, RIGHT)
    assert verdict.correct
    assert verdict.upgraded_hash is not None
    assert "m=64," in stored and "m=19456," in verdict.upgraded_hash


@pytest.mark.parametrize("prefix", [b"2a", b"2b"])
async def test_a_bcrypt_hash_is_accepted_and_upgraded(passwords: Passwords, prefix: bytes) -> None:
    stored = bcrypt.hashpw(RIGHT.encode(), bcrypt.gensalt(BCRYPT_ROUNDS, prefix)).decode()
    verdict = await passwords.verify(stored, RIGHT)
    assert verdict.correct
    assert verdict.upgraded_hash is not None
    assert (await passwords.verify(verdict.upgraded_hash, RIGHT)).correct
    assert await passwords.verify(stored, WRONG) == type(verdict)(correct=False)


async def test_a_long_password_fits_the_bcrypt_hash_of_its_first_72_bytes(passwords: Passwords) -> None:
    stored = bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(BCRYPT_ROUNDS)).decode()
    assert (await passwords.verify(stored, "x" * 100)).correct


async def test_a_weaker_argon2_hash_is_upgraded(passwords: Passwords) -> None:
    weaker = argon2.PasswordHasher(time_cost=1, memory_cost=1_024, parallelism=1).hash(RIGHT)
    upgraded = (await passwords.verify(weaker, RIGHT)).upgraded_hash
    assert upgraded is not None
    assert (await passwords.verify(upgraded, RIGHT)) == type(await passwords.verify(upgraded, RIGHT))(correct=True)
    assert (await passwords.verify(weaker, WRONG)).upgraded_hash is None


async def test_a_password_over_1024_bytes_is_refused_before_it_is_hashed(
    passwords: Passwords, verified: list[str]
) -> None:
    for work in (passwords.hash("é" * 513), passwords.verify(None, "x" * 1_025)):
        with pytest.raises(CommandError) as refusal:
            await work
        assert refusal.value.code.code == "invalid_payload"
    assert not verified
    assert not (await passwords.verify(None, "x" * LONGEST_PASSWORD_BYTES)).correct


async def test_a_call_to_a_full_queue_is_refused_with_a_retry_time(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, started = threading.Event(), threading.Semaphore(0)

    def hash_when_told(self: argon2.PasswordHasher, password: bytes) -> str:
        started.release()
        go_on.wait(30)
        return "hash"

    passwords = Passwords(concurrency=1, waiting_max=1)
    monkeypatch.setattr(argon2.PasswordHasher, "hash", hash_when_told)
    at_work = asyncio.create_task(passwords.hash(RIGHT))
    in_line = asyncio.create_task(passwords.hash(RIGHT))
    await asyncio.to_thread(started.acquire)
    with pytest.raises(CommandError) as refusal:
        await passwords.hash(RIGHT)
    assert refusal.value.code.code == "unavailable"
    assert refusal.value.retry_after_ms

    at_work.cancel()  # the caller gives up, the thread does not: its place stays taken
    await asyncio.wait([at_work])
    with pytest.raises(CommandError):
        await passwords.hash(RIGHT)

    go_on.set()
    assert await in_line == "hash"
    assert await passwords.hash(RIGHT) == "hash"
    passwords.close()


async def test_turns_are_given_to_as_many_callers_as_passwords_are_hashed_at_a_time(passwords: Passwords) -> None:
    at_work = 0
    most = 0

    async def work() -> None:
        nonlocal at_work, most
        async with passwords.turn() as turn:
            at_work += 1
            most = max(most, at_work)
            await turn.verify(None, RIGHT)
            at_work -= 1

    await asyncio.gather(*(work() for _ in range(6)))
    assert (at_work, most) == (0, 2)
