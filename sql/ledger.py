"""What the database remembers of its migrations."""

from typing import NamedTuple, Protocol

from sql.unit import SqlConnection


class AppliedRow(NamedTuple):
    migration_id: str
    content_hash: bytes | None
    """SHA-256 of the file; None when the process died between applying and recording it."""


class LedgerQueries(Protocol):
    async def try_lock(self, connection: SqlConnection, *, lock_key: int) -> bool: ...

    async def create_ledger(self, connection: SqlConnection) -> None: ...

    async def has_ledger(self, connection: SqlConnection) -> bool: ...

    async def list_applied(self, connection: SqlConnection) -> list[AppliedRow]: ...

    async def record_contents(
        self, connection: SqlConnection, *, migration_ids: list[str], content_hashes: list[bytes]
    ) -> None: ...
