"""The people feature."""

from __future__ import annotations

from typing import Final

from handlers.collections import BoundCollection
from handlers.feature import Feature, bind_command
from handlers.people import contract, operations
from handlers.people.relations import read_relations

FEATURE: Final = Feature(
    name="people",
    commands=(
        bind_command(contract.USER_ME, operations.show_me),
        bind_command(contract.USER_GET, operations.show_person),
        bind_command(contract.USER_UPDATE, operations.update_me),
        bind_command(contract.USER_FOLLOW, operations.follow),
        bind_command(contract.USER_UNFOLLOW, operations.unfollow),
        bind_command(contract.USER_BLOCK, operations.block),
        bind_command(contract.USER_UNBLOCK, operations.unblock),
        bind_command(contract.USER_FOLLOWERS, operations.list_followers),
        bind_command(contract.USER_FOLLOWING, operations.list_following),
    ),
    collections=(
        BoundCollection(contract.ME, lambda peek: peek.me, operations.read_me),
        BoundCollection(contract.RELATIONS, lambda peek: peek.relations, read_relations),
    ),
    facts=(contract.FOLLOW_CREATED, contract.FOLLOW_ENDED),
)
