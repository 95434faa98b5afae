"""The people feature."""

from __future__ import annotations

from typing import Final

from handlers.feature import Feature, bind
from handlers.people import contract, operations

FEATURE: Final = Feature(
    name="people",
    commands=(
        bind(contract.USER_ME, operations.show_me),
        bind(contract.USER_GET, operations.show_person),
        bind(contract.USER_UPDATE, operations.update_me),
        bind(contract.USER_FOLLOW, operations.follow),
        bind(contract.USER_UNFOLLOW, operations.unfollow),
        bind(contract.USER_BLOCK, operations.block),
        bind(contract.USER_UNBLOCK, operations.unblock),
        bind(contract.USER_FOLLOWERS, operations.list_followers),
        bind(contract.USER_FOLLOWING, operations.list_following),
    ),
    facts=(contract.FOLLOW_CREATED,),
)
