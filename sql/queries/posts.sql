-- name: insert_post(author_id, kind, text, link, visibility, client_id)^
-- Publishes a post, counts it with its author, and shows it to them. users_pkey, posts_client_id_key; one row, or none
-- for a repeated client_id.
WITH made AS (
    INSERT INTO posts (author_id, kind, text, link, visibility, client_id)
    VALUES (:author_id, :kind, :text, :link, :visibility, :client_id)
    ON CONFLICT (author_id, client_id) WHERE client_id IS NOT NULL DO NOTHING
    RETURNING posts AS post
), counted AS (
    UPDATE users
    SET post_count = post_count + 1
    FROM made
    WHERE users.id = (made.post).author_id
)
SELECT post.*, author.*, r.*, viewer.*
FROM made
CROSS JOIN LATERAL post_row(made.post) post
CROSS JOIN LATERAL card(:author_id) author
CROSS JOIN LATERAL relation(:author_id, :author_id) r
CROSS JOIN LATERAL post_viewer(:author_id, post.id) viewer;

-- name: find_post(author_id, client_id)$
-- The post that an earlier try with this client_id made, be it deleted since. posts_client_id_key; 0 or 1 row.
SELECT p.id
FROM posts p
WHERE p.author_id = :author_id AND p.client_id = :client_id;

-- name: read_post(viewer_id, post_id)^
-- One post that is not deleted, whoever may see it: access is the caller's decision.
-- posts_pkey, users_pkey, follows_pkey, blocks_pkey, post_likes_pkey; 0 or 1 row.
SELECT post.*, author.*, r.*, viewer.*
FROM posts p
CROSS JOIN LATERAL post_row(p) post
CROSS JOIN LATERAL card(p.author_id) author
CROSS JOIN LATERAL relation(:viewer_id, p.author_id) r
CROSS JOIN LATERAL post_viewer(:viewer_id, p.id) viewer
WHERE p.id = :post_id AND p.deleted_at IS NULL;

-- name: hydrate_posts(viewer_id, post_ids)
-- Those of these posts that the viewer may see, newest first.
-- posts_pkey, users_pkey, follows_pkey, blocks_pkey, post_likes_pkey; at most one row an id.
SELECT post.*, author.*, r.*, viewer.*
FROM posts p
CROSS JOIN LATERAL post_row(p) post
CROSS JOIN LATERAL card(p.author_id) author
CROSS JOIN LATERAL relation(:viewer_id, p.author_id) r
CROSS JOIN LATERAL post_viewer(:viewer_id, p.id) viewer
WHERE
    p.id = ANY(:post_ids::bigint[])
    AND p.deleted_at IS NULL
    AND may_see_content(
        p.visibility, r.viewer_is_self, r.viewer_follows, r.viewer_blocks, r.viewer_blocked_by
    )
ORDER BY p.id DESC;

-- name: list_posts(viewer_id, author_id, before, skip, page_size)
-- A page of what one author published and the viewer may see, newest first. posts_author_idx; at most page_size rows
-- after those that are skipped.
SELECT post.*, author.*, r.*, viewer.*
FROM posts p
CROSS JOIN LATERAL post_row(p) post
CROSS JOIN LATERAL card(p.author_id) author
CROSS JOIN LATERAL relation(:viewer_id, p.author_id) r
CROSS JOIN LATERAL post_viewer(:viewer_id, p.id) viewer
WHERE
    p.author_id = :author_id
    AND p.id < :before
    AND p.deleted_at IS NULL
    AND may_see_content(
        p.visibility, r.viewer_is_self, r.viewer_follows, r.viewer_blocks, r.viewer_blocked_by
    )
ORDER BY p.id DESC
OFFSET :skip
LIMIT :page_size;

-- name: update_post(post_id, author_id, text, visibility)$
-- Changes what was given (NULL: not given) of the author's own post; it counts as edited only when something differs.
-- posts_pkey; 0 or 1 row.
UPDATE posts
SET
    text = coalesce(:text, text),
    visibility = coalesce(:visibility, visibility),
    edited_at = CASE WHEN :text <> text OR :visibility <> visibility THEN now() ELSE edited_at END
WHERE id = :post_id AND author_id = :author_id AND deleted_at IS NULL
RETURNING true;

-- name: delete_post(post_id, author_id)$
-- Takes the author's own post away and counts it off. posts_pkey, users_pkey; one row, whether it was there until now;
-- none when it is not this author's.
WITH gone AS (
    UPDATE posts
    SET deleted_at = now()
    WHERE id = :post_id AND author_id = :author_id AND deleted_at IS NULL
    RETURNING author_id
), counted AS (
    UPDATE users
    SET post_count = post_count - 1
    FROM gone
    WHERE users.id = gone.author_id
)
SELECT EXISTS (SELECT FROM gone)
FROM posts p
WHERE p.id = :post_id AND p.author_id = :author_id;

-- name: lock_post(post_id)$
-- Holds a post until the transaction ends: its comments then change one transaction after the other.
-- posts_pkey; 0 or 1 row, none for a deleted post.
SELECT p.id
FROM posts p
WHERE p.id = :post_id AND p.deleted_at IS NULL
FOR NO KEY UPDATE;

-- name: like_post(post_id, user_id)^
-- One like per person and post; the counter moves with the row only. post_likes_pkey, posts_pkey;
-- one row, none for a deleted post.
WITH liked AS (
    INSERT INTO post_likes (post_id, user_id)
    SELECT p.id, :user_id
    FROM posts p
    WHERE p.id = :post_id AND p.deleted_at IS NULL
    ON CONFLICT DO NOTHING
    RETURNING post_id
), counted AS (
    UPDATE posts
    SET like_count = like_count + 1
    FROM liked
    WHERE posts.id = liked.post_id
    RETURNING posts.like_count
)
SELECT true AS changed, counted.like_count
FROM counted
UNION ALL
SELECT false, p.like_count
FROM posts p
WHERE p.id = :post_id AND p.deleted_at IS NULL AND NOT EXISTS (SELECT FROM liked);

-- name: unlike_post(post_id, user_id)^
-- Takes a like back; the counter moves with the row only. post_likes_pkey, posts_pkey;
-- one row, none for a deleted post.
WITH unliked AS (
    DELETE FROM post_likes
    WHERE post_id = :post_id AND user_id = :user_id
    RETURNING post_id
), counted AS (
    UPDATE posts
    SET like_count = like_count - 1
    FROM unliked
    WHERE posts.id = unliked.post_id
    RETURNING posts.like_count
)
SELECT true AS changed, counted.like_count
FROM counted
UNION ALL
SELECT false, p.like_count
FROM posts p
WHERE p.id = :post_id AND p.deleted_at IS NULL AND NOT EXISTS (SELECT FROM unliked);

-- name: list_likers(viewer_id, post_id, before, page_size)
-- A page of who likes a post, the latest like first, without people blocked in either direction.
-- post_likes_newest_idx, users_pkey, blocks_pkey; at most page_size rows.
SELECT l.id AS like_id, person.*, r.*
FROM post_likes l
JOIN users u ON u.id = l.user_id
CROSS JOIN LATERAL user_row(u) person
CROSS JOIN LATERAL relation(:viewer_id, l.user_id) r
WHERE l.post_id = :post_id AND l.id < :before AND NOT r.viewer_blocks AND NOT r.viewer_blocked_by
ORDER BY l.id DESC
LIMIT :page_size;

-- name: viewers_among(post_id, user_ids)
-- Which of these people may see a post. posts_pkey, follows_pkey, blocks_pkey; at most one row a person.
SELECT viewer.id
FROM posts p
CROSS JOIN unnest(:user_ids::bigint[]) AS viewer (id)
CROSS JOIN LATERAL relation(viewer.id, p.author_id) r
WHERE
    p.id = :post_id
    AND p.deleted_at IS NULL
    AND may_see_content(
        p.visibility, r.viewer_is_self, r.viewer_follows, r.viewer_blocks, r.viewer_blocked_by
    );

-- name: read_counters(post_ids)
-- The counters of posts as they are now. posts_pkey; at most one row a post.
SELECT p.id, p.like_count, p.comment_count, p.share_count
FROM posts p
WHERE p.id = ANY(:post_ids::bigint[]) AND p.deleted_at IS NULL;
