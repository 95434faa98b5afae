"""Sessions that come back to another node than the one that holds them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, cast
from weakref import WeakValueDictionary

import structlog

from realtime.engine.protocol.encoded_push import EncodedPush
from realtime.engine.recovery.recovery import Recovery
from realtime.engine.replay.recovery_state import CarriedPushes, RecoveryState
from realtime.engine.session.policy import RecoveryPolicy
from realtime.engine.session.session import Connection, Session
from realtime.handoff.session_directory import SessionDirectory, node_rpc_channel
from realtime.handoff.session_handoff import SessionHandoff
from realtime.presence.watches import PresenceWatches
from realtime.pubsub.backplane import Backplane
from realtime.pubsub.fanout import Fanout
from realtime.pubsub.membership import Membership
from realtime.pubsub.node_rpc import NodeRpc
from realtime.redis.client import StoreUnavailable

ANSWER_WITHIN_S = 1.0
_CLAIM, _COLLECT, _OFFER, _IMPORT = range(4)

log = structlog.get_logger(__name__)


class SessionMigration:
    """Fetches sessions from the nodes that hold them, and gives away what others fetch.

    First the holder is asked for the rooms; these are entered, and subscriptions confirmed; only then for the pushes
    that the client missed: what the holder has not heard by then is heard here. A holder that has told them forgets
    the session. Whatever goes wrong in between, the session is not recovered.
    """

    def __init__(
        self,
        *,
        recovery: Recovery,
        policy: RecoveryPolicy,
        membership: Membership,
        fanout: Fanout,
        backplane: Backplane,
        watches: PresenceWatches,
        directory: SessionDirectory,
    ) -> None:
        self._recovery = recovery
        self._policy = policy
        self._membership = membership
        self._fanout = fanout
        self._backplane = backplane
        self._directory = directory
        self._rpc = NodeRpc(backplane, node_rpc_channel, self._read)
        self._handoff = SessionHandoff(recovery=recovery, membership=membership, fanout=fanout, watches=watches)
        self._chores: set[asyncio.Task[None]] = set()
        self._fetched: WeakValueDictionary[str, EncodedPush] = WeakValueDictionary()
        self._channel = node_rpc_channel(backplane.node_id)

    async def start(self) -> None:
        """From now on other nodes may ask this one."""
        await self._fanout.subscribe(self._channel, self._rpc)
        self._recovery.other_nodes = self

    async def stop(self) -> None:
        self._recovery.other_nodes = None
        await self._fanout.unsubscribe(self._channel)
        await self._rpc.stop()
        self._handoff.stop()
        for chore in tuple(self._chores):
            chore.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)

    def holds(self, pid: str) -> None:
        """Lets the others find a session here that did not begin here."""
        chore = asyncio.create_task(self._register_node(self._backplane.node_id, pid), name="session-directory")
        self._chores.add(chore)
        chore.add_done_callback(self._chores.discard)

    async def fetch(
        self, connection: Connection, namespace: str, pid: str, offset: str | None, auth: Mapping[str, object]
    ) -> Session | None:
        """Takes a session over; it is kept here then, with what it missed. None: it cannot be recovered."""
        try:
            holder = await self._directory.find(pid)
            if holder is None:
                return None
            claimed = await self._rpc.call(holder, [_CLAIM, pid], timeout_s=ANSWER_WITHIN_S)
            match cast(Any, claimed):
                case [str(sid), str() as claimed_namespace, state, [*places]] if claimed_namespace == namespace:
                    session = Session(id=sid, namespace=namespace, connection=connection)
                case int():
                    self._recovery.cut_off(pid)
                    return None
                case _:
                    return None
            session.state = state
            session.shut()
            if not await self._policy.resume(session, connection, auth):
                return None
            return await self._collect(session, holder, pid, offset, places)
        except (TimeoutError, StoreUnavailable) as error:
            log.info("session_not_fetched", error=repr(error))
            return None

    async def hand_over(self, *, deadline_s: float) -> bool:
        """Gives all sessions of this node, live and kept, to another that serves clients; False: there is none.

        When it returns True the other has entered their rooms, knows what they missed, and is found by everybody.
        """
        try:
            async with asyncio.timeout(deadline_s):
                peers = await self._directory.peers()
                sessions = self._handoff.to_hand_over()
                if not peers or not sessions:
                    return False
                target = secrets.choice(peers)
                offer = [_OFFER, self._handoff.offer(sessions)]
                if not await self._rpc.call(target, offer, timeout_s=deadline_s):
                    return False
                # What this node had not heard when the target's answer came is heard by the target.
                written, recovery_states = self._handoff.export_sessions(sessions)
                if not await self._rpc.call(target, [_IMPORT, [written, recovery_states]], timeout_s=deadline_s):
                    return False
                await self._directory.moved(target, *(exported["pid"] for exported, _, _ in recovery_states))
        except (TimeoutError, StoreUnavailable) as error:
            log.warning("sessions_not_handed_over", error=repr(error))
            return False
        log.info("sessions_handed_over", target=target, sessions=len(recovery_states))
        return True

    def _read(self, sender: str, question: object) -> Awaitable[object]:
        match question:
            case [0, str(pid)]:
                return _at_once(self._give_rooms(pid))
            case [1, str(pid), str() | None as offset]:
                return _at_once(self._give_missed(pid, offset))
            case [2, offer]:
                return self._handoff.prepare(sender, cast(list[Any], offer))
            case [3, exported]:
                return _at_once(self._handoff.import_sessions(sender, cast(list[Any], exported)))
        log.error("letter_not_understood", sender=sender)
        return _at_once(None)

    def _give_rooms(self, pid: str) -> object:
        session = self._recovery.find(pid)
        if session is None:
            return self._recovery.why(pid)
        if session.recovery_state is None or not session.recovery_state.answered:
            return None
        self._recovery.detach(session)
        return [session.id, session.namespace, session.state, self._handoff.places(session)]

    def _give_missed(self, pid: str, offset: str | None) -> object:
        session = self._recovery.find(pid)
        if session is None or session.recovery_state is None or not session.kept:
            return None
        missed = self._recovery.missed(session, offset)
        told = session.recovery_state.told_since(offset)
        rooms = self._handoff.rooms(session)
        self._recovery.release(session)
        if missed is None:
            return self._recovery.why(pid)
        return [[[push.event, push.data, push.push_id] for push in missed], told, rooms]

    async def _collect(
        self, session: Session, holder: str, pid: str, offset: str | None, places: Sequence[Any]
    ) -> Session | None:
        recovery_state = session.recovery_state = RecoveryState(pid, session.namespace, self._recovery.logs)
        self._membership.add_session(session)
        done = False
        try:
            if not await self._handoff.settle(session, places):
                return None
            collected = await self._rpc.call(holder, [_COLLECT, pid, offset], timeout_s=ANSWER_WITHIN_S)
            match cast(Any, collected):
                case [[*missed], [*told], [*rooms_now]]:
                    recovery_state.came_with(CarriedPushes(offset, self._pushes(session.namespace, missed), told))
                case int():
                    self._recovery.cut_off(pid)
                    return None
                case _:
                    return None
            for room in rooms_now:
                # It came to be while the session was under way.
                await self._fanout.join_with_resync(session, room)
            await self._register_node(self._backplane.node_id, pid)
            self._recovery.keep(session)
            done = True
            return session
        finally:
            if not done:
                self._handoff.drop(session)

    def _pushes(self, namespace: str, told: Sequence[Sequence[Any]]) -> list[EncodedPush]:
        """A crowd that comes together has missed the same: each push is kept, and encoded, once for all of them."""
        pushes = []
        for event, data, push_id in told:
            push = self._fetched.get(push_id)
            if push is None or push.namespace != namespace:
                push = self._fetched[push_id] = EncodedPush(namespace, event, data, push_id)
            pushes.append(push)
        return pushes

    async def _register_node(self, node_id: str, pid: str) -> None:
        try:
            await self._directory.moved(node_id, pid)
        except StoreUnavailable as error:
            log.warning("session_holder_not_told", error=str(error))


async def _at_once(answer: object) -> object:
    return answer
