"""Likes of one post from many people at a fixed rate, while others like other posts."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from loadtest.bench.answers import is_accepted, is_refused_for_now
from loadtest.bench.calls import Call
from loadtest.bench.connecting_socket import ClientFailed
from loadtest.bench.orders import percentiles_ms
from loadtest.bench.social.load_socket import LoadSocket
from loadtest.bench.social.pacing import Outstanding, paced


class Liker:
    """A person who likes posts and takes it back, with one command at a time, so that their order is known."""

    def __init__(self, socket: LoadSocket) -> None:
        self._socket = socket
        self._liked: set[str] = set()
        self._unsure: set[str] = set()

    def likes(self, post_id: str) -> bool:
        """Whether the last accepted command was a like."""
        return post_id in self._liked

    def toggle(self, post_id: str, done: Callable[[bytes], None]) -> None:
        """`done` gets the answer."""
        name = "post:unlike" if self.likes(post_id) else "post:like"

        def answered(answer: bytes) -> None:
            if is_accepted(answer):
                self._liked ^= {post_id}
                self._unsure.discard(post_id)
            else:
                self._unsure.add(post_id)
            done(answer)

        self._socket.send(Call(name, {"post_id": post_id}), answered)

    def is_unsure_of(self, post_id: str) -> bool:
        """Whether the last command was refused, and may have been done all the same."""
        return post_id in self._unsure


class LikesLoad:
    """`others` like their own posts as fast as they are answered; `likers` do what is offered at a fixed rate."""

    def __init__(self, others: Sequence[Liker], likers: Sequence[Liker]) -> None:
        self._others = others
        self._idle = deque(likers)
        self._due: deque[str] = deque()
        self._outstanding = Outstanding()
        self._others_accepted = 0
        self._accepted = 0
        self._is_over = False
        self._failure: str | None = None

    async def run(
        self, own_posts: Sequence[Sequence[str]], offered_posts: Sequence[str], *, rate: float, for_s: float
    ) -> dict[str, Any]:
        """`own_posts` are those of each of the others; `rate` 0: nothing is offered.

        Raises ClientFailed for a wrong answer.
        What is due while all likers wait is sent as soon as one of them is answered, and not at all after the end.
        """
        began_s = time.perf_counter()
        for other, post_ids in zip(self._others, own_posts, strict=True):
            self._go_on(other, post_ids, 0)
        late_s: list[float] = []
        if rate:
            late_s = await paced(rate, for_s, lambda number, _: self._offer(offered_posts[number % len(offered_posts)]))
        else:
            await asyncio.sleep(for_s)
        elapsed_s = time.perf_counter() - began_s
        others, accepted = self._others_accepted, self._accepted
        self._is_over = True
        await self._outstanding.until_empty()
        await self._make_sure(offered_posts)
        if self._failure is not None:
            raise ClientFailed(self._failure)
        return {
            "others": others / elapsed_s,
            "offered": len(late_s) / elapsed_s,
            "accepted": accepted / elapsed_s,
            "lag": percentiles_ms(late_s),
        }

    def _go_on(self, other: Liker, post_ids: Sequence[str], turn: int) -> None:
        def done(answer: bytes) -> None:
            self._others_accepted += self._answered(answer)
            if not self._is_over:
                self._go_on(other, post_ids, turn + 1)

        self._outstanding.add()
        other.toggle(post_ids[turn % len(post_ids)], done)

    def _offer(self, post_id: str) -> None:
        self._due.append(post_id)
        if self._idle:
            self._take_turn(self._idle.popleft())

    def _take_turn(self, liker: Liker) -> None:
        def done(answer: bytes) -> None:
            self._accepted += self._answered(answer)
            if self._due and not self._is_over:
                self._take_turn(liker)
            else:
                self._idle.append(liker)

        self._outstanding.add()
        liker.toggle(self._due.popleft(), done)

    def _answered(self, answer: bytes) -> int:
        """One for an accepted command."""
        self._outstanding.remove()
        if is_accepted(answer):
            return 1
        if not is_refused_for_now(answer):
            self._failure = f"a like was answered {answer[:200]!r}"
        return 0

    async def _make_sure(self, post_ids: Sequence[str]) -> None:
        """Repeats what was refused until it is accepted: only then is it known what the post must count."""
        for liker in self._idle:
            for post_id in post_ids:
                while liker.is_unsure_of(post_id) and self._failure is None:
                    self._outstanding.add()
                    liker.toggle(post_id, self._repeated)
                    await self._outstanding.until_empty()

    def _repeated(self, answer: bytes) -> None:
        self._answered(answer)
