"""A demo network as a whole: whether there is one, and how many rows are stored at once."""

from typing import Protocol


class NetworkQueries(Protocol):
    async def has_people(self) -> bool: ...

    async def postpone_foreign_keys(self) -> list[str]:
        """What `restore_foreign_keys` takes, in the same transaction."""
        ...

    async def restore_foreign_keys(self, *, statements: list[str]) -> None:
        """Raises ForeignKeyMissing; then nothing of the transaction is stored."""
        ...

    async def change_stamp(self) -> int: ...

    async def analyze_tables(self) -> None: ...
