"""The comments feature."""

from __future__ import annotations

from typing import Final

from handlers.comments import contract, operations
from handlers.feature import Feature, bind

FEATURE: Final = Feature(
    name="comments",
    commands=(
        bind(contract.COMMENT_CREATE, operations.create_comment),
        bind(contract.COMMENT_LIST, operations.list_comments),
        bind(contract.COMMENT_DELETE, operations.delete_comment),
    ),
)
