-- name: insert_comment(id_limits, post_ids, parent_ids, author_ids, texts, client_ids, patient)
-- Stores a comment on a post, or a reply to a comment of that post, and counts it on both. Its id, and so its time, is
-- made under the lock of the post, so that ids and times of a post's comments follow the order of their commits. Also
-- reads who does not get to see it. posts_pkey, comments_pkey, comments_client_id_key, users_pkey, blocks_pkey,
-- blocks_blocked_idx, word_filters_first_word_idx (one probe for each word); 0 or 1 row a call, none for a repeated client_id, and where the post or the parent comment is
-- deleted.
SELECT
    made.place,
    made.skipped,
    comment.*,
    author.*,
    r.*,
    viewer.*,
    ARRAY(
        SELECT hidden.id
        FROM (
            SELECT blocked.id
            FROM hidden_from(made.author_id, made.parent_id) blocked
            UNION
            SELECT filtered.id
            FROM filtered_from(made.author_id, made.parent_id, (made.comment).text) filtered
        ) hidden
        LIMIT (:id_limits::bigint[])[made.place]
    ) AS hidden_from,
    here.position AS filters_position
FROM create_comments(
    :post_ids::bigint[],
    :parent_ids::bigint[],
    :author_ids::bigint[],
    :texts::text[],
    :client_ids::text[],
    :patient::boolean
) made
CROSS JOIN (SELECT stamp_horizon() AS position OFFSET 0) here
LEFT JOIN LATERAL comment_row(made.comment) comment ON true
LEFT JOIN LATERAL card(made.author_id) author ON true
LEFT JOIN LATERAL relation(made.author_id, made.author_id) r ON true
LEFT JOIN LATERAL comment_viewer(made.author_id, (made.comment).id) viewer ON true;

-- name: find_comment(author_id, client_id)$
-- The comment of an earlier try with this client_id, also if it was deleted since. comments_client_id_key; 0 or 1 row.
SELECT c.id
FROM comments c
WHERE c.author_id = :author_id AND c.client_id = :client_id;

-- name: read_comment(viewer_ids, comment_ids)
-- One comment, deleted or not, also of a deleted post. The caller checks access.
-- comments_pkey, users_pkey, follows_pkey, blocks_pkey, comment_likes_pkey; 0 or 1 row a call.
SELECT call.place, comment.*, author.*, r.*, viewer.*
FROM unnest(:viewer_ids::bigint[], :comment_ids::bigint[]) WITH ORDINALITY AS call (viewer_id, comment_id, place)
JOIN comments c ON c.id = call.comment_id
CROSS JOIN LATERAL comment_row(c) comment
CROSS JOIN LATERAL card(c.author_id) author
CROSS JOIN LATERAL relation(call.viewer_id, c.author_id) r
CROSS JOIN LATERAL comment_viewer(call.viewer_id, c.id) viewer;

-- name: hidden_from(comment_ids, id_limits)
-- Who sees a comment neither in lists nor live. comments_pkey, blocks_pkey, blocks_blocked_idx; at most id_limit rows a
-- call.
SELECT call.place, hidden.id
FROM unnest(:comment_ids::bigint[], :id_limits::bigint[]) WITH ORDINALITY AS call (comment_id, id_limit, place)
JOIN comments c ON c.id = call.comment_id
CROSS JOIN LATERAL (
    SELECT other.id
    FROM hidden_from(c.author_id, c.parent_id) other
    LIMIT call.id_limit
) hidden;

-- name: left_out(comment_ids, id_limits)
-- Who is not told of a comment as it is now: who sees it neither in lists nor live, or has a filter that hides it or one
-- above it. comments_pkey, blocks_pkey, blocks_blocked_idx, word_filters_first_word_idx; 0 or 1 row a call.
SELECT
    call.place,
    ARRAY(
        SELECT hidden.id
        FROM (
            SELECT blocked.id
            FROM hidden_from(c.author_id, c.parent_id) blocked
            UNION
            SELECT filtered.id
            FROM filtered_from(c.author_id, c.parent_id, c.text) filtered
        ) hidden
        LIMIT call.id_limit
    ) AS hidden_from,
    here.position AS filters_position
FROM unnest(:comment_ids::bigint[], :id_limits::bigint[]) WITH ORDINALITY AS call (comment_id, id_limit, place)
CROSS JOIN (SELECT stamp_horizon() AS position OFFSET 0) here
JOIN comments c ON c.id = call.comment_id;

-- name: list_comments(viewer_ids, post_ids, befores, page_sizes)
-- A page of the comments on the post itself, newest first, without authors with a block in either direction, and without
-- those that a filter of the viewer hides: where it hides many, all comments on the post may be read. A deleted comment, and
-- one of a hidden user, is included while it has replies. comments_post_idx, word_filters_pkey, comment_likes_pkey; at most
-- page_size rows a call.
SELECT call.place, page.*
FROM unnest(:viewer_ids::bigint[], :post_ids::bigint[], :befores::bigint[], :page_sizes::bigint[])
    WITH ORDINALITY AS call (viewer_id, post_id, before, page_size, place)
CROSS JOIN LATERAL (
    SELECT comment.*, author.*, r.*, viewer.*
    FROM comments c
    CROSS JOIN LATERAL comment_row(c) comment
    CROSS JOIN LATERAL card(c.author_id) author
    CROSS JOIN LATERAL relation(call.viewer_id, c.author_id) r
    CROSS JOIN LATERAL comment_viewer(call.viewer_id, c.id) viewer
    WHERE
        c.post_id = call.post_id
        AND c.parent_id IS NULL
        AND c.id < call.before
        AND may_see_comment(
            c.reply_count, comment.is_deleted, comment.is_by_hidden, r.viewer_blocks, r.viewer_blocked_by
        )
        AND (
            comment.is_deleted
            OR NOT (SELECT says.is_hidden FROM says_filtered(call.viewer_id, c.author_id, c.text) says)
        )
    ORDER BY c.id DESC
    LIMIT call.page_size
) page
ORDER BY 1, 2 DESC;

-- name: list_replies(viewer_ids, post_ids, parent_ids, befores, page_sizes)
-- The same for the replies to a comment. comments_parent_idx; at most page_size rows a call.
SELECT call.place, page.*
FROM unnest(
    :viewer_ids::bigint[],
    :post_ids::bigint[],
    :parent_ids::bigint[],
    :befores::bigint[],
    :page_sizes::bigint[]
) WITH ORDINALITY AS call (viewer_id, post_id, parent_id, before, page_size, place)
CROSS JOIN LATERAL (
    SELECT comment.*, author.*, r.*, viewer.*
    FROM comments c
    CROSS JOIN LATERAL comment_row(c) comment
    CROSS JOIN LATERAL card(c.author_id) author
    CROSS JOIN LATERAL relation(call.viewer_id, c.author_id) r
    CROSS JOIN LATERAL comment_viewer(call.viewer_id, c.id) viewer
    WHERE
        c.parent_id = call.parent_id
        AND c.post_id = call.post_id
        AND c.id < call.before
        AND may_see_comment(
            c.reply_count, comment.is_deleted, comment.is_by_hidden, r.viewer_blocks, r.viewer_blocked_by
        )
        AND (
            comment.is_deleted
            OR NOT (SELECT says.is_hidden FROM says_filtered(call.viewer_id, c.author_id, c.text) says)
        )
    ORDER BY c.id DESC
    LIMIT call.page_size
) page
ORDER BY 1, 2 DESC;

-- name: update_comment(comment_id, author_id, text)^
-- Changes the text of the author's own comment; it is edited, and gets another version, only if the text differs.
-- comments_pkey; 0 or 1 row.
WITH earlier AS (
    SELECT c.id, c.text <> :text AS differs
    FROM comments c
    WHERE c.id = :comment_id AND c.author_id = :author_id AND c.deleted_at IS NULL
    FOR NO KEY UPDATE
)
UPDATE comments
SET
    text = :text,
    version = comments.version + earlier.differs::integer,
    edited_at = CASE WHEN earlier.differs THEN now() ELSE comments.edited_at END
FROM earlier
WHERE comments.id = earlier.id
RETURNING comments.version, earlier.differs AS changed;

-- name: set_like(comment_ids, user_ids, wanteds, patient)
-- Sets whether a user likes a comment, and changes the counter by the rows that were really added or removed. Likes of a
-- deleted comment can only be removed. comments_pkey, comment_likes_pkey; 0 or 1 row a call, none where there is no such
-- comment.
SELECT done.*
FROM set_comment_likes(:comment_ids::bigint[], :user_ids::bigint[], :wanteds::boolean[], :patient::boolean) done;

-- name: delete_comment(comment_id)^
-- Deletes a comment and decrements the count of its post; call it after lock_post, since it reads counters before it
-- changes them. A comment without replies is hidden, so its parent has one reply less; a deleted parent that loses its
-- last reply is hidden too, and so on upwards. comments_pkey, posts_pkey; one row the first time, then none.
WITH RECURSIVE gone AS (
    UPDATE comments
    SET deleted_at = now(), version = version + 1
    WHERE id = :comment_id AND deleted_at IS NULL
    RETURNING id, post_id, parent_id, reply_count
), loses_a_reply (id) AS (
    SELECT gone.parent_id
    FROM gone
    WHERE gone.reply_count = 0
    UNION ALL
    SELECT c.parent_id
    FROM loses_a_reply l
    JOIN comments c ON c.id = l.id
    WHERE c.deleted_at IS NOT NULL AND c.reply_count = 1
), counted_by_parents AS (
    UPDATE comments
    SET reply_count = reply_count - 1
    FROM loses_a_reply
    WHERE comments.id = loses_a_reply.id
)
UPDATE posts
SET comment_count = comment_count - 1
FROM gone
WHERE posts.id = gone.post_id
RETURNING posts.id AS post_id, posts.comment_count, gone.reply_count > 0 AS is_tombstone;
