"""People as SQL tells them, as the wire shows them."""

from __future__ import annotations

from handlers.people.models import User, UserViewer
from sql.people import Relation, UserCard


def user_view(card: UserCard, relation: Relation | None = None) -> User:
    """A person; with `relation` as one reader sees them, without it as it may stand in a push."""
    return User(
        id=card.id,
        username=card.username,
        display_name=card.display_name,
        bio=card.bio,
        avatar_url=card.avatar_url,
        follower_count=card.follower_count,
        following_count=card.following_count,
        post_count=card.post_count,
        is_private=card.is_private,
        viewer=None if relation is None or relation.is_self else _viewer_of(relation),
    )


def _viewer_of(relation: Relation) -> UserViewer:
    return UserViewer(following=relation.follows, followed_by=relation.followed_by, blocked=relation.blocks)
