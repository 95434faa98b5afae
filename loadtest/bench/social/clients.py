"""A process with clients of the product, by the places of people: `python -m loadtest.bench.social.clients`."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import uvloop

from loadtest.bench.answers import data_of, is_accepted
from loadtest.bench.calls import PAGE, Call, World
from loadtest.bench.connecting_socket import ClientFailed, ConnectingSocket
from loadtest.bench.orders import Order, percentiles_ms, serve_orders
from loadtest.bench.social.likes_load import Liker, LikesLoad
from loadtest.bench.social.load_socket import LoadSocket
from loadtest.bench.social.mixed_load import MixedLoad
from loadtest.bench.social.network import AUTHOR, FIRST_READER
from loadtest.people import People
from loadtest.server_process import raise_file_limit

NAMESPACES: Final = ("/users", "/posts", "/feed")
_CONNECTING_AT_ONCE: Final = 32
_READING_AT_ONCE: Final = 4
"""Readers at once: more of them would wait for each other and not for their pages."""
_POSTS_OF_EACH: Final = 4
_HEARD_WITHIN_S: Final = 20.0


class SocialClients:
    """A socket for each person who is needed, on the servers in turn. Each stays open until the end."""

    def __init__(self, ports: Sequence[int], people: People, world: World) -> None:
        self._ports = ports
        self._people = people
        self._world = world
        self._sockets: dict[int, LoadSocket] = {}
        self._likers: dict[int, Liker] = {}
        self._listening: set[int] = set()
        self._posts = 0
        self._lost: str | None = None

    async def connect(self, *, first: int, count: int) -> dict[str, Any]:
        """Connects those of these places who are not connected yet."""
        places = [place for place in range(first, first + count) if place not in self._sockets]
        self._sockets.update(zip(places, await self._connect_all(places), strict=True))
        return {"connected": len(self._sockets)}

    async def warm(self, *, first: int, count: int) -> dict[str, Any]:
        """Lets these people read a page, so that their lists are there; those who were not connected leave again."""
        places = range(first, first + count)
        visitors = dict(zip(places, await self._connect_all(places), strict=True))
        await self._read_all(visitors.values(), {}, each=1)
        for socket in visitors.values():
            socket.close()
        return {"warmed": count}

    async def read(self, *, first: int, count: int, each: int, view: str | None = None) -> dict[str, Any]:
        """Percentiles of pages, a few readers at once; `refused` in their place where the server knows no such view."""
        sockets = [self._sockets[place] for place in range(first, first + count)]
        payload = {} if view is None else {"view": view}
        answer = await sockets[0].answer_to(_page(payload))
        if view is not None and not is_accepted(answer):
            return {"refused": answer[:200].decode(errors="replace")}
        if view is not None:
            await self._read_all(sockets, payload, each=1)
        return percentiles_ms(await self._read_all(sockets, payload, each=each))

    async def read_first(self, *, first: int, count: int) -> dict[str, Any]:
        """Percentiles of the first page of people who have no list yet."""
        sockets = [self._sockets[place] for place in range(first, first + count)]
        return percentiles_ms(await self._read_all(sockets, {}, each=1))

    async def listen(self, *, first: int, count: int) -> dict[str, Any]:
        """Subscribes these people to their feeds."""
        places = range(first, first + count)
        await asyncio.gather(*(self._sockets[place].ask(Call("feed:subscribe", {})) for place in places))
        self._listening.update(places)
        return {"listening": len(self._listening)}

    async def fan_out(self) -> dict[str, Any]:
        """The author posts. Seconds until each of the listening followers has the post, in the order of arrival."""
        self._posts += 1
        text = f"Number {self._posts} of the posts that all followers get"
        marker = f'"{text}"'.encode()
        heard_s: list[float] = []
        is_heard = asyncio.Event()

        def on_push(payload: bytes) -> None:
            if marker in payload and b'"feed:new"' in payload:
                heard_s.append(time.perf_counter() - began_s)
                if len(heard_s) == len(self._listening):
                    is_heard.set()

        for place in self._listening:
            self._sockets[place].on_push = on_push
        began_s = time.perf_counter()
        await self._sockets[AUTHOR].ask(Call("post:create", {"text": text}))
        try:
            async with asyncio.timeout(_HEARD_WITHIN_S):
                await is_heard.wait()
        except TimeoutError:
            missing = len(self._listening) - len(heard_s)
            raise ClientFailed(f"{missing} listening followers did not get a post") from None
        finally:
            for place in self._listening:
                self._sockets[place].on_push = _ignore
        return {"heard_s": heard_s}

    async def mixed(self, *, rate: float, for_s: float) -> dict[str, Any]:
        """See MixedLoad.run."""
        return await self._unless_lost(MixedLoad(self._callers(), self._world).run(rate=rate, for_s=for_s))

    async def post(self) -> dict[str, Any]:
        """The author makes a post that nobody likes yet."""
        made = await self._sockets[AUTHOR].ask(Call("post:create", {"text": "Liked by all, taken back by all"}))
        return {"post_id": made["post"]["id"]}

    async def like(self, *, hot: str, others: int, rate: float, for_s: float, spread: bool) -> dict[str, Any]:
        """See LikesLoad.run; what is offered is for the post `hot`, or spread over many."""
        for place, socket in enumerate(self._callers()):
            self._likers.setdefault(place, Liker(socket))
        likers = [self._likers[place] for place in range(len(self._callers()))]
        post_ids = [str(post_id) for post_id in self._world.post_ids]
        own = [post_ids[place * _POSTS_OF_EACH : (place + 1) * _POSTS_OF_EACH] for place in range(others)]
        offered = post_ids[others * _POSTS_OF_EACH :] if spread else [hot]
        load = LikesLoad(likers[:others], likers[others:])
        return await self._unless_lost(load.run(own, offered, rate=rate, for_s=for_s))

    async def liking(self, *, hot: str) -> dict[str, Any]:
        """How many people like the post, by the answers that they got."""
        return {"likes": sum(liker.likes(hot) for liker in self._likers.values())}

    def _callers(self) -> list[LoadSocket]:
        return [self._sockets[FIRST_READER + number] for number in range(len(self._world.callers))]

    async def _read_all(self, sockets: Iterable[LoadSocket], payload: Mapping[str, str], *, each: int) -> list[float]:
        readers = asyncio.Semaphore(_READING_AT_ONCE)
        durations_s: list[float] = []

        async def read(socket: LoadSocket) -> None:
            for _ in range(each):
                async with readers:
                    began_s = time.perf_counter()
                    answer = await socket.answer_to(_page(payload))
                    durations_s.append(time.perf_counter() - began_s)
                    data_of(answer)

        await asyncio.gather(*map(read, sockets))
        return durations_s

    async def _connect_all(self, places: Iterable[int]) -> list[LoadSocket]:
        turns = asyncio.Semaphore(_CONNECTING_AT_ONCE)

        async def one(place: int) -> LoadSocket:
            async with turns:
                return await self._connect_one(place)

        return await asyncio.gather(*map(one, places))

    async def _connect_one(self, place: int) -> LoadSocket:
        port = self._ports[place % len(self._ports)]
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        auth = {"token": self._people.login_at(place).access_token}
        transport, _ = await loop.create_connection(
            lambda: ConnectingSocket(port, NAMESPACES, auth, ready), "127.0.0.1", port
        )
        await ready
        socket = LoadSocket(transport, on_loss=self._lose)
        transport.set_protocol(socket)
        return socket

    def _lose(self, why: str) -> None:
        self._lost = why

    async def _unless_lost(self, running: Any) -> dict[str, Any]:
        """Figures of fewer clients than were wanted are none."""
        found: dict[str, Any] = await running
        if self._lost is not None:
            raise ClientFailed(self._lost)
        return found


def _page(payload: Mapping[str, str]) -> Call:
    return Call("feed:page", {"limit": PAGE, **payload})


def _ignore(payload: bytes) -> None:
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ports", type=int, nargs="+", required=True)
    parser.add_argument("--tokens", type=Path, required=True, help="the logins of all people")
    parser.add_argument("--world", type=Path, required=True, help="the file of World.write")
    options = parser.parse_args()
    raise_file_limit()
    clients = SocialClients(options.ports, People.from_file(options.tokens), World.read(options.world))
    orders: Mapping[str, Order] = {
        "connect": clients.connect,
        "warm": clients.warm,
        "read": clients.read,
        "read_first": clients.read_first,
        "listen": clients.listen,
        "fan_out": clients.fan_out,
        "mixed": clients.mixed,
        "post": clients.post,
        "like": clients.like,
        "liking": clients.liking,
    }
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve_orders(orders))


if __name__ == "__main__":
    main()
