"""Hashes and verifies passwords in a few threads, which bounds the memory in use and keeps the event loop free."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import argon2
import bcrypt

from handlers.ports import PasswordTurn, PasswordVerdict
from realtime.contract.errors import INVALID_PAYLOAD, UNAVAILABLE, CommandError

LONGEST_PASSWORD_BYTES: Final = 1_024
TIME_COST: Final = 2
MEMORY_COST_KIB: Final = 19 * 1_024
PARALLELISM: Final = 1
HASH_MS: Final = 30
"""About the time of one hash with `MEMORY_COST_KIB`, from which `retry_after_ms` is computed."""

_ARGON2_PREFIX: Final = "$argon2"
_BCRYPT_PREFIXES: Final = ("$2a$", "$2b$", "$2y$")
_BCRYPT_READS_BYTES: Final = 72
"""bcrypt ignores the rest. Older libraries cut longer input off, today's raises an error instead."""

ResultT = TypeVar("ResultT")


class Passwords:
    """argon2id. Hashes `concurrency` passwords at a time and queues `waiting_max`; refuses more as `unavailable`."""

    def __init__(self, *, concurrency: int, waiting_max: int, memory_kib: int = MEMORY_COST_KIB) -> None:
        self._hasher = argon2.PasswordHasher(
            time_cost=TIME_COST, memory_cost=memory_kib, parallelism=PARALLELISM, type=argon2.Type.ID
        )
        self._places = threading.BoundedSemaphore(concurrency + waiting_max)
        self._turns = asyncio.Semaphore(concurrency)
        hash_ms = max(1, HASH_MS * memory_kib // MEMORY_COST_KIB)
        self._retry_after_ms = hash_ms * (1 + waiting_max // concurrency)
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="passwords")
        self._dummy_hash = self._hasher.hash(secrets.token_urlsafe())

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[PasswordTurn]:
        """Waits for a turn to hash passwords. Raises CommandError `unavailable` when the queue is full."""
        if not self._places.acquire(blocking=False):
            raise CommandError(UNAVAILABLE, retry_after_ms=self._retry_after_ms)
        turn = _Turn(self._threads, self._hasher, self._dummy_hash)
        try:
            async with self._turns:
                yield turn
        finally:
            turn.when_over(self._places.release)

    async def hash(self, password: str) -> str:
        """Raises CommandError: `unavailable` when the queue is full, `invalid_payload` over 1,024 bytes."""
        async with self.turn() as turn:
            return await turn.hash(password)

    async def verify(self, stored_hash: str | None, password: str) -> PasswordVerdict:
        """Takes as long for None (no such account) as for a real hash. Raises CommandError as `hash` does."""
        async with self.turn() as turn:
            return await turn.verify(stored_hash, password)

    def close(self) -> None:
        """Waits for the passwords that are being hashed; drops the queued ones."""
        self._threads.shutdown(wait=True, cancel_futures=True)


class _Turn:
    """One turn: hashes one password after the other."""

    def __init__(self, threads: ThreadPoolExecutor, hasher: argon2.PasswordHasher, dummy_hash: str) -> None:
        self._threads = threads
        self._hasher = hasher
        self._dummy_hash = dummy_hash
        self._last: Future[Any] | None = None

    async def hash(self, password: str) -> str:
        secret = _encoded(password)
        return await self._run(lambda: self._hasher.hash(secret))

    async def verify(self, stored_hash: str | None, password: str) -> PasswordVerdict:
        secret = _encoded(password)
        return await self._run(lambda: self._verdict(stored_hash, secret))

    def when_over(self, do: Callable[[], None]) -> None:
        """Calls it once no thread works for this turn: the work goes on when the caller is cancelled."""
        if self._last is None:
            do()
        else:
            self._last.add_done_callback(lambda done: do())

    async def _run(self, work: Callable[[], ResultT]) -> ResultT:
        self._last = future = self._threads.submit(work)
        return await asyncio.wrap_future(future)

    def _verdict(self, stored_hash: str | None, secret: bytes) -> PasswordVerdict:
        if stored_hash is not None and stored_hash.startswith(_BCRYPT_PREFIXES):
            return self._bcrypt_verdict(stored_hash, secret)
        if stored_hash is not None and not stored_hash.startswith(_ARGON2_PREFIX):
            stored_hash = None  # an account without a password
        try:
            self._hasher.verify(stored_hash or self._dummy_hash, secret)
        except argon2.exceptions.VerifyMismatchError:
            return PasswordVerdict(correct=False)
        if stored_hash is None:
            return PasswordVerdict(correct=False)
        outdated = self._hasher.check_needs_rehash(stored_hash)
        return PasswordVerdict(correct=True, upgraded_hash=self._hasher.hash(secret) if outdated else None)

    def _bcrypt_verdict(self, stored_hash: str, secret: bytes) -> PasswordVerdict:
        # bcrypt's time differs from argon2's: until the first login here, it reveals that such an account exists.
        if not bcrypt.checkpw(secret[:_BCRYPT_READS_BYTES], stored_hash.encode()):
            return PasswordVerdict(correct=False)
        return PasswordVerdict(correct=True, upgraded_hash=self._hasher.hash(secret))


def _encoded(password: str) -> bytes:
    encoded = password.encode()
    if len(encoded) > LONGEST_PASSWORD_BYTES:
        raise CommandError(INVALID_PAYLOAD, f"A password has at most {LONGEST_PASSWORD_BYTES:,} bytes.")
    return encoded
