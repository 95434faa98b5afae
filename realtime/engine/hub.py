"""Who is connected to this node, and which rooms they are in."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from realtime.engine.protocol.encoded_push import EncodedPush
from realtime.engine.session.session import Connection, Session

Members = tuple[Session] | set[Session]


class Hub:
    """Rooms of one node. A room is known by namespace and name; a name may stand in several namespaces.

    Leaving costs a member's own rooms only, however many rooms there are.
    """

    def __init__(self) -> None:
        # Most rooms are somebody's own: a set for a lone member would be most of what a client costs.
        self._rooms: dict[str, dict[str, Members]] = {}
        self._connections: dict[str, Connection] = {}
        self._sessions: dict[str, dict[str, Session]] = {}

    def join(self, session: Session, room: str) -> bool:
        """Puts a member into a room of its namespace. True: this node had nobody in a room of that name before."""
        if room in session.rooms:
            return False
        session.rooms.add(room)
        if session.recovery_state is not None:
            session.recovery_state.joined(room)
        of_namespace = self._rooms.setdefault(session.namespace, {})
        is_first = room not in of_namespace and not self.has_members(room)
        _add(of_namespace, room, session)
        return is_first

    def leave(self, session: Session, room: str) -> bool:
        """Takes a member out of a room. True: it was this node's last in any room of that name."""
        if room not in session.rooms:
            return False
        session.rooms.remove(room)
        if session.recovery_state is not None:
            session.recovery_state.left(room)
        rooms = self._rooms[session.namespace]
        members = rooms[room]
        if isinstance(members, set) and len(members) > 1:
            members.remove(session)
            return False
        del rooms[room]
        return not self.has_members(room)

    def leave_all(self, session: Session) -> list[str]:
        """Takes a member out of all its rooms; returns the names that this node has nobody for any more."""
        return [room for room in tuple(session.rooms) if self.leave(session, room)]

    def members(self, namespace: str, room: str) -> Collection[Session]:
        """A snapshot of who is in a room."""
        return tuple(self._rooms.get(namespace, {}).get(room, ()))

    def has_members(self, room: str) -> bool:
        """True while this node has anybody in a room of that name, in any namespace."""
        return any(room in rooms for rooms in self._rooms.values())

    def connections(self) -> Collection[Connection]:
        """A snapshot of the open connections."""
        return tuple(self._connections.values())

    def connection_count(self) -> int:
        return len(self._connections)

    def sessions(self, namespace: str) -> Collection[Session]:
        """A snapshot of the sessions of a namespace, whatever rooms they are in."""
        return tuple(self._sessions.get(namespace, {}).values())

    def push(self, push: EncodedPush, rooms: Iterable[str]) -> int:
        """Delivers a push to all members of these rooms; returns to how many.

        A member of several of the rooms gets it once. Each form of it is encoded and framed once. Sessions whose
        clients are away are counted too.
        """
        members = self._members_of_any(push.namespace, rooms)
        for member in members:
            member.take(push)
        return len(members)

    def _members_of_any(self, namespace: str, rooms: Iterable[str]) -> Collection[Session]:
        """A snapshot of who is in at least one of these rooms."""
        of_namespace = self._rooms.get(namespace, {})
        occupied = [members for room in rooms if (members := of_namespace.get(room))]
        return tuple(occupied[0]) if len(occupied) == 1 else set[Session]().union(*occupied)

    def add_connection(self, connection: Connection) -> None:
        """For the engine: a connection was opened."""
        self._connections[connection.id] = connection

    def remove_connection(self, connection: Connection) -> None:
        """For the engine: a connection has ended."""
        self._connections.pop(connection.id, None)

    def add_session(self, session: Session) -> None:
        """For the engine: a session was accepted."""
        self._sessions.setdefault(session.namespace, {})[session.id] = session

    def remove_session(self, session: Session) -> None:
        """For the engine: a session has ended, or was never accepted; it leaves what rooms it is still in.

        One that is kept stays in them.
        """
        if not session.kept:
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
