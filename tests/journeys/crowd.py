"""People of the facebook graph who know each other, each with a device."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from tests.journeys.javascript import JavaScript, JavaScriptDevice, javascript
from tests.journeys.rest_device import RestDevice
from tests.kit.device import Device
from tests.kit.server import NAMESPACES

HUB = 1684
"""Has 792 friends, who know each other well: the feed is longer than the list that Redis keeps of it."""
PYTHON_DEVICES = 200
JAVASCRIPT_DEVICES = 20
REST_DEVICES = 10
_CONNECTING_AT_ONCE = 20

Friends = Mapping[int, set[int]]


def read_friends(graph: Path) -> Friends:
    """The neighbours of each person in an edge list."""
    friends: dict[int, set[int]] = defaultdict(set)
    for line in graph.read_text().splitlines():
        one, other = map(int, line.split())
        friends[one].add(other)
        friends[other].add(one)
    return friends


@dataclass(frozen=True, slots=True)
class Login:
    """One line of the file that `seed --tokens` wrote; `number` is the person's number in the graph."""

    number: int
    user_id: str
    token: str


def read_logins(tokens: Path, friends: Friends) -> dict[int, Login]:
    """The logins by number in the graph; the file has its people in the order of the numbers."""
    lines = [orjson.loads(line) for line in tokens.read_bytes().splitlines()]
    return {
        number: Login(number, line["user_id"], line["access_token"])
        for number, line in zip(sorted(friends), lines, strict=True)
    }


def choose_numbers(friends: Friends) -> list[int]:
    """The hub, and those of its friends who have most friends among each other."""
    known = friends[HUB]
    by_density = sorted(known, key=lambda number: (-len(friends[number] & known), number))
    return [HUB, *by_density[: PYTHON_DEVICES + JAVASCRIPT_DEVICES + REST_DEVICES - 1]]


AnyDevice = Device | JavaScriptDevice | RestDevice


@dataclass(slots=True, eq=False)
class Member:
    """A person who takes part in a journey."""

    id: str
    number: int
    device: AnyDevice
    is_polling: bool
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True, slots=True)
class Way:
    """How a client connects to a server."""

    url: str
    transports: tuple[str, ...]


def device_at(place: int, node: JavaScript) -> AnyDevice:
    """Spreads the clients evenly: of 23 neighbours 20 have the Python client, 2 the JavaScript client, 1 no socket."""
    kind = place % ((PYTHON_DEVICES + JAVASCRIPT_DEVICES + REST_DEVICES) // REST_DEVICES)
    if kind in (0, 12):
        return node.device()
    return RestDevice() if kind == 6 else Device()


@asynccontextmanager
async def connected_crowd(logins: Sequence[Login], ways: Sequence[Way]) -> AsyncIterator[list[Member]]:
    """Connects each person to all namespaces, by each of the ways in turn; disconnects them afterwards."""
    authenticator = asyncio.Semaphore(_CONNECTING_AT_ONCE)

    async def connect(login: Login, device: AnyDevice, way: Way) -> Member:
        async with authenticator:
            await device.connect(way.url, {"token": login.token}, NAMESPACES, transports=way.transports)
        is_polling = isinstance(device, RestDevice) or way.transports == ("polling",)
        return Member(login.user_id, login.number, device, is_polling)

    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(javascript())
        devices = [device_at(place, node) for place in range(len(logins))]

        async def leave() -> None:
            await asyncio.gather(*(device.close() for device in devices if device.connected))

        stack.push_async_callback(leave)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(connect(login, device, ways[(place // 2) % len(ways)]))
                for place, (login, device) in enumerate(zip(logins, devices, strict=True))
            ]
        yield [task.result() for task in tasks]
