"""The posts feature."""

from __future__ import annotations

from typing import Final

from handlers.feature import Feature, bind_command, bind_plain_command, bind_prepared_command
from handlers.posts import contract, operations, watching

FEATURE: Final = Feature(
    name="posts",
    commands=(
        bind_command(contract.POST_CREATE, operations.create_post),
        bind_command(contract.POST_GET, operations.show_post),
        bind_command(contract.POST_UPDATE, operations.update_post),
        bind_command(contract.POST_HIDE, operations.hide_post),
        bind_command(contract.POST_HISTORY, operations.list_versions),
        bind_command(contract.POST_DELETE, operations.delete_post),
        bind_command(contract.POST_LIST, operations.list_posts),
        bind_command(contract.POST_LIKE, operations.like_post),
        bind_command(contract.POST_UNLIKE, operations.unlike_post),
        bind_command(contract.POST_LIKERS, operations.list_likers),
        bind_prepared_command(contract.POST_WATCH, watching.enter_room, watching.watch_post),
        bind_plain_command(contract.POST_UNWATCH, watching.unwatch_post),
    ),
    pushes=(contract.POST_UPDATED, contract.POST_DELETED),
    facts=(contract.POST_CREATED, contract.POST_SHOWN, contract.POST_CHANGED),
)
