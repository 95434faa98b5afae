"""Commands of all kinds at a fixed rate, from many people."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from loadtest.bench.answers import is_accepted, is_refused_for_now
from loadtest.bench.calls import Call, World
from loadtest.bench.connecting_socket import ClientFailed
from loadtest.bench.orders import percentiles_ms
from loadtest.bench.social.load_socket import LoadSocket
from loadtest.bench.social.pacing import Outstanding, paced
from loadtest.mix import Act, choose

_COMMAND_OF: Final[dict[Act, str]] = {"page": "feed", "post": "post", "like": "like", "follow": "follow"}
_SEED: Final = 11


class MixedLoad:
    """The callers of `world`, by their sockets, each doing something when its turn comes."""

    def __init__(self, sockets: Sequence[LoadSocket], world: World) -> None:
        self._sockets = sockets
        self._world = world
        self._chooser = random.Random(_SEED)
        self._outstanding = Outstanding()
        self._calls: dict[tuple[Act, int], tuple[list[Call], int]] = {}
        self._durations_s: dict[Act, list[float]] = defaultdict(list)
        self._refused = 0
        self._failure: str | None = None

    async def run(self, *, rate: float, for_s: float) -> dict[str, Any]:
        """Percentiles by act, from the times at which commands were due. Raises ClientFailed for a wrong answer."""
        began_s = time.perf_counter()
        late_s = await paced(rate, for_s, self._send)
        await self._outstanding.until_empty()
        elapsed_s = time.perf_counter() - began_s
        if self._failure is not None:
            raise ClientFailed(self._failure)
        accepted = sum(map(len, self._durations_s.values()))
        return {
            "acts": {act: percentiles_ms(durations_s) for act, durations_s in self._durations_s.items()},
            "lag": percentiles_ms(late_s),
            "offered": len(late_s) / for_s,
            "accepted": accepted / elapsed_s,
            "refused": self._refused / len(late_s),
        }

    def _send(self, number: int, due_s: float) -> None:
        act = choose("basic", self._chooser)
        place = number % len(self._sockets)
        self._outstanding.add()

        def answered(answer: bytes) -> None:
            if is_accepted(answer):
                self._durations_s[act].append(time.perf_counter() - due_s)
            elif is_refused_for_now(answer):
                self._refused += 1
            else:
                self._failure = f"a {act} was answered {answer[:200]!r}"
            self._outstanding.remove()

        self._sockets[place].send(self._next_call(act, place), answered)

    def _next_call(self, act: Act, place: int) -> Call:
        calls, turn = self._calls.get((act, place)) or (self._world.calls(_COMMAND_OF[act], place), 0)
        self._calls[act, place] = calls, turn + 1
        return calls[turn % len(calls)]
