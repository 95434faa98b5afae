"""Sessions that come back to another node than the one that holds them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, cast
from weakref import WeakValueDictionary

import structlog

from realtime.backplane import Backplane
from realtime.engine.policy import RecoveryPolicy
from realtime.engine.push_frames import PushFrames
from realtime.engine.recovery import Recovery
from realtime.engine.session import Connection, Session
from realtime.engine.trail import Carried, Trail
from realtime.fanout import Fanout
from realtime.letters import Letters
from realtime.membership import Membership
from realtime.presence_watches import PresenceWatches
from realtime.redis_client import StoreUnavailable
from realtime.session_estate import SessionEstate
from realtime.session_holders import SessionHolders, letters_channel

ANSWER_WITHIN_S = 1.0
_CLAIM, _COLLECT, _OFFER, _BEQUEATH = range(4)

log = structlog.get_logger(__name__)


class SessionExchange:
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
        holders: SessionHolders,
    ) -> None:
        self._recovery = recovery
        self._policy = policy
        self._membership = membership
        self._fanout = fanout
        self._backplane = backplane
        self._holders = holders
        self._letters = Letters(backplane, letters_channel, self._read)
        self._estate = SessionEstate(recovery=recovery, membership=membership, fanout=fanout, watches=watches)
        self._chores: set[asyncio.Task[None]] = set()
        self._fetched: WeakValueDictionary[str, PushFrames] = WeakValueDictionary()
        self._channel = letters_channel(backplane.node_id)

    async def start(self) -> None:
        """From now on other nodes may ask this one."""
        await self._fanout.hear(self._channel, self._letters)
        self._recovery.other_nodes = self

    async def stop(self) -> None:
        self._recovery.other_nodes = None
        await self._fanout.ignore(self._channel)
        await self._letters.stop()
        self._estate.stop()
        for chore in tuple(self._chores):
            chore.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)

    def holds(self, pid: str) -> None:
        """Lets the others find a session here that did not begin here."""
        chore = asyncio.create_task(self._tell_holder(self._backplane.node_id, pid), name="session-holder")
        self._chores.add(chore)
        chore.add_done_callback(self._chores.discard)

    async def fetch(
        self, connection: Connection, namespace: str, pid: str, offset: str | None, auth: Mapping[str, object]
    ) -> Session | None:
        """Takes a session over; it is kept here then, with what it missed. None: it cannot be recovered."""
        try:
            holder = await self._holders.find(pid)
            if holder is None:
                return None
            claimed = await self._letters.ask(holder, [_CLAIM, pid], timeout_s=ANSWER_WITHIN_S)
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
                peers = await self._holders.peers()
                sessions = self._estate.to_hand_over()
                if not peers or not sessions:
                    return False
                heir = secrets.choice(peers)
                offer = [_OFFER, self._estate.offer(sessions)]
                if not await self._letters.ask(heir, offer, timeout_s=deadline_s):
                    return False
                # What this node had not heard when the heir's answer came is heard by the heir.
                written, trails = self._estate.bequest(sessions)
                if not await self._letters.ask(heir, [_BEQUEATH, [written, trails]], timeout_s=deadline_s):
                    return False
                await self._holders.moved(heir, *(exported["pid"] for exported, _, _ in trails))
        except (TimeoutError, StoreUnavailable) as error:
            log.warning("sessions_not_handed_over", error=repr(error))
            return False
        log.info("sessions_handed_over", heir=heir, sessions=len(trails))
        return True

    def _read(self, sender: str, question: object) -> Awaitable[object]:
        match question:
            case [0, str(pid)]:
                return _at_once(self._give_rooms(pid))
            case [1, str(pid), str() | None as offset]:
                return _at_once(self._give_missed(pid, offset))
            case [2, offer]:
                return self._estate.prepare(sender, cast(list[Any], offer))
            case [3, bequest]:
                return _at_once(self._estate.inherit(sender, cast(list[Any], bequest)))
        log.error("letter_not_understood", sender=sender)
        return _at_once(None)

    def _give_rooms(self, pid: str) -> object:
        session = self._recovery.find(pid)
        if session is None:
            return self._recovery.why(pid)
        if session.trail is None or not session.trail.answered:
            return None
        self._recovery.detach(session)
        return [session.id, session.namespace, session.state, self._estate.places(session)]

    def _give_missed(self, pid: str, offset: str | None) -> object:
        session = self._recovery.find(pid)
        if session is None or session.trail is None or not session.kept:
            return None
        missed = self._recovery.missed(session, offset)
        told = session.trail.told_since(offset)
        rooms = self._estate.rooms(session)
        self._recovery.release(session)
        if missed is None:
            return self._recovery.why(pid)
        return [[[push.event, push.data, push.push_id] for push in missed], told, rooms]

    async def _collect(
        self, session: Session, holder: str, pid: str, offset: str | None, places: Sequence[Any]
    ) -> Session | None:
        trail = session.trail = Trail(pid, session.namespace, self._recovery.logs)
        self._membership.admit(session)
        done = False
        try:
            if not await self._estate.settle(session, places):
                return None
            collected = await self._letters.ask(holder, [_COLLECT, pid, offset], timeout_s=ANSWER_WITHIN_S)
            match cast(Any, collected):
                case [[*missed], [*told], [*rooms_now]]:
                    trail.came_with(Carried(offset, self._pushes(session.namespace, missed), told))
                case int():
                    self._recovery.cut_off(pid)
                    return None
                case _:
                    return None
            for room in rooms_now:
                # It came to be while the session was under way.
                await self._fanout.bring_in(session, room)
            await self._tell_holder(self._backplane.node_id, pid)
            self._recovery.keep(session)
            done = True
            return session
        finally:
            if not done:
                self._estate.drop(session)

    def _pushes(self, namespace: str, told: Sequence[Sequence[Any]]) -> list[PushFrames]:
        """A crowd that comes together has missed the same: each push is kept, and encoded, once for all of them."""
        pushes = []
        for event, data, push_id in told:
            push = self._fetched.get(push_id)
            if push is None or push.namespace != namespace:
                push = self._fetched[push_id] = PushFrames(namespace, event, data, push_id)
            pushes.append(push)
        return pushes

    async def _tell_holder(self, node_id: str, pid: str) -> None:
        try:
            await self._holders.moved(node_id, pid)
        except StoreUnavailable as error:
            log.warning("session_holder_not_told", error=str(error))


async def _at_once(answer: object) -> object:
    return answer
