"""The connections and sessions of this node, and the rooms that the sessions are in."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from realtime.engine.protocol.encoded_push import EncodedPush
from realtime.engine.session.connection import Connection
from realtime.engine.session.session import Session, deliver_to_all

Members = tuple[Session] | set[Session]


class Hub:
    """A room is known by namespace and name; one name may be used in several namespaces.

    To remove a session costs time in proportion to its own rooms, however many rooms there are.
    """

    def __init__(self) -> None:
        # Most rooms have one member: a set for each would be most of the memory that a client takes.
        self._rooms: dict[str, dict[str, Members]] = {}
        self._connections: dict[str, Connection[Session]] = {}
        self._sessions: dict[str, dict[str, Session]] = {}

    def join(self, session: Session, room: str) -> bool:
        """Adds a session to a room of its namespace. True: it is the first on this node in a room of that name."""
        if room in session.rooms:
            return False
        session.rooms.add(room)
        if session.recovery_state is not None:
            session.recovery_state.join(room)
        of_namespace = self._rooms.setdefault(session.namespace, {})
        is_first = room not in of_namespace and not self.has_members(room)
        _add(of_namespace, room, session)
        return is_first

    def leave(self, session: Session, room: str) -> bool:
        """Removes a session from a room. True: it was the last on this node in a room of that name."""
        if room not in session.rooms:
            return False
        session.rooms.remove(room)
        if session.recovery_state is not None:
            session.recovery_state.leave(room)
        rooms = self._rooms[session.namespace]
        members = rooms[room]
        if isinstance(members, set) and len(members) > 1:
            members.remove(session)
            return False
        del rooms[room]
        return not self.has_members(room)

    def leave_all(self, session: Session) -> list[str]:
        """Removes a session from all its rooms; returns the names that this node has no member for any more."""
        return [room for room in tuple(session.rooms) if self.leave(session, room)]

    def members(self, namespace: str, room: str) -> Collection[Session]:
        """A snapshot of the sessions in a room."""
        return tuple(self._rooms.get(namespace, {}).get(room, ()))

    def members_everywhere(self, room: str) -> Collection[Session]:
        """A snapshot of the sessions in the rooms of this name in all namespaces."""
        return [session for rooms in self._rooms.values() for session in rooms.get(room, ())]

    def has_members(self, room: str) -> bool:
        """True while this node has a member in a room of that name, in any namespace."""
        return any(room in rooms for rooms in self._rooms.values())

    def connections(self) -> Collection[Connection[Session]]:
        """A snapshot of the open connections."""
        return tuple(self._connections.values())

    def connection_count(self) -> int:
        return len(self._connections)

    def sessions(self, namespace: str) -> Collection[Session]:
        """A snapshot of the sessions of a namespace."""
        return tuple(self._sessions.get(namespace, {}).values())

    def push(self, push: EncodedPush, rooms: Iterable[str]) -> int:
        """Delivers a push to all members of these rooms; returns their number, with sessions whose clients are away.

        A member of several of the rooms gets it once. Each form of it is encoded and framed once.
        """
        members = self.members_of_any(push.namespace, rooms)
        deliver_to_all(members, push)
        return len(members)

    def members_of_any(self, namespace: str, rooms: Iterable[str]) -> Collection[Session]:
        """A snapshot of the sessions in at least one of these rooms."""
        of_namespace = self._rooms.get(namespace, {})
        occupied = [members for room in rooms if (members := of_namespace.get(room))]
        return tuple(occupied[0]) if len(occupied) == 1 else set[Session]().union(*occupied)

    def add_connection(self, connection: Connection[Session]) -> None:
        """For the engine: a connection was opened."""
        self._connections[connection.id] = connection

    def remove_connection(self, connection: Connection[Session]) -> None:
        """For the engine: a connection has ended."""
        self._connections.pop(connection.id, None)

    def add_session(self, session: Session) -> None:
        """For the engine: a session was accepted."""
        self._sessions.setdefault(session.namespace, {})[session.id] = session

    def remove_session(self, session: Session) -> None:
        """For the engine: a session has ended, or was never accepted; it leaves its rooms unless it is kept."""
        if not session.is_kept:
            self.leave_all(session)
        sessions = self._sessions.get(session.namespace, {})
        sessions.pop(session.id, None)


def _add(rooms: dict[str, Members], room: str, member: Session) -> None:
    members = rooms.get(room)
    if members is None:
        rooms[room] = (member,)
    elif isinstance(members, set):
        members.add(member)
    else:
        rooms[room] = {*members, member}
