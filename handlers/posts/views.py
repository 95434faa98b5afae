"""Makes the wire model of posts from rows."""

from __future__ import annotations

from handlers.people.views import card_view
from handlers.polls.views import poll_view
from handlers.posts.entities import mentions_of, tags_of, urls_of
from handlers.posts.models import Post, PostVersion
from realtime.contract.wire import unix_ms
from sql.posts import PostRow, PostVersionRow


def pushed_post_view(row: PostRow, shared: PostRow | None = None) -> Post:
    """A post as a push has it: nothing in it depends on the reader. `shared` only for readers who may see that post."""
    poll = None if row.poll is None else poll_view(row.poll, shows_results=False)
    inner = None if shared is None else pushed_post_view(shared)
    return bare_post_view(row).model_copy(update={"poll": poll, "shared": inner})


def bare_post_view(row: PostRow) -> Post:
    """A post without what is put into it at each read."""
    return Post(
        id=row.id,
        version=row.version,
        author=card_view(row.author),
        kind=row.kind,
        text=row.text,
        link=row.link,
        visibility=chosen_visibility(row),
        hidden_by=row.hidden_by,
        replies=row.replies,
        sensitive=row.sensitive,
        tags=tags_of(row.entities),
        mentions=mentions_of(row.entities),
        links=urls_of(row.entities),
        like_count=row.like_count,
        comment_count=row.comment_count,
        share_count=row.share_count,
        created_at_ms=unix_ms(row.created_at),
        edited_at_ms=None if row.edited_at is None else unix_ms(row.edited_at),
    )


def chosen_visibility(row: PostRow) -> str:
    """Who may see the post by its author's choice, also where it is hidden."""
    return row.visibility_if_shown or row.visibility


def post_version_view(row: PostVersionRow) -> PostVersion:
    """An earlier text, the same for every reader of the post."""
    return PostVersion(version=row.version, text=row.text, written_at_ms=unix_ms(row.written_at))
