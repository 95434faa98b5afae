"""Moves sessions between nodes: one at a time when its client reconnects elsewhere, all when a node stops."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Mapping, Sequence
from enum import IntEnum
from typing import Any, cast
from weakref import WeakValueDictionary

import structlog

from realtime.engine.protocol.encoded_push import EncodedPush
from realtime.engine.recovery.recoverable_sessions import RecoverableSessions
from realtime.engine.recovery.stalled_clients import StalledClients
from realtime.engine.replay.recovery_state import CarriedPushes, RecoveryState, export_push, restore_push
from realtime.engine.session.connection import Connection
from realtime.engine.session.policy import RecoveryPolicy
from realtime.engine.session.session import Session
from realtime.handoff.session_directory import SessionDirectory, node_rpc_channel
from realtime.handoff.session_handoff import SessionHandoff
from realtime.presence.watches import PresenceWatches
from realtime.pubsub.backplane import Backplane
from realtime.pubsub.fanout import Fanout
from realtime.pubsub.membership import Membership
from realtime.pubsub.node_rpc import NodeRpc
from realtime.pubsub.room_names import RESYNC_ALL
from realtime.redis.client import StoreUnavailable

ANSWER_WITHIN_S = 1.0


class Question(IntEnum):
    """What nodes ask each other; the first part of every call."""

    CLAIM = 0
    COLLECT = 1
    OFFER = 2
    IMPORT = 3


log = structlog.get_logger(__name__)


class SessionMigration:
    """Fetches sessions from other nodes, and gives sessions to nodes that fetch them.

    A claim takes the session from its client's old connection and returns its subscriptions. This node subscribes to
    them first and collects the pushes that the client missed afterwards, so that every push arrives at the other node
    before it is asked, or here. The other node forgets the session when it has given out the pushes. If anything fails
    in between, the session is not recovered.
    """

    def __init__(
        self,
        *,
        recoverable: RecoverableSessions,
        stalled_clients: StalledClients,
        policy: RecoveryPolicy,
        membership: Membership,
        fanout: Fanout,
        backplane: Backplane,
        watches: PresenceWatches,
        directory: SessionDirectory,
    ) -> None:
        self._recoverable = recoverable
        self._stalled_clients = stalled_clients
        self._policy = policy
        self._membership = membership
        self._fanout = fanout
        self._backplane = backplane
        self._directory = directory
        self._rpc = NodeRpc(backplane, node_rpc_channel, self._read)
        self._handoff = SessionHandoff(recoverable=recoverable, membership=membership, fanout=fanout, watches=watches)
        self._registrations: set[asyncio.Task[None]] = set()
        self._fetched: WeakValueDictionary[tuple[str | None, str], EncodedPush] = WeakValueDictionary()
        self._channel = node_rpc_channel(backplane.node_id)

    async def start(self) -> None:
        """Answers other nodes from now on."""
        await self._fanout.subscribe(self._channel, self._rpc)

    async def stop(self) -> None:
        await self._fanout.unsubscribe(self._channel)
        await self._rpc.stop()
        self._handoff.stop()
        for registration in tuple(self._registrations):
            registration.cancel()
        await asyncio.gather(*self._registrations, return_exceptions=True)

    def announce(self, pid: str) -> None:
        """Lets other nodes find a session here that did not begin here."""
        registration = asyncio.create_task(self._register(pid), name="session-directory")
        self._registrations.add(registration)
        registration.add_done_callback(self._registrations.discard)

    async def is_current(self) -> bool:
        """Whether this node has handled all that was published before the call."""
        return await self._backplane.barrier()

    async def fetch(
        self,
        connection: Connection[Session],
        namespace: str,
        pid: str,
        offset: str | None,
        auth: Mapping[str, object],
    ) -> Session | None:
        """Moves a session here; it is kept then, with the pushes that it missed. None: it cannot be recovered."""
        try:
            node_id = await self._directory.find(pid)
            if node_id is None:
                return None
            claimed = await self._rpc.call(node_id, [Question.CLAIM, pid], timeout_s=ANSWER_WITHIN_S)
            match cast(Any, claimed):
                case [str(sid), str() as claimed_namespace, int() | None as user_id, [*subscriptions]] if (
                    claimed_namespace == namespace
                ):
                    session = Session.moved(
                        id=sid,
                        namespace=namespace,
                        user_id=user_id,
                        connection=connection,
                        recovery_state=RecoveryState(pid, namespace, self._recoverable.logs),
                    )
                case int():
                    self._stalled_clients.add(pid)
                    return None
                case _:
                    return None
            return await self._collect(session, node_id, offset, auth, subscriptions)
        except (TimeoutError, StoreUnavailable) as error:
            log.info("session_not_fetched", error=repr(error))
            return None

    async def hand_over(self, *, deadline_s: float) -> bool:
        """Gives all sessions of this node, live and kept, to another that serves clients; False: there is none.

        When it returns True, the other node has their subscriptions and what their clients missed, and all nodes find
        them there.
        """
        try:
            async with asyncio.timeout(deadline_s):
                peers = await self._directory.peers()
                sessions = self._handoff.transferable_sessions()
                if not peers or not sessions:
                    return False
                target = secrets.choice(peers)
                offer = [Question.OFFER, self._handoff.offer(sessions)]
                if not await self._rpc.call(target, offer, timeout_s=deadline_s):
                    return False
                # A push that this node had not received when the target answered is received by the target.
                exported = self._handoff.export_sessions(sessions)
                if not await self._rpc.call(target, [Question.IMPORT, exported], timeout_s=deadline_s):
                    return False
                _, recovery_states, _ = exported
                await self._directory.register(target, *(state["pid"] for state, _, _ in recovery_states))
        except (TimeoutError, StoreUnavailable) as error:
            log.warning("sessions_not_handed_over", error=repr(error))
            return False
        log.info("sessions_handed_over", target=target, sessions=len(recovery_states))
        return True

    def _read(self, sender: str, question: object) -> Awaitable[object]:
        match question:
            case [Question.CLAIM, str(pid)]:
                return _completed(self._give_subscriptions(pid))
            case [Question.COLLECT, str(pid), str() | None as offset]:
                return _completed(self._give_missed(pid, offset))
            case [Question.OFFER, offer]:
                return self._handoff.prepare(sender, cast(list[Any], offer))
            case [Question.IMPORT, exported]:
                return _completed(self._handoff.import_sessions(sender, cast(list[Any], exported)))
        log.error("rpc_not_understood", sender=sender)
        return _completed(None)

    def _give_subscriptions(self, pid: str) -> object:
        session = self._recoverable.find(pid)
        if session is None:
            return self._stalled_clients.take_close_code(pid)
        if session.recovery_state is None or not session.recovery_state.client_knows_pid:
            return None
        self._recoverable.abort_stale_connection(session)
        return [session.id, session.namespace, session.user_id, self._handoff.subscriptions(session)]

    def _give_missed(self, pid: str, offset: str | None) -> object:
        session = self._recoverable.find(pid)
        if session is None or session.recovery_state is None or not session.is_kept:
            return None
        self._fanout.send_pending_resync(session)
        missed = self._recoverable.missed(session, offset)
        sent = session.recovery_state.recently_sent(offset)
        rooms = self._handoff.rooms(session)
        self._recoverable.expire(session)
        if missed is None:
            return self._stalled_clients.take_close_code(pid)
        withdrawals = self._recoverable.logs.withdrawals
        return [[export_push(push, withdrawals) for push in missed], sent, rooms]

    async def _collect(
        self,
        session: Session,
        node_id: str,
        offset: str | None,
        auth: Mapping[str, object],
        subscriptions: Sequence[Any],
    ) -> Session | None:
        """Keeps a claimed session with what it missed, if the policy gives it to this client."""
        recovery_state = session.recovery_state
        assert recovery_state is not None
        pid, done = recovery_state.pid, False
        try:
            if not await self._policy.authorize_resume(session, session.connection, auth):
                return None
            self._membership.add_session(session)
            if not await self._handoff.restore_subscriptions(session, subscriptions):
                return None
            collected = await self._rpc.call(node_id, [Question.COLLECT, pid, offset], timeout_s=ANSWER_WITHIN_S)
            match cast(Any, collected):
                case [[*missed], [*sent], [*rooms_now]]:
                    pushes = self._decode_pushes(session.namespace, missed)
                    recovery_state.continue_from(CarriedPushes(offset, pushes, sent))
                case int():
                    self._stalled_clients.add(pid)
                    return None
                case _:
                    return None
            for room in rooms_now:
                # The session entered it after the claim.
                await self._fanout.join_with_resync(session, room, RESYNC_ALL)
            await self._register(pid)
            self._recoverable.keep(session)
            done = True
            return session
        finally:
            if not done:
                self._handoff.discard(session)

    def _decode_pushes(self, namespace: str, pushes: Sequence[Sequence[Any]]) -> list[EncodedPush]:
        """Clients that reconnect together have missed the same pushes: each is kept, and encoded, once for all.

        A `resync` in the place of a withdrawn push has its id, and another event.
        """
        decoded = []
        for event, data, push_id, subjects in pushes:
            push = self._fetched.get((push_id, event))
            if push is None or push.namespace != namespace or push.data != data:
                exported = (event, data, push_id, subjects)
                push = restore_push(namespace, exported, self._recoverable.logs.withdrawals)
                self._fetched[push_id, event] = push
            decoded.append(push)
        return decoded

    async def _register(self, pid: str) -> None:
        try:
            await self._directory.register(self._backplane.node_id, pid)
        except StoreUnavailable as error:
            log.warning("session_not_registered", error=str(error))


async def _completed(answer: object) -> object:
    return answer
