-- name: insert_bookmark(user_id, post_id)$
-- Bookmarks a post that is not deleted, as the user's newest one. posts_pkey, bookmarks_pkey; the id of the bookmark, no
-- row where there was one, or no such post.
INSERT INTO bookmarks (user_id, post_id, author_id)
SELECT :user_id, p.id, p.author_id
FROM posts p
WHERE p.id = :post_id AND p.deleted_at IS NULL
ON CONFLICT (user_id, post_id) DO UPDATE
SET id = excluded.id, changed = excluded.changed, removed_at = NULL
WHERE bookmarks.removed_at IS NOT NULL
RETURNING id;

-- name: remove_bookmark(user_id, post_id)$
-- Removes a bookmark, whatever became of the post; what is left of it tells so. bookmarks_pkey; one row if there was one.
UPDATE bookmarks
SET removed_at = now(), changed = change_stamp()
WHERE user_id = :user_id AND post_id = :post_id AND removed_at IS NULL
RETURNING true;

-- name: list_bookmarks(viewer_ids, befores, page_sizes)
-- A page of the posts that a viewer has bookmarked and may see, the newest bookmark first. bookmarks_newest_idx,
-- posts_pkey, users_pkey, follows_pkey, blocks_pkey, post_likes_pkey; at most page_size rows a call.
SELECT call.place, page.*
FROM unnest(:viewer_ids::bigint[], :befores::bigint[], :page_sizes::bigint[])
    WITH ORDINALITY AS call (viewer_id, before, page_size, place)
CROSS JOIN LATERAL (
    SELECT b.id, state.*
    FROM bookmarks b
    JOIN posts p ON p.id = b.post_id
    CROSS JOIN LATERAL post_state(call.viewer_id, p) state
    CROSS JOIN LATERAL relation(call.viewer_id, p.author_id) r
    WHERE
        b.user_id = call.viewer_id
        AND b.removed_at IS NULL
        AND b.id < call.before
        AND p.deleted_at IS NULL
        AND may_see_content(
            p.visibility, r.viewer_is_self, r.viewer_follows, r.viewer_blocks, r.viewer_blocked_by,
            r.followers_only
        )
    ORDER BY b.id DESC
    LIMIT call.page_size
) page
ORDER BY 1, 2 DESC;

-- name: changed_bookmarks(viewer_ids, sinces, page_sizes)
-- The posts whose bookmark by a viewer has changed since a position, or that are bookmarked and have changed, each with what
-- the viewer may see of it if it still is bookmarked, in no order; or one row which says that all bookmarks have to be
-- read anew. users_pkey, users_published_changed_idx, bookmarks_author_idx, bookmarks_changed_idx, bookmarks_newest_idx,
-- bookmarks_pkey, posts_pkey, follows_pkey, blocks_pkey, post_likes_pkey; at most twice page_size rows a call.
SELECT call.place, call.is_reset, changed.post_id, seen.*
FROM (
    SELECT asked.*, anew.bookmarks_hidden AS is_reset
    FROM unnest(:viewer_ids::bigint[], :sinces::bigint[], :page_sizes::bigint[])
        WITH ORDINALITY AS asked (viewer_id, since, page_size, place)
    CROSS JOIN LATERAL bookmarks_hidden(asked.viewer_id, asked.since) anew
    OFFSET 0
) call
LEFT JOIN LATERAL (
    (
        SELECT b.post_id
        FROM bookmarks b
        WHERE NOT call.is_reset AND b.user_id = call.viewer_id AND b.changed >= call.since
        LIMIT call.page_size
    )
    UNION
    (
        SELECT b.post_id
        FROM bookmarks b
        CROSS JOIN LATERAL (
            SELECT FROM posts p WHERE p.id = b.post_id AND p.changed >= call.since OFFSET 0
        ) one
        WHERE NOT call.is_reset AND b.user_id = call.viewer_id AND b.removed_at IS NULL
        LIMIT call.page_size
    )
) changed ON true
LEFT JOIN LATERAL (
    SELECT b.id, state.*
    FROM bookmarks b
    JOIN posts p ON p.id = b.post_id
    CROSS JOIN LATERAL post_state(call.viewer_id, p) state
    CROSS JOIN LATERAL relation(call.viewer_id, p.author_id) r
    WHERE
        b.user_id = call.viewer_id
        AND b.post_id = changed.post_id
        AND b.removed_at IS NULL
        AND p.deleted_at IS NULL
        AND may_see_content(
            p.visibility, r.viewer_is_self, r.viewer_follows, r.viewer_blocks, r.viewer_blocked_by,
            r.followers_only
        )
) seen ON true
WHERE call.is_reset OR changed.post_id IS NOT NULL
ORDER BY 1;

-- name: delete_old_bookmarks(removed_before, batch_size)$
-- Deletes what is left of bookmarks that were removed before a moment. bookmarks_removed_idx; one row, the number of
-- deleted rows.
WITH deleted AS (
    DELETE FROM bookmarks
    WHERE ctid = ANY(ARRAY(
        SELECT b.ctid
        FROM bookmarks b
        WHERE b.removed_at < :removed_before
        LIMIT :batch_size
        FOR UPDATE SKIP LOCKED
    ))
    RETURNING user_id
)
SELECT count(*) FROM deleted;
