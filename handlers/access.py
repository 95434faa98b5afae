"""Access rules: pure functions over the relation that SQL reads beside the object.

A caller who may not see an object gets `not_found`; one who may see it, but not do this to it, gets `forbidden`.
"""

from __future__ import annotations

from realtime.contract.errors import FORBIDDEN, NOT_FOUND, CommandError
from sql.people import RelationRow

HIDDEN_UNTIL_FOLLOWED = "followers"
OPEN = "public"


def is_blocked(relation: RelationRow) -> bool:
    """Whether there is a block in either direction."""
    return relation.blocks or relation.blocked_by


def may_see_person(relation: RelationRow) -> bool:
    """False for a person who blocks the reader. Readers see people whom they block, to be able to unblock them."""
    return not relation.blocked_by


def may_see_content(author: RelationRow, visibility: str) -> bool:
    """Whether the reader sees what this author published with this visibility."""
    if author.is_self:
        return True
    if is_blocked(author):
        return False
    if visibility == OPEN and not author.followers_only:
        return True
    return visibility in (OPEN, HIDDEN_UNTIL_FOLLOWED) and author.follows


def may_see_comment(author: RelationRow) -> bool:
    """Whether the reader sees this author's comments on a post that the reader sees."""
    return not is_blocked(author)


def may_message(relation: RelationRow) -> bool:
    """False towards oneself, and where a block in either direction exists."""
    return not relation.is_self and not is_blocked(relation)


def may_delete_comment(*, author: RelationRow, post_author: RelationRow) -> bool:
    """Authors delete their own comments, and every comment on their own posts."""
    return author.is_self or post_author.is_self


def require_visible(visible: bool) -> None:
    """Raises `not_found` unless the caller may see the object."""
    if not visible:
        raise CommandError(NOT_FOUND)


def require_allowed(allowed: bool) -> None:
    """Raises `forbidden` unless this is allowed; only for what the caller may see."""
    if not allowed:
        raise CommandError(FORBIDDEN)
