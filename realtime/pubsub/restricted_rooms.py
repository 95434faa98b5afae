"""The rooms in which not everybody may stay, by the subjects that their names have (`room_names.about`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from realtime.engine.hub import Hub
from realtime.engine.replay.withdrawals import Withdrawals
from realtime.engine.session.session import Session
from realtime.pubsub import room_names
from realtime.pubsub.membership import Membership
from realtime.pubsub.resync_notifier import ResyncNotifier


class RestrictedRooms:
    """Takes sessions of this node out of such rooms; each gets a `resync` of the room and is replayed nothing of it."""

    def __init__(
        self, hub: Hub, membership: Membership, resync_notifier: ResyncNotifier, withdrawals: Withdrawals
    ) -> None:
        self._hub = hub
        self._membership = membership
        self._resync_notifier = resync_notifier
        self._withdrawals = withdrawals

    def withdraw(self, subject: str, user_ids: Sequence[int]) -> None:
        """The rooms of a subject that was withdrawn from these users."""
        for user_id in user_ids:
            for session in self._hub.members_everywhere(room_names.person_room(user_id)):
                self._leave(session, [room for room in session.rooms if subject in room_names.about(room)])

    def leave_withdrawn(self, session: Session) -> None:
        """The rooms that a session brought from another node and in which its user may not be any more."""
        self._leave(session, [room for room in session.rooms if self.is_withdrawn(room, session.user_id)])

    def leave_all(self) -> None:
        """All such rooms: somebody may have been withdrawn from their subjects; the others enter them again."""
        for session in self._membership.sessions():
            self._leave(session, [room for room in session.rooms if room_names.about(room)])

    def close(self, room: str) -> None:
        for session in self._hub.members_everywhere(room):
            self._leave(session, [room])

    def close_about(self, subject: str) -> None:
        for session in self._membership.sessions():
            self._leave(session, [room for room in session.rooms if subject in room_names.about(room)])

    def is_withdrawn(self, room: str, user_id: int | None) -> bool:
        """Whether a subject of the room was withdrawn from this user."""
        return any(self._withdrawals.is_withdrawn(subject, user_id) for subject in room_names.about(room))

    def _leave(self, session: Session, rooms: Iterable[str]) -> None:
        for room in rooms:
            self._membership.leave_soon(session, room)
            self._resync_notifier.resync(session, room_names.resync_scope(room))
