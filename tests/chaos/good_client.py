"""A device that behaves as clients should: reconnects with jitter, reads what it missed, retries what was not answered.

It writes everything that it did and received into its history.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

from tests.chaos.history import (
    POSTS,
    Acked,
    Connected,
    Heard,
    History,
    Item,
    Lost,
    Read,
    Refused,
    Sent,
    Told,
    conversation_room,
)
from tests.chaos.view import CHAT, FEED, View, message_item, post_item
from tests.kit.light_socket import LightSocket, SocketLost

NAMESPACES = ("/chat", "/feed", "/posts")
ANSWER_TIMEOUT_S = 10.0
CONNECT_TIMEOUT_S = 10.0
FEED_PAGE = 20

# The delays of official clients: one second, doubled up to five, each times a random factor of 0.5 to 1.5.
_RECONNECT_S, _RECONNECT_MAX_S, _RANDOMIZATION = 1.0, 5.0, 0.5
_READ_JITTER_S = 1.0
"""All clients learn of an outage at the same moment; they must not all ask at the same moment."""


class _NotNow(Exception):
    def __init__(self, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s


class GoodClient:
    """`addresses` returns the servers' addresses, alive or not; `pace` stretches the client's own delays.

    A client that `recovers` asks for recovery of its sessions, and reads nothing where it got them back.
    """

    def __init__(
        self,
        name: str,
        user_id: str,
        token: str,
        addresses: Callable[[], Sequence[str]],
        *,
        chooser: random.Random,
        pace: float,
        recovers: bool,
    ) -> None:
        self.history = History(name, user_id)
        self.view = View(user_id)
        self.user_id = user_id
        self._token = token
        self._addresses = addresses
        self._chooser = chooser
        self._pace = pace
        self.recovers = recovers
        self._private_ids: dict[str, str] = {}
        self._offsets: dict[str, str] = {}
        self._socket: LightSocket | None = None
        self._connected = asyncio.Event()
        self._wanted: set[str] = set()
        self._is_wanting = asyncio.Event()
        self._connections = 0
        self._url = ""

    @property
    def settled(self) -> bool:
        """Connected, with nothing left to read."""
        return self._connected.is_set() and not self._wanted

    @property
    def connected(self) -> bool:
        return self._connected.is_set()

    @property
    def url(self) -> str:
        """The address of the server that it is or was last connected to."""
        return self._url

    @property
    def last_connected(self) -> Connected:
        return list(self.history.of(Connected))[-1]

    async def run(self) -> None:
        """Stays connected until cancelled."""
        attempt = 0
        try:
            while True:
                if await self._connect():
                    attempt = 0
                    await self._stay()
                attempt += 1
                longest_s = min(_RECONNECT_MAX_S, _RECONNECT_S * 2 ** (attempt - 1))
                spread = self._chooser.uniform(1 - _RANDOMIZATION, 1 + _RANDOMIZATION)
                await asyncio.sleep(longest_s * spread * self._pace)
        finally:
            self.drop()

    def drop(self) -> None:
        """Drops the connection without a close, as when a radio link fails."""
        if self._socket is not None:
            self._socket.abort()

    async def send_message(self, conversation_id: str, text: str) -> None:
        """Retries until it is answered, over as many connections as that takes."""
        room = conversation_room(conversation_id)
        payload = {"conversation_id": conversation_id, "text": text, "client_id": _client_id(text)}
        data = await self._send("/chat", "message:send", room, text, payload)
        if data is not None:
            message = data["message"]
            self._note_ack(text, message_item(message))
            self._apply(message)

    async def send_post(self, text: str) -> None:
        data = await self._send("/posts", "post:create", POSTS, text, {"text": text, "client_id": _client_id(text)})
        if data is not None:
            self._note_ack(text, post_item(data["post"], POSTS))

    async def _send(
        self, namespace: str, name: str, room: str, text: str, payload: dict[str, Any]
    ) -> dict[str, Any] | None:
        self.history.events.append(Sent(_now_s(), room, text))
        while True:
            await self._connected.wait()
            try:
                answer = await self._call(namespace, name, payload)
            except (SocketLost, TimeoutError):
                await asyncio.sleep(self._chooser.random())
                continue
            except _NotNow as refused:
                await asyncio.sleep(refused.retry_after_s * self._chooser.uniform(1.0, 2.0))
                continue
            if not answer["ok"]:
                self.history.events.append(Refused(_now_s(), text, answer["error"]["code"]))
                return None
            data: dict[str, Any] = answer["data"]
            return data

    async def _call(self, namespace: str, name: str, payload: object) -> dict[str, Any]:
        if self._socket is None:
            raise SocketLost("not connected")
        answer = await self._socket.call(namespace, name, payload, timeout_s=ANSWER_TIMEOUT_S)
        if not answer["ok"] and answer["error"]["retryable"]:
            raise _NotNow(answer["error"].get("retry_after_ms", 500) / 1000)
        return answer

    async def _connect(self) -> bool:
        self._connections += 1
        self._url = self._chooser.choice(self._addresses())
        lost = self._lost_of(self._connections)
        try:
            self._socket = await LightSocket.open(
                self._url,
                {namespace: self._auth(namespace) for namespace in NAMESPACES},
                on_push=self._hear,
                on_lost=lost,
                offsets=self._offsets,
                timeout_s=CONNECT_TIMEOUT_S,
            )
        except SocketLost:
            return False
        recovered = {namespace for namespace in NAMESPACES if self._note_joined(namespace, self._socket)}
        self.history.events.append(Connected(_now_s(), self._connections, self._url, len(recovered) == len(NAMESPACES)))
        self._connected.set()
        for namespace, scope in (("/chat", CHAT), ("/feed", FEED)):
            if namespace not in recovered:
                self._want(scope)
        return True

    def _auth(self, namespace: str) -> dict[str, object]:
        shown: dict[str, object] = {"token": self._token}
        if self.recovers:
            shown["recovery"] = True
            if namespace in self._private_ids:
                shown["pid"] = self._private_ids[namespace]
            if namespace in self._offsets:
                shown["offset"] = self._offsets[namespace]
        return shown

    def _note_joined(self, namespace: str, joined: LightSocket) -> bool:
        """Whether the server recovered the previous session with all that was missed: then nothing has to be read."""
        private_id: str | None = joined.joined[namespace].get("pid")
        if private_id is None:
            return False
        known, self._private_ids[namespace] = self._private_ids.get(namespace), private_id
        return known == private_id

    def _lost_of(self, connection: int) -> Callable[[str], None]:
        def lost(why: str) -> None:
            self.history.events.append(Lost(_now_s(), connection, why))
            self._socket = None
            self._connected.clear()
            self._is_wanting.set()

        return lost

    async def _stay(self) -> None:
        """Reads what is marked as missing, until the connection is lost."""
        while self._connected.is_set():
            await self._is_wanting.wait()
            self._is_wanting.clear()
            while self._wanted and self._connected.is_set():
                try:
                    await self._read(min(self._wanted))
                except SocketLost:
                    pass
                except TimeoutError:
                    await asyncio.sleep(self._chooser.random())
                except _NotNow as refused:
                    await asyncio.sleep(refused.retry_after_s * self._chooser.uniform(1.0, 2.0))

    async def _read(self, scope: str) -> None:
        """What is marked meanwhile is read again."""
        await asyncio.sleep(_READ_JITTER_S * self._chooser.random() * self._pace)
        self._wanted.discard(scope)
        try:
            await (self._read_chat() if scope == CHAT else self._read_feed())
        except BaseException:
            self._wanted.add(scope)
            raise

    async def _read_chat(self) -> None:
        """Calls `chat:sync` from each position until nothing is left."""
        while True:
            answer = await self._ask("/chat", "chat:sync", {"positions": self.view.positions})
            items: list[Item] = []
            for conversation in answer["conversations"]:
                items += [self.view.apply_message(message) for message in conversation["messages"]]
                self.view.reach(conversation["conversation_id"], conversation["rev"])
            self.history.events.append(Read(_now_s(), CHAT, tuple(items)))
            if not any(conversation["truncated"] for conversation in answer["conversations"]):
                return

    async def _read_feed(self) -> None:
        """Reads the newest page, and what lies between it and the last position."""
        before = self.view.feed_position
        page = await self._ask("/feed", "feed:subscribe", {"limit": FEED_PAGE})
        self._show_posts(page)
        position = page["position"]
        if before is not None:
            missed = await self._ask("/feed", "feed:sync", {"after": before})
            self._show_posts(missed)
            while missed.get("reset") and "next_cursor" in page:
                page = await self._ask("/feed", "feed:page", {"before": page["next_cursor"], "limit": FEED_PAGE})
                self._show_posts(page)
        self.view.feed_position = position

    def _show_posts(self, page: dict[str, Any]) -> None:
        items = tuple(self.view.apply_post(post) for post in page["items"])
        self.history.events.append(Read(_now_s(), FEED, items))

    async def _ask(self, namespace: str, name: str, payload: object) -> dict[str, Any]:
        answer = await self._call(namespace, name, payload)
        assert answer["ok"], f"{name} failed: {answer['error']}"
        data: dict[str, Any] = answer["data"]
        return data

    def _hear(self, namespace: str, name: str, data: Any) -> None:
        match name:
            case "message:created":
                item = self._apply(data["message"])
                self.history.events.append(Heard(_now_s(), self._connections, item))
            case "feed:new":
                item = self.view.apply_post(data["post"])
                self.history.events.append(Heard(_now_s(), self._connections, item))
            case "conversation:position":
                if self.view.lags(data["conversation_id"], data["rev"]):
                    self._want(CHAT)
            case "resync":
                self.history.events.append(Told(_now_s(), data["scope"]))
                if namespace == "/chat":
                    self._want(CHAT)
                elif namespace == "/feed":
                    self._want(FEED)

    def _apply(self, message: dict[str, Any]) -> Item:
        item = self.view.apply_message(message)
        if self.view.lacks(message["conversation_id"]):
            self._want(CHAT)
        return item

    def _note_ack(self, text: str, item: Item) -> None:
        self.history.events.append(Acked(_now_s(), text, item))

    def _want(self, scope: str) -> None:
        self._wanted.add(scope)
        self._is_wanting.set()


def _client_id(text: str) -> str:
    """The texts of one run begin with a common word."""
    return text.split(" ", 1)[0]


def _now_s() -> float:
    return asyncio.get_running_loop().time()
