"""What pushes tell of, by the names under which operations withdraw it."""

from __future__ import annotations

from realtime.contract.declarations import Subject
from realtime.contract.emissions import CloseRoomsAbout, Restore, Withdraw
from realtime.contract.wire import MAX_ID


def post_subject(post_id: int, version: int = 0) -> Subject:
    return Subject(f"post:{post_id}", version)


def below_post(post_id: int) -> Subject:
    """Something that stands below a post: withdrawn with the post, and not by its edits."""
    return post_subject(post_id, MAX_ID)


def comment_subject(comment_id: int, version: int = 0) -> Subject:
    return Subject(f"comment:{comment_id}", version)


def person_subject(user_id: int) -> Subject:
    """A user's name, and what they wrote or did: withdrawn from whom they block, and from those who block them."""
    return Subject(f"user:{user_id}")


def followed_subject(author_id: int) -> Subject:
    """What an author's followers are told: withdrawn from those who do not follow them any more."""
    return Subject(f"followed:{author_id}")


def words_subject(position: int) -> Subject:
    """Words that people may have filtered, as far as filters were known at this position.

    Withdrawn from somebody who sets a filter, in all versions that did not know of it.
    """
    return Subject("words", position)


def feed_subject(author_id: int) -> Subject:
    """An author's posts in the feeds of others: withdrawn from those who mute the author, who see them elsewhere."""
    return Subject(f"in_feeds:{author_id}")


def withdraw_between(user_id: int, other_id: int) -> tuple[Withdraw, Withdraw]:
    """Neither of two users is told of the other any more."""
    return (
        Withdraw(person_subject(user_id).name, user_ids=(other_id,)),
        Withdraw(person_subject(other_id).name, user_ids=(user_id,)),
    )


def restore_between(user_id: int, other_id: int) -> tuple[Restore, Restore]:
    """Each of two users may be told of the other again."""
    return (
        Restore(person_subject(user_id).name, (other_id,)),
        Restore(person_subject(other_id).name, (user_id,)),
    )


def withdraw_person(user_id: int) -> tuple[Withdraw, CloseRoomsAbout]:
    """Nobody is told of a user any more, and nobody stays in a room of what they published."""
    subject = person_subject(user_id).name
    return (Withdraw(subject), CloseRoomsAbout(subject))


def restore_person(user_id: int) -> tuple[Restore]:
    """Others may be told of a user again, but for those to whom a block forbids it."""
    return (Restore(person_subject(user_id).name, None),)
