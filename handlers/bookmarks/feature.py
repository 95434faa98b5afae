"""The bookmarks feature."""

from __future__ import annotations

from typing import Final

from handlers.bookmarks import contract, operations
from handlers.collections import BoundCollection
from handlers.feature import Feature, bind_command

FEATURE: Final = Feature(
    name="bookmarks",
    commands=(
        bind_command(contract.BOOKMARK_ADD, operations.add_bookmark),
        bind_command(contract.BOOKMARK_REMOVE, operations.remove_bookmark),
        bind_command(contract.BOOKMARK_LIST, operations.list_bookmarks),
    ),
    collections=(BoundCollection(contract.BOOKMARKS, lambda peek: peek.bookmarks, operations.read_bookmarks),),
)
