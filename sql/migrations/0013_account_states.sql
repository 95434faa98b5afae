-- Acts of moderators and operators, and the erasing of deleted accounts
-- depends: 0010_posts_comments_follows

-- migrate: apply

-- Every act by which somebody decides over another one's account or posts. It outlives what it names.
CREATE TABLE audit (
    id bigint PRIMARY KEY DEFAULT make_id(),
    made_at timestamptz NOT NULL DEFAULT now(),
    -- NULL: the operator, at the command line.
    actor_id bigint,
    act text NOT NULL CHECK (act IN ('role', 'ban', 'unban', 'delete_user', 'delete_post', 'hide_post', 'show_post')),
    user_id bigint NOT NULL,
    post_id bigint,
    -- The role that was given.
    role text,
    reason text NOT NULL DEFAULT ''
);

CREATE INDEX audit_user_idx ON audit (user_id, id DESC);

-- Takes from others what a user whose account was deleted had to do with them: follows, requests, blocks, mutes and likes,
-- with their counts; at most row_limit rows of each a call. Answers how many were left; 0: none. The caller has locked the
-- user.
CREATE FUNCTION erase_traces(erased_id bigint, row_limit integer) RETURNS integer
    LANGUAGE plpgsql VOLATILE
AS $$
#variable_conflict use_column
DECLARE
    stamp bigint := change_stamp();
    others bigint[] := ARRAY(
        (SELECT f.followed_id FROM follows f WHERE f.follower_id = erased_id LIMIT row_limit)
        UNION
        (SELECT f.follower_id FROM follows f WHERE f.followed_id = erased_id LIMIT row_limit)
        UNION
        (SELECT b.blocked_id FROM blocks b WHERE b.blocker_id = erased_id LIMIT row_limit)
        UNION
        (SELECT b.blocker_id FROM blocks b WHERE b.blocked_id = erased_id LIMIT row_limit)
        UNION
        (SELECT m.muted_id FROM mutes m WHERE m.muter_id = erased_id LIMIT row_limit)
        UNION
        (SELECT m.muter_id FROM mutes m WHERE m.muted_id = erased_id LIMIT row_limit)
        UNION
        (SELECT q.requested_id FROM follow_requests q WHERE q.requester_id = erased_id LIMIT row_limit)
        UNION
        (SELECT q.requester_id FROM follow_requests q WHERE q.requested_id = erased_id LIMIT row_limit)
    );
    liked bigint[] := ARRAY(SELECT l.post_id FROM post_likes l WHERE l.user_id = erased_id LIMIT row_limit);
    row_count integer := cardinality(others) + cardinality(liked);
BEGIN
    -- The locks of users are given in the order of ids elsewhere: whom somebody else has locked waits for the next call.
    others := ARRAY(SELECT u.id FROM users u WHERE u.id = ANY(others) ORDER BY u.id FOR NO KEY UPDATE SKIP LOCKED);
    PERFORM FROM posts p WHERE p.id = ANY(liked) ORDER BY p.id FOR NO KEY UPDATE;

    WITH removed AS (
        DELETE FROM follows f
        WHERE
            (f.follower_id = erased_id AND f.followed_id = ANY(others))
            OR (f.followed_id = erased_id AND f.follower_id = ANY(others))
        RETURNING f.follower_id, f.followed_id
    ), freed AS (
        DELETE FROM blocks b
        WHERE
            (b.blocker_id = erased_id AND b.blocked_id = ANY(others))
            OR (b.blocked_id = erased_id AND b.blocker_id = ANY(others))
        RETURNING b.blocker_id, b.blocked_id
    ), heard AS (
        DELETE FROM mutes m
        WHERE
            (m.muter_id = erased_id AND m.muted_id = ANY(others))
            OR (m.muted_id = erased_id AND m.muter_id = ANY(others))
        RETURNING m.muter_id, m.muted_id
    ), refused AS (
        DELETE FROM follow_requests q
        WHERE
            (q.requester_id = erased_id AND q.requested_id = ANY(others))
            OR (q.requested_id = erased_id AND q.requester_id = ANY(others))
        RETURNING q.requester_id, q.requested_id
    ), noted AS (
        INSERT INTO relation_changes (user_id, other_id, changed)
        SELECT removed.follower_id, erased_id, stamp FROM removed WHERE removed.followed_id = erased_id
        UNION
        SELECT freed.blocker_id, erased_id, stamp FROM freed WHERE freed.blocked_id = erased_id
        UNION
        SELECT heard.muter_id, erased_id, stamp FROM heard WHERE heard.muted_id = erased_id
        UNION
        SELECT refused.requester_id, erased_id, stamp FROM refused WHERE refused.requested_id = erased_id
        ON CONFLICT (user_id, other_id) DO UPDATE
        SET changed = excluded.changed, changed_at = excluded.changed_at
    )
    UPDATE users u
    SET following_count = u.following_count - moved.following, follower_count = u.follower_count - moved.followers
    FROM (
        SELECT
            person.id,
            count(*) FILTER (WHERE removed.follower_id = person.id) AS following,
            count(*) FILTER (WHERE removed.followed_id = person.id) AS followers
        FROM removed
        CROSS JOIN LATERAL (VALUES (removed.follower_id), (removed.followed_id)) AS person (id)
        GROUP BY person.id
    ) moved
    WHERE u.id = moved.id;

    WITH unliked AS (
        DELETE FROM post_likes l WHERE l.user_id = erased_id AND l.post_id = ANY(liked) RETURNING l.post_id
    )
    UPDATE posts p
    SET like_count = p.like_count - 1
    FROM unliked
    WHERE p.id = unliked.post_id;
    RETURN row_count;
END
$$;

-- migrate: rollback
