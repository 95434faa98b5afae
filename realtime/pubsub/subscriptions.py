"""Subscribes channels of Redis pub/sub and reports where messages may have been missed."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress

import structlog
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection

from realtime.process.background_tasks import end_task
from realtime.process.outage_log import OutageLog
from realtime.process.stall_tolerant_timeout import stall_tolerant_timeout
from realtime.redis.client import unavailability
from realtime.redis.pipelined_connection import ReconnectBackoff, connect_for_writes, private_connection

CHANNELS_PER_COMMAND = 500
MESSAGES_PER_TURN = 256
"""How many messages in a row are handled before other tasks get their turn."""

log = structlog.get_logger(__name__)


class _Channel:
    """A channel's references, and its state at the server.

    `requested` tells whether the last command sent for it was SUBSCRIBE; `unanswered` counts the commands that the
    server has not answered yet.
    """

    __slots__ = ("confirmation", "encoded", "may_have_missed", "name", "references", "requested", "unanswered")

    def __init__(self, name: str) -> None:
        self.name = name
        self.encoded = name.encode()
        self.references = 0
        self.requested = False
        self.unanswered = 0
        self.may_have_missed = False
        self.confirmation: asyncio.Future[None] | None = None

    @property
    def is_subscribed(self) -> bool:
        """True once the server has confirmed the subscription."""
        return self.requested and not self.unanswered

    @property
    def is_unused(self) -> bool:
        return not self.references and not self.requested and not self.unanswered

    def end_waiting(self) -> None:
        """Wakes the callers that wait for a confirmation, whether there is one or not."""
        if self.confirmation is not None:
            if not self.confirmation.done():
                self.confirmation.set_result(None)
            self.confirmation = None


class Subscriptions:
    """One connection that receives every channel with a reference, reconnects by itself, and reports losses.

    References are counted apart from what was requested from the server, and one task sends the difference: however
    calls for one channel overlap, the server ends up with what the last one asked for.
    """

    def __init__(self, redis: Redis, *, confirm_within_s: float = 1.0) -> None:
        self._redis = redis
        self._confirm_within_s = confirm_within_s
        self._channels: dict[bytes, _Channel] = {}
        self._changed: dict[bytes, _Channel] = {}
        self._has_changed = asyncio.Event()
        self._connection: AbstractConnection | None = None
        self._away = False
        self._must_reconnect = False
        self._defects = OutageLog(log, "subscriptions_failed", known=())
        self._task: asyncio.Task[None] | None = None

    def start(self, *, on_message: Callable[[str, bytes], None], on_missed: Callable[[str], None]) -> None:
        self._on_message = on_message
        self._on_missed = on_missed
        self._task = asyncio.create_task(self._run(), name="redis-subscriptions")

    async def stop(self) -> None:
        await end_task(self._task)
        self._task = None
        for channel in self._channels.values():
            channel.end_waiting()

    async def subscribe(self, *names: str) -> bool:
        """Adds a reference to each; True when the server has confirmed that it sends what is published from now on.

        The references count from the call on until `unsubscribe`, also where the call is cancelled.
        """
        channels = [self._channels.setdefault(name.encode(), _Channel(name)) for name in names]
        for channel in channels:
            channel.references += 1
        unconfirmed = [channel for channel in channels if not channel.is_subscribed]
        for channel in unconfirmed:
            self._mark_changed(channel)
        if unconfirmed and not self._away:
            confirmations = [self._confirmation(channel) for channel in unconfirmed]
            with suppress(TimeoutError):
                async with stall_tolerant_timeout(self._confirm_within_s):
                    await asyncio.wait(confirmations)
        for channel in unconfirmed:
            if not channel.is_subscribed:
                channel.may_have_missed = True
        return all(channel.is_subscribed for channel in channels)

    def unsubscribe(self, name: str) -> None:
        """Drops a reference; without references the server is sent UNSUBSCRIBE."""
        channel = self._channels.get(name.encode())
        if channel is not None and channel.references:
            channel.references -= 1
            if not channel.references:
                self._mark_changed(channel)

    def is_subscribed(self, name: str) -> bool:
        """Whether the server sends what is published on this channel, as far as is known."""
        channel = self._channels.get(name.encode())
        return channel is not None and channel.is_subscribed

    def channels(self) -> list[str]:
        """The channels that have a reference now."""
        return [channel.name for channel in self._channels.values() if channel.references]

    def reconnect(self) -> None:
        """Drops a connection that seems dead though nobody has closed it; the rest is as after any other loss."""
        if self._connection is not None:
            self._must_reconnect = True
            self._has_changed.set()

    @staticmethod
    def _confirmation(channel: _Channel) -> asyncio.Future[None]:
        if channel.confirmation is None:
            channel.confirmation = asyncio.get_running_loop().create_future()
        return channel.confirmation

    def _mark_changed(self, channel: _Channel) -> None:
        self._changed[channel.encoded] = channel
        self._has_changed.set()

    async def _run(self) -> None:
        backoff = ReconnectBackoff()
        while True:
            connection = private_connection(self._redis)
            try:
                async with stall_tolerant_timeout(self._confirm_within_s):
                    await connect_for_writes(connection)
                self._away = False
                self._connection = connection
                backoff.reset()
                await self._serve(connection)
            except Exception as error:
                if unavailability(error) is None:
                    self._defects.failed(error)
                # the first loss of a connection is not yet an outage: waiting callers may still get a confirmation
                self._away = self._connection is None
            finally:
                self._connection = None
                self._must_reconnect = False
                await connection.disconnect(nowait=True)
                self._on_connection_lost()
            await backoff.wait()

    def _on_connection_lost(self) -> None:
        self._changed.clear()
        for key, channel in list(self._channels.items()):
            channel.may_have_missed = channel.may_have_missed or channel.is_subscribed
            channel.requested = False
            channel.unanswered = 0
            if not channel.references:
                del self._channels[key]
            else:
                self._mark_changed(channel)
            if self._away:
                channel.end_waiting()

    async def _serve(self, connection: AbstractConnection) -> None:
        """Runs until the connection fails, which it raises."""
        sending = asyncio.create_task(self._send_changes(connection), name="redis-subscriptions-send")
        receiving = asyncio.create_task(self._receive(connection), name="redis-subscriptions-receive")
        try:
            await asyncio.wait([sending, receiving], return_when=asyncio.FIRST_COMPLETED)
        finally:
            sending.cancel()
            receiving.cancel()
            outcomes = await asyncio.gather(sending, receiving, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome

    async def _send_changes(self, connection: AbstractConnection) -> None:
        """Sends SUBSCRIBE and UNSUBSCRIBE wherever references and what was requested last differ."""
        while True:
            await self._has_changed.wait()
            self._has_changed.clear()
            if self._must_reconnect:
                raise ConnectionResetError("given up")
            changed, self._changed = self._changed, {}
            wanted = [key for key, channel in changed.items() if channel.references and not channel.requested]
            unwanted = [key for key, channel in changed.items() if not channel.references and channel.requested]
            for key in (*wanted, *unwanted):
                channel = changed[key]
                channel.requested = not channel.requested
                channel.unanswered += 1
            for key, channel in changed.items():
                if channel.is_unused:
                    self._channels.pop(key, None)
            commands = [
                (verb, *keys[start : start + CHANNELS_PER_COMMAND])
                for verb, keys in ((b"SUBSCRIBE", wanted), (b"UNSUBSCRIBE", unwanted))
                for start in range(0, len(keys), CHANNELS_PER_COMMAND)
            ]
            if commands:
                await connection.send_packed_command(connection.pack_commands(commands), check_health=False)

    async def _receive(self, connection: AbstractConnection) -> None:
        channels = self._channels
        while True:
            for _ in range(MESSAGES_PER_TURN):
                kind, key, body = await connection.read_response(disable_decoding=True, timeout=math.inf)
                channel = channels.get(key)
                if channel is None:
                    continue
                if kind != b"message":
                    self._on_answer(channel, subscribed=kind == b"subscribe")
                elif channel.references:
                    try:
                        self._on_message(channel.name, body)
                    except Exception:
                        log.exception("message_not_handled", channel=channel.name)
            await asyncio.sleep(0)

    def _on_answer(self, channel: _Channel, *, subscribed: bool) -> None:
        """The server has answered a SUBSCRIBE or an UNSUBSCRIBE of this channel."""
        self._defects.succeeded()
        channel.unanswered -= 1
        if subscribed and channel.may_have_missed and channel.references:
            channel.may_have_missed = False
            try:
                self._on_missed(channel.name)
            except Exception:
                log.exception("loss_not_handled", channel=channel.name)
        if channel.is_subscribed:
            channel.end_waiting()
        elif channel.is_unused:
            self._channels.pop(channel.encoded, None)
