-- name: set_follow(follower_ids, followed_ids, wanteds, broadcaster_froms, patient)
-- Sets whether a user follows another, with a Fact where that changes. follows_pkey, blocks_pkey, users_pkey; 0 or 1 row a
-- call, none when one of the two does not exist.
SELECT done.*
FROM set_follows(
    :follower_ids::bigint[],
    :followed_ids::bigint[],
    :wanteds::boolean[],
    :broadcaster_froms::bigint[],
    :patient::boolean
) done;

-- name: insert_block(blocker_id, blocked_id)$
-- Blocks a user. Call it after lock_users of both and before remove_follows. blocks_pkey;
-- one row the first time, then none.
INSERT INTO blocks (blocker_id, blocked_id)
VALUES (:blocker_id, :blocked_id)
ON CONFLICT DO NOTHING
RETURNING true;

-- name: delete_block(blocker_id, blocked_id)$
-- Removes a block; the follows that it removed stay removed. blocks_pkey; one row if there was one.
DELETE FROM blocks
WHERE blocker_id = :blocker_id AND blocked_id = :blocked_id
RETURNING true;

-- name: remove_follows(user_id, other_id)
-- Removes the follows between two users in both directions and decrements the counts; call it after lock_users of both,
-- or it misses a follow that is being committed. follows_pkey, users_pkey; 0 to 2 rows.
WITH removed AS (
    DELETE FROM follows
    WHERE (follower_id = :user_id AND followed_id = :other_id) OR (follower_id = :other_id AND followed_id = :user_id)
    RETURNING follower_id, followed_id
), moves AS (
    SELECT
        person.id,
        count(*) FILTER (WHERE removed.follower_id = person.id) AS following_count,
        count(*) FILTER (WHERE removed.followed_id = person.id) AS follower_count
    FROM removed
    CROSS JOIN LATERAL (VALUES (removed.follower_id), (removed.followed_id)) AS person (id)
    GROUP BY person.id
), counted AS (
    UPDATE users
    SET
        following_count = users.following_count - moves.following_count,
        follower_count = users.follower_count - moves.follower_count
    FROM moves
    WHERE users.id = moves.id
)
SELECT removed.follower_id, removed.followed_id
FROM removed;

-- name: list_followers(viewer_ids, user_ids, befores, page_sizes)
-- A page of a user's followers, the latest first, without a block in either direction between them and the viewer.
-- follows_followed_idx, users_pkey, blocks_pkey; at most page_size rows a call.
SELECT call.place, page.*
FROM unnest(:viewer_ids::bigint[], :user_ids::bigint[], :befores::bigint[], :page_sizes::bigint[])
    WITH ORDINALITY AS call (viewer_id, user_id, before, page_size, place)
CROSS JOIN LATERAL (
    SELECT f.id AS follow_id, person.*, r.*
    FROM follows f
    JOIN users u ON u.id = f.follower_id
    CROSS JOIN LATERAL relation(call.viewer_id, f.follower_id) r
    CROSS JOIN LATERAL user_row(u, r.viewer_is_self, r.viewer_follows, r.viewer_blocks, r.viewer_blocked_by) person
    WHERE f.followed_id = call.user_id AND f.id < call.before AND NOT r.viewer_blocks AND NOT r.viewer_blocked_by
    ORDER BY f.id DESC
    LIMIT call.page_size
) page
ORDER BY 1, 2 DESC;

-- name: list_following(viewer_ids, user_ids, befores, page_sizes)
-- A page of the users whom a user follows, the latest first, without a block between them and the viewer.
-- follows_follower_idx, users_pkey, blocks_pkey; at most page_size rows a call.
SELECT call.place, page.*
FROM unnest(:viewer_ids::bigint[], :user_ids::bigint[], :befores::bigint[], :page_sizes::bigint[])
    WITH ORDINALITY AS call (viewer_id, user_id, before, page_size, place)
CROSS JOIN LATERAL (
    SELECT f.id AS follow_id, person.*, r.*
    FROM follows f
    JOIN users u ON u.id = f.followed_id
    CROSS JOIN LATERAL relation(call.viewer_id, f.followed_id) r
    CROSS JOIN LATERAL user_row(u, r.viewer_is_self, r.viewer_follows, r.viewer_blocks, r.viewer_blocked_by) person
    WHERE f.follower_id = call.user_id AND f.id < call.before AND NOT r.viewer_blocks AND NOT r.viewer_blocked_by
    ORDER BY f.id DESC
    LIMIT call.page_size
) page
ORDER BY 1, 2 DESC;
