"""Runs Lua scripts inside Redis."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha1
from pathlib import Path

from redis.exceptions import NoScriptError, ResponseError

from realtime.redis.pipelined_connection import Argument, PipelinedConnection

_FOLDER = Path(__file__).parent / "lua"

Call = tuple[Sequence[Argument], Sequence[Argument]]
"""The keys and the arguments of one run."""


class LuaScript:
    """One script of the folder `lua`, called by its digest; a server that does not know the digest gets the text.

    The last of `names` is the script; the files before it define functions that it uses.
    """

    def __init__(self, *names: str) -> None:
        self._text = "".join((_FOLDER / f"{name}.lua").read_text() for name in names)
        self._digest = sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    async def run(self, connection: PipelinedConnection, keys: Sequence[Argument], *arguments: Argument) -> object:
        """The answer of one run. Raises StoreUnavailable, or ResponseError where the script failed."""
        return (await self.run_many(connection, [(keys, arguments)]))[0]

    async def run_many(self, connection: PipelinedConnection, calls: Sequence[Call]) -> list[object]:
        """The answers of several runs in one round trip, in the order of `calls`."""
        replies = await connection.send_many([self._command("EVALSHA", self._digest, call) for call in calls])
        unknown = [index for index, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if unknown:
            again = await connection.send_many([self._command("EVAL", self._text, calls[index]) for index in unknown])
            for index, reply in zip(unknown, again, strict=True):
                replies[index] = reply
        for reply in replies:
            if isinstance(reply, ResponseError):
                raise reply
        return replies

    @staticmethod
    def _command(verb: str, script: str, call: Call) -> tuple[Argument, ...]:
        keys, arguments = call
        return (verb, script, len(keys), *keys, *arguments)
