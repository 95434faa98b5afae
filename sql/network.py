"""A whole network at once: is there one, and its counters after a copy."""

from typing import Protocol

from sql.unit import Connection


class NetworkQueries(Protocol):
    async def has_people(self, connection: Connection) -> bool: ...

    async def recount_people(
        self, connection: Connection, *, user_ids: list[int], broadcaster_threshold: int
    ) -> None: ...

    async def recount_posts(self, connection: Connection, *, post_ids: list[int]) -> None: ...

    async def analyze_tables(self, connection: Connection) -> None: ...
