"""Who may see and do what: pure functions over the relation that SQL read beside the object.

Whoever may not see a thing is answered as if there were none; whoever may see it but not do this to it, `forbidden`.
"""

from __future__ import annotations

from realtime.contract.errors import FORBIDDEN, NOT_FOUND, CommandError
from sql.people import RelationRow

HIDDEN_UNTIL_FOLLOWED = "followers"
OPEN = "public"


def is_blocked(relation: RelationRow) -> bool:
    """A block in either direction."""
    return relation.blocks or relation.blocked_by


def may_see_person(relation: RelationRow) -> bool:
    """Whom the reader blocks they still see, or they could not take the block back."""
    return not relation.blocked_by


def may_see_content(author: RelationRow, visibility: str) -> bool:
    """Whether the reader sees what this author published with this visibility."""
    if author.is_self:
        return True
    if is_blocked(author):
        return False
    return visibility == OPEN or (visibility == HIDDEN_UNTIL_FOLLOWED and author.follows)


def may_see_comment(author: RelationRow) -> bool:
    """Whether the reader sees what this author wrote below a post that the reader sees."""
    return not is_blocked(author)


def may_message(relation: RelationRow) -> bool:
    """Nobody writes to themselves, or over a block in either direction."""
    return not relation.is_self and not is_blocked(relation)


def may_delete_comment(*, author: RelationRow, post_author: RelationRow) -> bool:
    """One's own comment, and any comment on one's own post."""
    return author.is_self or post_author.is_self


def require_visible(visible: bool) -> None:
    """Ends the command with `not_found` for what is hidden."""
    if not visible:
        raise CommandError(NOT_FOUND)


def require_allowed(allowed: bool) -> None:
    """Ends the command with `forbidden`; only for what the caller may see."""
    if not allowed:
        raise CommandError(FORBIDDEN)
