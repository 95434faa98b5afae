"""Many people with two devices each, who write to each other and post all the time.

Each person's first device asks for connection state recovery, the second does not.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import combinations, count
from pathlib import Path
from typing import NamedTuple

import orjson

from tests.chaos.good_client import GoodClient
from tests.chaos.history import Acked, History, Sent

DEVICES_EACH = 2
GROUP = 20
"""Each person follows the others of their group."""
_ARRIVALS_PER_S = 200
_CONNECTED_TIMEOUT_S = 120.0
_ANSWERED_TIMEOUT_S = 90.0


class Login(NamedTuple):
    user_id: str
    token: str


def write_graph(path: Path, people: int) -> None:
    """Friendships as `seed --graph` reads them."""
    groups = (range(start, min(start + GROUP, people)) for start in range(0, people, GROUP))
    path.write_text("".join(f"{one} {other}\n" for group in groups for one, other in combinations(group, 2)))


def read_logins(path: Path) -> list[Login]:
    lines = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    return [Login(line["user_id"], line["access_token"]) for line in lines]


_runs = count(1)


class Crowd:
    """Creates the messages and posts of one run, each with a unique text."""

    def __init__(
        self, logins: Sequence[Login], addresses: Callable[[], Sequence[str]], *, seed: int, pace: float
    ) -> None:
        self._run = next(_runs)
        self._chooser = random.Random(seed)
        self._numbers = count(1)
        self._sending: set[asyncio.Task[None]] = set()
        self.logins = logins
        self.clients = [
            GoodClient(
                f"{place}/{device}",
                login.user_id,
                login.token,
                addresses,
                chooser=random.Random(f"{seed} {place} {device}"),
                pace=pace,
                recovers=device == 0,
            )
            for place, login in enumerate(logins)
            for device in range(DEVICES_EACH)
        ]

    @property
    def histories(self) -> list[History]:
        return [client.history for client in self.clients]

    @asynccontextmanager
    async def present(self) -> AsyncIterator[None]:
        """Within the block all devices are connected and have read what there is; afterwards all are disconnected."""
        async with asyncio.TaskGroup() as group:
            runs = [group.create_task(self._arrive(client)) for client in self.clients]
            try:
                await self.settled()
                yield
            finally:
                for run in runs:
                    run.cancel()

    async def _arrive(self, client: GoodClient) -> None:
        await asyncio.sleep(self._chooser.random() * len(self.clients) / _ARRIVALS_PER_S)
        await client.run()

    async def settled(self) -> None:
        """Waits until all devices are connected and have read what there is. Raises TimeoutError."""
        async with asyncio.timeout(_CONNECTED_TIMEOUT_S):
            while not all(client.settled for client in self.clients):
                await asyncio.sleep(0.1)

    @asynccontextmanager
    async def load(self, *, messages_per_s: float, posts_per_s: float) -> AsyncIterator[None]:
        """Sends during the block, and waits afterwards until everything sent is answered. Raises TimeoutError."""

        async def begin(per_s: float, send: Callable[[], asyncio.Task[None]]) -> None:
            while True:
                await asyncio.sleep(self._chooser.expovariate(per_s))
                self._sending.add(send())

        loads = [
            asyncio.create_task(begin(messages_per_s, self._send_message)),
            asyncio.create_task(begin(posts_per_s, self._send_post)),
        ]
        try:
            yield
        finally:
            for task in loads:
                task.cancel()
            await asyncio.gather(*loads, return_exceptions=True)
            sent, self._sending = self._sending, set()
            _, unanswered = await asyncio.wait(sent, timeout=_ANSWERED_TIMEOUT_S)
            for task in unanswered:
                task.cancel()  # the checker reports which they were
            for task in sent - unanswered:
                task.result()
            await asyncio.gather(*unanswered, return_exceptions=True)

    def burst(self, *, messages: int = 0, posts: int = 0) -> None:
        """Sends `count` at once while there is load, so that some are in flight at whatever moment comes next."""
        self._sending.update(self._send_message() for _ in range(messages))
        self._sending.update(self._send_post() for _ in range(posts))

    def _send_message(self) -> asyncio.Task[None]:
        client = self._chooser.choice([client for client in self.clients if client.view.positions])
        conversation_id = self._chooser.choice(sorted(client.view.positions))
        return asyncio.create_task(client.send_message(conversation_id, self.text()))

    def _send_post(self) -> asyncio.Task[None]:
        return asyncio.create_task(self._chooser.choice(self.clients).send_post(self.text()))

    def text(self, filling: str = "Hello") -> str:
        """A text that was not used before."""
        return f"run{self._run}-{next(self._numbers)} {filling}"

    def answer_times_s(self, from_s: float, to_s: float) -> list[float]:
        """How long the answers took to what was sent within this time, including retries; sorted."""
        times: list[float] = []
        for history in self.histories:
            sent_at_s = {event.text: event.at_s for event in history.of(Sent) if from_s <= event.at_s < to_s}
            times += [event.at_s - sent_at_s[event.text] for event in history.of(Acked) if event.text in sent_at_s]
        return sorted(times)
