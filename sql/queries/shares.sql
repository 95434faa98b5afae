-- name: lock_with_shared(post_id)
-- Locks a post, and the post that it shares, until the transaction ends, in id order, as everywhere. posts_pkey; 0 to 2 rows.
SELECT p.id
FROM posts p
WHERE p.id = :post_id OR p.id = (SELECT s.shared_id FROM posts s WHERE s.id = :post_id)
ORDER BY p.id
FOR NO KEY UPDATE;

-- name: insert_share(author_id, shared_id, text, entities, client_id)$
-- Stores a share with its tags, and counts it on its author and on the shared post. Call it after lock_users of the author
-- and lock_post of the shared post. posts_pkey, posts_client_id_key, posts_plain_share_key, users_pkey; the id of the share, no row for a
-- repeated one, and where the shared post is deleted or not public any more.
WITH made AS (
    INSERT INTO posts (author_id, kind, text, entities, shared_id, client_id)
    SELECT :author_id, 'share', :text, :entities::jsonb, p.id, :client_id
    FROM posts p
    WHERE p.id = :shared_id AND p.deleted_at IS NULL AND p.visibility = 'public'
    ON CONFLICT DO NOTHING
    RETURNING id, author_id, entities, shared_id
), tagged AS (
    INSERT INTO post_tags (tag, post_id)
    SELECT tag.found ->> 'folded', made.id
    FROM made
    CROSS JOIN LATERAL jsonb_array_elements(made.entities -> 'tags') AS tag (found)
), shared AS (
    UPDATE posts
    SET share_count = posts.share_count + 1
    FROM made
    WHERE posts.id = made.shared_id
), counted AS (
    UPDATE users
    SET
        post_count = users.post_count + 1,
        followers_post_count = users.followers_post_count + 1,
        public_post_count = users.public_post_count + 1
    FROM made
    WHERE users.id = made.author_id
)
SELECT made.id
FROM made;

-- name: find_share(author_id, post_id)$
-- The share without a text that an author made of a post, or of the post that this one shares. posts_pkey,
-- posts_plain_share_key; 0 or 1 row.
SELECT share.id
FROM posts share
WHERE
    share.author_id = :author_id
    AND share.shared_id = coalesce((SELECT p.shared_id FROM posts p WHERE p.id = :post_id), :post_id)
    AND share.text = ''
    AND share.deleted_at IS NULL;

-- name: change_shares(shared_id)
-- Notes that the shared post was changed or deleted: each share shows something else now, so it gets another version and
-- stamp, with a Fact where others than its author see it. Call it after a change of the shared post, which is locked by it.
-- posts_shared_idx, posts_pkey; a row for each share.
WITH share AS (
    SELECT p.id
    FROM posts p
    WHERE p.shared_id = :shared_id AND p.deleted_at IS NULL
    ORDER BY p.id
    FOR NO KEY UPDATE
), changed AS (
    UPDATE posts
    SET version = posts.version + 1, changed = change_stamp()
    FROM share
    WHERE posts.id = share.id
    RETURNING posts.id, posts.author_id, posts.visibility
), told AS (
    INSERT INTO facts (position, lane, name, payload)
    SELECT
        change_stamp(),
        fact_lane(changed.author_id),
        'post.changed',
        jsonb_build_object('post_id', changed.id::text, 'author_id', changed.author_id::text)
    FROM changed
    WHERE changed.visibility <> 'private'
)
SELECT changed.id, changed.author_id, changed.visibility
FROM changed;

-- name: visible_posts(post_ids, viewer_ids, post_ids_firsts, post_ids_lasts)
-- Those of many posts that a viewer may see. posts_pkey, users_pkey, follows_pkey, blocks_pkey, post_likes_pkey,
-- bookmarks_pkey; at most one row for each id of a call.
SELECT call.place, state.*
FROM unnest(:viewer_ids::bigint[], :post_ids_firsts::integer[], :post_ids_lasts::integer[])
    WITH ORDINALITY AS call (viewer_id, first, last, place)
CROSS JOIN LATERAL unnest((:post_ids::bigint[])[call.first : call.last]) AS asked (id)
JOIN posts p ON p.id = asked.id AND p.deleted_at IS NULL
CROSS JOIN LATERAL post_state(call.viewer_id, p) state
CROSS JOIN LATERAL relation(call.viewer_id, p.author_id) r
WHERE
    may_see_content(
        p.visibility, r.viewer_is_self, r.viewer_follows, r.viewer_blocks, r.viewer_blocked_by, r.followers_only
    );

-- name: readers_among(post_id, user_ids)
-- Those of many users who may see a post. posts_pkey, users_pkey, follows_pkey, blocks_pkey; at most a row for each user.
SELECT reader.id
FROM posts p
CROSS JOIN unnest(:user_ids::bigint[]) AS reader (id)
CROSS JOIN LATERAL relation(reader.id, p.author_id) r
WHERE
    p.id = :post_id
    AND p.deleted_at IS NULL
    AND may_see_content(
        p.visibility, r.viewer_is_self, r.viewer_follows, r.viewer_blocks, r.viewer_blocked_by, r.followers_only
    );
