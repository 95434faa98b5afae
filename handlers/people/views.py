"""Makes the wire models of people from rows."""

from __future__ import annotations

from handlers.people.models import Card, OwnProfile, Relation, User, UserViewer
from realtime.contract.wire import unix_ms
from sql.graph import RelatedRow
from sql.people import CardRow, OwnProfileRow, RelationRow, UserRow, ViewedCardRow


def user_view(row: UserRow, relation: RelationRow | None = None) -> User:
    """A person: with `relation` as one reader sees them, without it as they see themselves."""
    return User(
        id=row.id,
        version=row.version,
        username=row.username,
        display_name=row.display_name,
        bio=row.bio,
        follower_count=row.follower_count,
        following_count=row.following_count,
        post_count=row.post_count,
        is_private=row.is_private,
        viewer=None if relation is None or relation.is_self else _user_viewer(relation),
    )


def own_profile_view(row: OwnProfileRow) -> OwnProfile:
    """A person's own profile, as only they see it."""
    return OwnProfile(
        user=user_view(row.user), email=row.email, phone=row.phone, profile=row.profile, settings=row.settings
    )


def card_view(row: CardRow) -> Card:
    """A person inside of something else."""
    return Card(id=row.id, username=row.username, display_name=row.display_name, version=row.version)


def viewed_card_view(row: ViewedCardRow) -> Card:
    """A person inside of something that stays when they are gone."""
    return Card(
        id=row.id,
        username=row.username,
        display_name=row.display_name,
        version=row.version,
        deleted=row.is_gone or None,
    )


def relation_view(row: RelatedRow) -> Relation | None:
    """What a user has decided about another one; None: nothing."""
    if not (row.following or row.blocked or row.muted or row.requested):
        return None
    return Relation(
        user_id=row.user_id,
        following=row.following,
        blocked=row.blocked,
        muted=row.muted,
        muted_until_ms=None if row.muted_until is None else unix_ms(row.muted_until),
        requested=row.requested,
    )


def _user_viewer(relation: RelationRow) -> UserViewer:
    return UserViewer(
        following=relation.follows,
        followed_by=relation.followed_by,
        blocked=relation.blocks,
        muted=relation.mutes,
        requested=relation.requested,
    )
