"""The record of migrations that were applied to the database."""

from typing import NamedTuple, Protocol


class AppliedRow(NamedTuple):
    migration_id: str
    content_hash: bytes
    """SHA-256 of the file."""


class LedgerQueries(Protocol):
    async def try_lock(self, *, lock_key: int) -> bool: ...

    async def create_ledger(self) -> None: ...

    async def has_ledger(self) -> bool: ...

    async def list_applied(self) -> list[AppliedRow]: ...

    async def record_content(self, *, migration_id: str, content_hash: bytes) -> None: ...
