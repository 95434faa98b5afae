"""A whole network at once: is there one, and its counters after a copy."""

from typing import Protocol

from sql.unit import SqlConnection


class NetworkQueries(Protocol):
    async def has_people(self, connection: SqlConnection) -> bool: ...

    async def recount_people(
        self, connection: SqlConnection, *, user_ids: list[int], broadcaster_threshold: int
    ) -> None: ...

    async def recount_posts(self, connection: SqlConnection, *, post_ids: list[int]) -> None: ...

    async def analyze_tables(self, connection: SqlConnection) -> None: ...
