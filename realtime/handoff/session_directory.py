"""Finds the node that has a session which its client may resume, and the nodes that could take sessions."""

from __future__ import annotations

from typing import cast

from redis.asyncio import Redis

from realtime.redis.pipelined_connection import Argument, PipelinedConnection

MOVED_TTL_S = 86_400
"""How long it is known to which node a session has moved; set again whenever its client is lost."""
IDS_PER_CALL = 500

_CHANNEL_PREFIX = "sessions:"


def node_rpc_channel(node_id: str) -> str:
    """The channel on which a node that serves clients takes calls of other nodes about sessions."""
    return _CHANNEL_PREFIX + node_id


def origin_of(pid: str) -> str:
    """The node on which a session began."""
    return pid.partition(".")[0]


class SessionDirectory:
    """Finds sessions through Redis: a private id names the node on which the session began, a key the one to which it
    has moved since.

    A node is alive while it is subscribed to its RPC channel. All methods raise StoreUnavailable.
    """

    def __init__(self, redis: Redis, node_id: str) -> None:
        self._node_id = node_id
        self._connection = PipelinedConnection(redis)

    async def stop(self) -> None:
        await self._connection.stop()

    async def find(self, pid: str) -> str | None:
        """The living node, other than this one, that has a session; None where there is none."""
        moved = cast(bytes | None, await self._connection.send("GET", _key(pid)))
        node_id = moved.decode() if moved is not None else origin_of(pid)
        if node_id == self._node_id:
            return None
        reply = cast(list[bytes | int], await self._connection.send("PUBSUB", "NUMSUB", node_rpc_channel(node_id)))
        return node_id if reply[1] else None

    async def register(self, node_id: str, *pids: str) -> None:
        """Lets all nodes find these sessions on this node."""
        commands: list[tuple[Argument, ...]] = [("SET", _key(pid), node_id, "EX", MOVED_TTL_S) for pid in pids]
        for start in range(0, len(commands), IDS_PER_CALL):
            await self._connection.send_many(commands[start : start + IDS_PER_CALL])

    async def peers(self) -> list[str]:
        """All other nodes that serve clients now, sorted."""
        channels = cast(list[bytes], await self._connection.send("PUBSUB", "CHANNELS", node_rpc_channel("*")))
        nodes = {channel.decode().removeprefix(_CHANNEL_PREFIX) for channel in channels}
        return sorted(nodes - {self._node_id})


def _key(pid: str) -> str:
    return f"session-node:{pid}"
