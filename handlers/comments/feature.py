"""The comments feature."""

from __future__ import annotations

from typing import Final

from handlers.comments import contract, operations
from handlers.feature import Feature, bind_command

FEATURE: Final = Feature(
    name="comments",
    commands=(
        bind_command(contract.COMMENT_CREATE, operations.create_comment),
        bind_command(contract.COMMENT_LIST, operations.list_comments),
        bind_command(contract.COMMENT_UPDATE, operations.update_comment),
        bind_command(contract.COMMENT_LIKE, operations.like_comment),
        bind_command(contract.COMMENT_UNLIKE, operations.unlike_comment),
        bind_command(contract.COMMENT_DELETE, operations.delete_comment),
    ),
    pushes=(contract.COMMENT_CREATED, contract.COMMENT_UPDATED, contract.COMMENT_DELETED),
)
