"""Which node holds a session that its client may come back to, and which nodes could take one."""

from __future__ import annotations

from typing import cast

from redis.asyncio import Redis

from realtime.redis.pipelined_connection import Argument, PipelinedConnection

MOVED_TTL_S = 86_400
"""How long it is known where a session has moved; it is told again whenever its client is lost."""
IDS_PER_CALL = 500

_LETTERS_PREFIX = "sessions:"


def node_rpc_channel(node_id: str) -> str:
    """Where a node that serves clients takes what others have to say about sessions."""
    return _LETTERS_PREFIX + node_id


def home_of(pid: str) -> str:
    """The node that a session began on."""
    return pid.partition(".")[0]


class SessionDirectory:
    """Finds directory through Redis: a private id names the node that it began on, a key where it has moved since.

    A node is alive while it hears its rpc, which the broker knows best. Everything raises StoreUnavailable.
    """

    def __init__(self, redis: Redis, node_id: str) -> None:
        self._node_id = node_id
        self._connection = PipelinedConnection(redis)

    async def stop(self) -> None:
        await self._connection.stop()

    async def find(self, pid: str) -> str | None:
        """The living node, another than this one, that holds a session; None where there is none."""
        moved = cast(bytes | None, await self._connection.send("GET", _key(pid)))
        node_id = moved.decode() if moved is not None else home_of(pid)
        if node_id == self._node_id:
            return None
        reply = cast(list[bytes | int], await self._connection.send("PUBSUB", "NUMSUB", node_rpc_channel(node_id)))
        return node_id if reply[1] else None

    async def moved(self, node_id: str, *pids: str) -> None:
        """From now on this node is known to hold these sessions."""
        commands: list[tuple[Argument, ...]] = [("SET", _key(pid), node_id, "EX", MOVED_TTL_S) for pid in pids]
        for start in range(0, len(commands), IDS_PER_CALL):
            await self._connection.send_many(commands[start : start + IDS_PER_CALL])

    async def peers(self) -> list[str]:
        """All other nodes that serve clients now, sorted."""
        channels = cast(list[bytes], await self._connection.send("PUBSUB", "CHANNELS", node_rpc_channel("*")))
        nodes = {channel.decode().removeprefix(_LETTERS_PREFIX) for channel in channels}
        return sorted(nodes - {self._node_id})


def _key(pid: str) -> str:
    return f"session-holder:{pid}"
