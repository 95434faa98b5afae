-- The product's joined statements as one caller writes them: for everything that is compared with the product.

-- name: read_own_profile(user_id)^
-- One user's own profile. users_pkey; 0 or 1 row.
SELECT person.*, own.*
FROM users u
CROSS JOIN LATERAL user_row(u, true, false, false, false) person
CROSS JOIN LATERAL own_user_row(u) own
WHERE u.id = :user_id;

-- name: peek(viewer_id, after)^
-- The horizon of stamps, and for each Collection whether anything in it can have changed at or above a stamp.
-- The same indexes as sync.peek; one row.
SELECT
    stamp_horizon() AS position,
    u.changed >= :after AS me,
    relations.relations_changed AS relations,
    feed.feed_changed AS feed,
    EXISTS (SELECT FROM changed_conversations(u.id, :after)) AS conversations
FROM users u
CROSS JOIN LATERAL relations_changed(u.id, :after) relations
CROSS JOIN LATERAL feed_changed(u.id, :after) feed
WHERE u.id = :viewer_id;

-- name: read_post(viewer_id, post_id)^
-- One post that is not deleted. posts_pkey, users_pkey, follows_pkey, blocks_pkey, post_likes_pkey; 0 or 1 row.
SELECT post.*, author.*, r.*, viewer.*
FROM posts p
CROSS JOIN LATERAL post_row(p) post
CROSS JOIN LATERAL card(p.author_id) author
CROSS JOIN LATERAL relation(:viewer_id, p.author_id) r
CROSS JOIN LATERAL post_viewer(:viewer_id, p) viewer
WHERE p.id = :post_id AND p.deleted_at IS NULL;

-- name: like_post(post_id, user_id)^
-- Likes a post, once per user; the counter changes only with the row. post_likes_pkey, posts_pkey; one row, none for a
-- deleted post.
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

-- name: unlike_post(post_id, user_id)$
-- Removes a like; the counter changes only with the row. post_likes_pkey, posts_pkey; one row if there was a like.
WITH unliked AS (
    DELETE FROM post_likes
    WHERE post_id = :post_id AND user_id = :user_id
    RETURNING post_id
)
UPDATE posts
SET like_count = like_count - 1
FROM unliked
WHERE posts.id = unliked.post_id
RETURNING true;

-- name: home_page(viewer_id, ids, floor, before, skip, page_size)
-- A page of the home feed, newest first: see feed.home_page. posts_pkey, posts_author_idx, users_broadcaster_idx,
-- follows_pkey, blocks_pkey, users_pkey, post_likes_pkey; at most page_size rows.
WITH followee AS NOT MATERIALIZED (
    SELECT f.followed_id AS id, author.is_broadcaster
    FROM follows f
    JOIN users author ON author.id = f.followed_id
    WHERE
        f.follower_id = :viewer_id
        AND NOT EXISTS (SELECT FROM blocks b WHERE b.blocker_id = :viewer_id AND b.blocked_id = f.followed_id)
        AND NOT EXISTS (SELECT FROM blocks b WHERE b.blocker_id = f.followed_id AND b.blocked_id = :viewer_id)
), recent AS MATERIALIZED (
    (
        SELECT given.id
        FROM (
            SELECT DISTINCT item.id
            FROM unnest(:ids::bigint[]) AS item (id)
            WHERE item.id < :before
            ORDER BY item.id DESC
        ) given
        JOIN posts p ON p.id = given.id
        CROSS JOIN LATERAL relation(:viewer_id, p.author_id) r
        WHERE
            p.deleted_at IS NULL
            AND r.viewer_follows
            AND may_see_content(
                p.visibility, r.viewer_is_self, r.viewer_follows, r.viewer_blocks, r.viewer_blocked_by,
                r.followers_only
            )
        ORDER BY given.id DESC
        LIMIT :page_size + :skip::bigint
    )
    UNION
    SELECT newest.id
    FROM followee
    CROSS JOIN LATERAL (
        SELECT p.id
        FROM posts p
        WHERE
            p.author_id = followee.id
            AND p.id < :before
            AND p.deleted_at IS NULL
            AND p.visibility IN ('public', 'followers')
        ORDER BY p.id DESC
        LIMIT :page_size + :skip::bigint
    ) newest
    WHERE followee.is_broadcaster
), older_from AS MATERIALIZED (
    -- The page ends at or above this id, since enough users have a newer post. Each user's newest post shows that, and
    -- no user's posts are read below this id.
    SELECT newest.id
    FROM followee
    CROSS JOIN LATERAL (
        SELECT p.id
        FROM posts p
        WHERE
            p.author_id = followee.id
            AND p.id < :before
            AND p.id <= :floor
            AND p.deleted_at IS NULL
            AND p.visibility IN ('public', 'followers')
        ORDER BY p.id DESC
        LIMIT 1
    ) newest
    WHERE (SELECT count(*) FROM recent WHERE recent.id > :floor) < :page_size + :skip::bigint
    ORDER BY newest.id DESC
    OFFSET :page_size + :skip::bigint - 1
    LIMIT 1
), older AS (
    SELECT newest.id
    FROM followee
    CROSS JOIN LATERAL (
        SELECT p.id
        FROM posts p
        WHERE
            p.author_id = followee.id
            AND p.id < :before
            AND p.id <= :floor
            AND p.id >= coalesce((SELECT older_from.id FROM older_from), 0)
            AND p.deleted_at IS NULL
            AND p.visibility IN ('public', 'followers')
        ORDER BY p.id DESC
        LIMIT :page_size + :skip::bigint
    ) newest
    WHERE (SELECT count(*) FROM recent WHERE recent.id > :floor) < :page_size + :skip::bigint
), page AS (
    SELECT recent.id FROM recent
    UNION
    SELECT older.id FROM older
    ORDER BY id DESC
    LIMIT :page_size
    OFFSET :skip
)
SELECT post.*, author.*, r.*, viewer.*
FROM page
JOIN posts p ON p.id = page.id
CROSS JOIN LATERAL post_row(p) post
CROSS JOIN LATERAL card(p.author_id) author
CROSS JOIN LATERAL relation(:viewer_id, p.author_id) r
CROSS JOIN LATERAL post_viewer(:viewer_id, p) viewer
ORDER BY p.id DESC;

-- name: insert_post(author_id, kind, text, link, entity_set, visibility, replies_from, sensitive, client_id)^
-- Stores a post, counts it on its author, with its Fact. users_pkey, posts_client_id_key; one row, or none for a repeated
-- client_id.
WITH made AS (
    INSERT INTO posts (author_id, kind, text, link, entities, visibility, replies, sensitive, client_id)
    VALUES (
        :author_id, :kind, :text, :link, :entity_set, :visibility, :replies_from, :sensitive, :client_id
    )
    ON CONFLICT (author_id, client_id) WHERE client_id IS NOT NULL DO NOTHING
    RETURNING posts AS post
), counted AS (
    UPDATE users
    SET
        post_count = post_count + 1,
        followers_post_count = followers_post_count + ((made.post).visibility <> 'private')::integer,
        public_post_count = public_post_count + ((made.post).visibility = 'public')::integer
    FROM made
    WHERE users.id = (made.post).author_id
), told AS (
    INSERT INTO facts (lane, name, payload)
    SELECT
        fact_lane((made.post).author_id),
        'post.created',
        jsonb_build_object('post_id', (made.post).id::text, 'author_id', (made.post).author_id::text)
    FROM made
    WHERE (made.post).visibility <> 'private'
)
SELECT post.*, author.*, r.*, viewer.*
FROM made
CROSS JOIN LATERAL post_row(made.post) post
CROSS JOIN LATERAL card(:author_id) author
CROSS JOIN LATERAL relation(:author_id, :author_id) r
CROSS JOIN LATERAL post_viewer(:author_id, made.post) viewer;

-- name: follow(follower_id, followed_id, broadcaster_from)^
-- Follows a user and counts it on both, with its Fact. users_pkey, follows_pkey, blocks_pkey; one row, none when one of
-- the two does not exist.
WITH pair AS (
    SELECT u.id
    FROM users u
    WHERE u.id IN (:follower_id, :followed_id)
    ORDER BY u.id
    FOR NO KEY UPDATE
), added AS (
    INSERT INTO follows (follower_id, followed_id)
    SELECT :follower_id, :followed_id
    FROM (SELECT count(*) AS person_count FROM pair) existing
    WHERE
        existing.person_count = 2
        AND NOT EXISTS (SELECT FROM blocks b WHERE b.blocker_id = :follower_id AND b.blocked_id = :followed_id)
        AND NOT EXISTS (SELECT FROM blocks b WHERE b.blocker_id = :followed_id AND b.blocked_id = :follower_id)
    ON CONFLICT DO NOTHING
    RETURNING follower_id, followed_id
), counted AS (
    UPDATE users
    SET
        following_count = following_count + (users.id = added.follower_id)::integer,
        follow_version = follow_version + (users.id = added.follower_id)::integer,
        follower_count = follower_count + (users.id = added.followed_id)::integer,
        is_broadcaster = is_broadcaster
            OR (users.id = added.followed_id AND follower_count + 1 >= :broadcaster_from)
    FROM added
    WHERE users.id IN (added.follower_id, added.followed_id)
), told AS (
    INSERT INTO facts (lane, name, payload)
    SELECT
        fact_lane(added.follower_id),
        'follow.created',
        jsonb_build_object('follower_id', added.follower_id::text, 'followed_id', added.followed_id::text)
    FROM added
)
SELECT EXISTS (SELECT FROM added) AS changed, r.*
FROM (SELECT count(*) AS person_count FROM pair) existing
CROSS JOIN LATERAL relation(:follower_id, :followed_id) r
WHERE existing.person_count = 2;

-- name: unfollow(follower_id, followed_id)^
-- Unfollows a user and counts it on both, with its Fact. users_pkey, follows_pkey; one row.
WITH pair AS (
    SELECT u.id
    FROM users u
    WHERE u.id IN (:follower_id, :followed_id)
    ORDER BY u.id
    FOR NO KEY UPDATE
), removed AS (
    DELETE FROM follows
    USING (SELECT count(*) AS person_count FROM pair) existing
    WHERE follows.follower_id = :follower_id AND follows.followed_id = :followed_id AND existing.person_count = 2
    RETURNING follows.follower_id, follows.followed_id
), counted AS (
    UPDATE users
    SET
        following_count = following_count - (users.id = removed.follower_id)::integer,
        follower_count = follower_count - (users.id = removed.followed_id)::integer
    FROM removed
    WHERE users.id IN (removed.follower_id, removed.followed_id)
), told AS (
    INSERT INTO facts (lane, name, payload)
    SELECT
        fact_lane(removed.follower_id),
        'follow.ended',
        jsonb_build_object('follower_id', removed.follower_id::text, 'followed_id', removed.followed_id::text)
    FROM removed
)
SELECT EXISTS (SELECT FROM removed) AS changed;

-- name: insert_comment(post_id, parent_id, author_id, text, client_id, id_limit)^
-- Stores a comment, counts it, and reads who may not see it. posts_pkey, comments_pkey, comments_client_id_key, users_pkey,
-- blocks_pkey, blocks_blocked_idx; 0 or 1 row.
WITH host AS (
    SELECT p.id, p.last_comment_id
    FROM posts p
    WHERE p.id = :post_id AND p.deleted_at IS NULL
    FOR NO KEY UPDATE
), parent AS (
    SELECT c.id
    FROM host
    JOIN comments c ON c.post_id = host.id
    WHERE c.id = :parent_id AND c.deleted_at IS NULL
    FOR NO KEY UPDATE OF c
), made AS (
    INSERT INTO comments (id, post_id, parent_id, author_id, text, client_id)
    SELECT id_after(host.last_comment_id), host.id, :parent_id, :author_id, :text, :client_id
    FROM host
    WHERE :parent_id IS NULL OR EXISTS (SELECT FROM parent)
    ON CONFLICT (author_id, client_id) WHERE client_id IS NOT NULL DO NOTHING
    RETURNING comments AS comment
), counted_by_post AS (
    UPDATE posts
    SET comment_count = comment_count + 1, last_comment_id = (made.comment).id
    FROM made
    WHERE posts.id = (made.comment).post_id
), counted_by_parent AS (
    UPDATE comments
    SET reply_count = reply_count + 1
    FROM made
    WHERE comments.id = (made.comment).parent_id
)
SELECT
    comment.*,
    author.*,
    r.*,
    viewer.*,
    ARRAY(SELECT hidden.id FROM hidden_from(:author_id, :parent_id) hidden LIMIT :id_limit) AS hidden_from
FROM made
CROSS JOIN LATERAL comment_row(made.comment) comment
CROSS JOIN LATERAL card(:author_id) author
CROSS JOIN LATERAL relation(:author_id, :author_id) r
CROSS JOIN LATERAL comment_viewer(:author_id, (made.comment).id) viewer;

-- name: send_message(conversation_id, sender_id, text, reply_to_seq, client_id)^
-- Stores a message under the next number of its conversation, unless one of the two blocks the other, and moves the
-- sender's positions to it. The row of the conversation serializes senders. A client_id that another transaction is
-- committing breaks messages_client_id_key. conversations_pkey, conversation_members_pkey, messages_client_id_key,
-- blocks_pkey, users_pkey; one row, none where it may not be sent or was sent before.
WITH numbered AS (
    UPDATE conversations c
    SET
        last_seq = c.last_seq + 1, rev = c.rev + 1, last_activity_id = id_after(c.last_activity_id),
        changed = change_stamp()
    FROM conversation_members mine
    JOIN conversation_members other
        ON other.conversation_id = mine.conversation_id AND other.user_id <> mine.user_id
    CROSS JOIN LATERAL relation(mine.user_id, other.user_id) r
    WHERE
        mine.conversation_id = c.id AND c.id = :conversation_id AND mine.user_id = :sender_id AND c.kind = 'direct'
        AND NOT r.viewer_blocks AND NOT r.viewer_blocked_by
        AND (:reply_to_seq::bigint IS NULL OR :reply_to_seq <= c.last_seq)
        AND NOT EXISTS (
            SELECT FROM messages m
            WHERE m.conversation_id = :conversation_id AND m.sender_id = :sender_id AND m.client_id = :client_id
        )
    RETURNING c.id, c.last_seq, c.rev, c.last_activity_id AS message_id
), written AS (
    INSERT INTO messages (conversation_id, seq, rev, id, created_at, sender_id, text, reply_to_seq, client_id)
    SELECT
        n.id, n.last_seq, n.rev, n.message_id, id_moment(n.message_id), :sender_id, :text, :reply_to_seq, :client_id
    FROM numbered n
    RETURNING messages AS message
), moved AS (
    UPDATE conversation_members mine
    SET read_seq = numbered.last_seq, delivered_seq = numbered.last_seq, changed = change_stamp()
    FROM numbered
    WHERE mine.conversation_id = numbered.id AND mine.user_id = :sender_id
)
SELECT shown.* FROM written CROSS JOIN LATERAL message_for(:sender_id, written.message) shown;
