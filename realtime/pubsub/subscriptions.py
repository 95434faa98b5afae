"""Hears channels of Redis pub/sub, and says where something may have been missed."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

import structlog
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection

from realtime.process.background_tasks import end_task
from realtime.redis.client import AWAY
from realtime.redis.pipelined_connection import Reconnects, private_connection

CHANNELS_PER_COMMAND = 500
MESSAGES_PER_TURN = 256
"""How many messages in a row are handed over before other tasks get their turn."""

log = structlog.get_logger(__name__)


class _Channel:
    """What is wished for one channel and what the server was last told about it."""

    __slots__ = ("confirmation", "encoded", "name", "owes_notice", "references", "told", "unanswered")

    def __init__(self, name: str) -> None:
        self.name = name
        self.encoded = name.encode()
        self.references = 0
        self.told = False
        self.unanswered = 0
        self.owes_notice = False
        self.confirmation: asyncio.Future[None] | None = None

    @property
    def confirmed(self) -> bool:
        return self.told and not self.unanswered

    def settle(self) -> None:
        if self.confirmation is not None:
            if not self.confirmation.done():
                self.confirmation.set_result(None)
            self.confirmation = None


class Subscriptions:
    """One connection that hears every channel with a reference, reconnects by itself, and reports resync_notifier.

    Wishes are kept apart from what the server was told, and one task levels the difference: however subscribing and
    unsubscribing of a channel overlap, the last wish is what ends up true.
    """

    def __init__(self, redis: Redis, *, confirm_within_s: float = 1.0) -> None:
        self._redis = redis
        self._confirm_within_s = confirm_within_s
        self._channels: dict[bytes, _Channel] = {}
        self._changed: dict[bytes, _Channel] = {}
        self._has_changed = asyncio.Event()
        self._connection: AbstractConnection | None = None
        self._away = False
        self._is_given_up = False
        self._task: asyncio.Task[None] | None = None

    def start(self, *, on_message: Callable[[str, bytes], None], on_missed: Callable[[str], None]) -> None:
        self._on_message = on_message
        self._on_missed = on_missed
        self._task = asyncio.create_task(self._run(), name="redis-subscriptions")

    async def stop(self) -> None:
        await end_task(self._task)
        self._task = None
        for channel in self._channels.values():
            channel.settle()

    async def subscribe(self, *names: str) -> bool:
        """Adds a reference to each; True when the server has confirmed that it sends what is published from now on.

        The references stand from the call on, until `unsubscribe`, also where the caller does not wait for the end.
        """
        channels = [self._channels.setdefault(name.encode(), _Channel(name)) for name in names]
        for channel in channels:
            channel.references += 1
        unconfirmed = [channel for channel in channels if not channel.confirmed]
        for channel in unconfirmed:
            self._note(channel)
        if unconfirmed and not self._away:
            confirmations = [self._confirmation(channel) for channel in unconfirmed]
            await asyncio.wait(confirmations, timeout=self._confirm_within_s)
        for channel in unconfirmed:
            if not channel.confirmed:
                channel.owes_notice = True
        return all(channel.confirmed for channel in channels)

    def unsubscribe(self, name: str) -> None:
        """Takes a reference back; the server is told when the last one is gone."""
        channel = self._channels.get(name.encode())
        if channel is not None and channel.references:
            self._release(channel)

    def channels(self) -> list[str]:
        """The channels that are wished at this moment."""
        return [channel.name for channel in self._channels.values() if channel.references]

    def reconnect(self) -> None:
        """Gives up a connection that seems dead though nobody has closed it; then all is as after any other loss."""
        if self._connection is not None:
            self._is_given_up = True
            self._has_changed.set()

    @staticmethod
    def _confirmation(channel: _Channel) -> asyncio.Future[None]:
        if channel.confirmation is None:
            channel.confirmation = asyncio.get_running_loop().create_future()
        return channel.confirmation

    def _release(self, channel: _Channel) -> None:
        channel.references -= 1
        if not channel.references:
            self._note(channel)

    def _note(self, channel: _Channel) -> None:
        self._changed[channel.encoded] = channel
        self._has_changed.set()

    async def _run(self) -> None:
        reconnects = Reconnects()
        while True:
            connection = private_connection(self._redis)
            try:
                async with asyncio.timeout(self._confirm_within_s):
                    await connection.connect_check_health(retry_socket_connect=False)
                self._away = False
                self._connection = connection
                reconnects.succeeded()
                await self._serve(connection)
            except Exception as error:
                if not isinstance(error, AWAY):
                    log.exception("subscriptions_failed")
                # the first loss of a connection is not yet an outage: those who wait for it may still be confirmed
                self._away = self._connection is None
            finally:
                self._connection = None
                self._is_given_up = False
                await connection.disconnect(nowait=True)
                self._forget_what_was_told()
            await reconnects.pause()

    def _forget_what_was_told(self) -> None:
        self._changed.clear()
        for key, channel in list(self._channels.items()):
            channel.owes_notice = channel.owes_notice or channel.confirmed
            channel.told = False
            channel.unanswered = 0
            if not channel.references:
                del self._channels[key]
            else:
                self._note(channel)
            if self._away:
                channel.settle()

    async def _serve(self, connection: AbstractConnection) -> None:
        """Runs until the connection fails, which it raises."""
        telling = asyncio.create_task(self._tell(connection), name="redis-subscriptions-tell")
        hearing = asyncio.create_task(self._hear(connection), name="redis-subscriptions-hear")
        try:
            await asyncio.wait([telling, hearing], return_when=asyncio.FIRST_COMPLETED)
        finally:
            telling.cancel()
            hearing.cancel()
            outcomes = await asyncio.gather(telling, hearing, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome

    async def _tell(self, connection: AbstractConnection) -> None:
        """Levels what the server was told with what is wished."""
        while True:
            await self._has_changed.wait()
            self._has_changed.clear()
            if self._is_given_up:
                raise ConnectionResetError("given up")
            changed, self._changed = self._changed, {}
            wanted = [key for key, channel in changed.items() if channel.references and not channel.told]
            unwanted = [key for key, channel in changed.items() if not channel.references and channel.told]
            for key in (*wanted, *unwanted):
                channel = changed[key]
                channel.told = not channel.told
                channel.unanswered += 1
            for key, channel in changed.items():
                if not channel.references and not channel.told and not channel.unanswered:
                    self._channels.pop(key, None)
            commands = [
                (verb, *keys[start : start + CHANNELS_PER_COMMAND])
                for verb, keys in ((b"SUBSCRIBE", wanted), (b"UNSUBSCRIBE", unwanted))
                for start in range(0, len(keys), CHANNELS_PER_COMMAND)
            ]
            if commands:
                await connection.send_packed_command(connection.pack_commands(commands), check_health=False)

    async def _hear(self, connection: AbstractConnection) -> None:
        channels = self._channels
        while True:
            for _ in range(MESSAGES_PER_TURN):
                kind, key, body = await connection.read_response(disable_decoding=True, timeout=math.inf)
                channel = channels.get(key)
                if channel is None:
                    continue
                if kind != b"message":
                    self._answered(channel, is_subscribed=kind == b"subscribe")
                elif channel.references:
                    try:
                        self._on_message(channel.name, body)
                    except Exception:
                        log.exception("message_not_handled", channel=channel.name)
            await asyncio.sleep(0)

    def _answered(self, channel: _Channel, *, is_subscribed: bool) -> None:
        channel.unanswered -= 1
        if is_subscribed and channel.owes_notice and channel.references:
            channel.owes_notice = False
            try:
                self._on_missed(channel.name)
            except Exception:
                log.exception("gap_not_handled", channel=channel.name)
        if channel.confirmed:
            channel.settle()
        elif not channel.references and not channel.told and not channel.unanswered:
            self._channels.pop(channel.encoded, None)
