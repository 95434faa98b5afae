"""A process that plays thousands of clients of one server: one order a line on its input, one answer a line back."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import uvloop

from loadtest.bench.frames import event
from loadtest.bench.members import Echoing, Entering, Listening, Refused, Tally
from loadtest.lifetime import raise_file_limit

NAMESPACES: Final = ("/", "/b", "/c", "/d", "/e", "/f")
PAYLOAD_BYTES: Final = 200
PAYLOAD: Final = {"text": "x" * (PAYLOAD_BYTES - len('{"text":""}'))}
ENTERING_AT_ONCE: Final = 64
DEADLINE_S: Final = 30.0


class Crowd:
    """Clients of the server on `port`; they live until they are told to leave, or until the process ends.

    `auth` is what each says about itself when it connects.
    """

    def __init__(self, port: int, auth: Mapping[str, object]) -> None:
        self._port = port
        self._auth = auth
        self._tally = Tally()
        self._transports: list[asyncio.Transport] = []

    async def enter(self, *, count: int, namespaces: int) -> dict[str, Any]:
        """Brings so many clients in, a few at a time."""
        turns = asyncio.Semaphore(ENTERING_AT_ONCE)
        began_s = time.perf_counter()

        async def one() -> None:
            async with turns:
                await self._enter_one(NAMESPACES[:namespaces])

        async with asyncio.TaskGroup() as tasks:
            for _ in range(count):
                tasks.create_task(one())
        return {"entered": count, "elapsed_s": time.perf_counter() - began_s}

    async def publish(self, *, publishers: int, for_s: float) -> dict[str, Any]:
        """Publishers send one message each, all at once; the next ones when everybody has heard all of them.

        Answers how many deliveries that were, and how long after its publication a message was heard (percentiles; of a
        single publisher only, since with several nobody knows which message it was).
        """
        frame = event("pub", PAYLOAD)
        publishing, clients, messages = self._transports[:publishers], len(self._transports), 0
        ages_s: list[float] = []
        began_s = time.perf_counter()
        while not messages or time.perf_counter() - began_s < for_s:
            heard = self._tally.expect(len(publishing) * clients)
            sent_s = time.perf_counter()
            for transport in publishing:
                transport.write(frame)
            await heard
            messages += len(publishing)
            if len(publishing) == 1:
                ages_s += [at_s - sent_s for at_s in self._tally.heard_at_s]
        answer = {
            "messages": messages,
            "deliveries": messages * clients,
            "elapsed_s": time.perf_counter() - began_s,
        }
        return answer | _percentiles_ms(ages_s)

    async def echo(self, *, clients: int, for_s: float) -> dict[str, Any]:
        """Clients ask and ask again as soon as they are answered."""
        done = asyncio.get_running_loop().create_future()
        until_s = time.perf_counter() + for_s
        asking = self._transports[:clients]
        left = len(asking)

        def end() -> None:
            nonlocal left
            left -= 1
            if not left:
                done.set_result(None)

        question = event("echo", PAYLOAD, ack_id=1)
        members = [
            Echoing(transport, question, again=lambda: time.perf_counter() < until_s, on_end=end)
            for transport in asking
        ]
        for transport, member in zip(asking, members, strict=True):
            transport.set_protocol(member)
            member.ask()
        await done
        for transport in asking:
            transport.set_protocol(Listening(self._tally))
        for member in members:
            if b'1[{"ok":true' not in member.last_answer.replace(b" ", b""):
                raise Refused(f"answered {member.last_answer!r}")
        return {"events": sum(member.answers for member in members)}

    async def leave(self) -> dict[str, Any]:
        """All clients hang up."""
        count = len(self._transports)
        for transport in self._transports:
            transport.set_protocol(asyncio.Protocol())
            transport.abort()
        self._transports.clear()
        self._tally = Tally()
        await asyncio.sleep(0)
        return {"left": count}

    async def _enter_one(self, namespaces: tuple[str, ...]) -> None:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        transport, _ = await loop.create_connection(
            lambda: Entering(self._port, namespaces, self._auth, ready), "127.0.0.1", self._port
        )
        await ready
        transport.set_protocol(Listening(self._tally))
        self._transports.append(transport)


def _percentiles_ms(ages_s: list[float]) -> dict[str, float]:
    if not ages_s:
        return {}
    ages_s.sort()
    return {f"p{part}_ms": ages_s[min(len(ages_s) - 1, len(ages_s) * part // 100)] * 1000 for part in (50, 99)}


async def carry_out(crowd: Crowd, order: Mapping[str, Any]) -> dict[str, Any]:
    orders: Mapping[str, Callable[..., Awaitable[dict[str, Any]]]] = {
        "enter": crowd.enter,
        "publish": crowd.publish,
        "echo": crowd.echo,
        "leave": crowd.leave,
    }
    arguments = {name: value for name, value in order.items() if name != "do"}
    try:
        async with asyncio.timeout(DEADLINE_S):
            return await orders[order["do"]](**arguments)
    except TimeoutError:
        return {"failed": f"not done after {DEADLINE_S:.0f} s"}
    except (Refused, OSError) as error:
        return {"failed": str(error)}
    except ExceptionGroup as group:
        return {"failed": str(group.exceptions[0])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--token", help="what each client proves with who it is")
    parser.add_argument("--recovery", action="store_true", help="each client asks for connection state recovery")
    options = parser.parse_args()
    token = {} if options.token is None else {"token": options.token}
    auth = token | ({"recovery": True} if options.recovery else {})
    raise_file_limit()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        crowd = Crowd(options.port, auth)
        # Between two orders nobody is served: servers have nothing to say then.
        for line in sys.stdin:
            print(json.dumps(runner.run(carry_out(crowd, json.loads(line)))), flush=True)


if __name__ == "__main__":
    main()
