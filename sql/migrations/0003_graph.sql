-- Follows, requests to follow, blocks and mutes, and what a viewer may see of another user
-- depends: 0002_accounts

-- migrate: apply

CREATE TABLE follows (
    follower_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    followed_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    id bigint NOT NULL DEFAULT make_id(),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (follower_id, followed_id),
    CHECK (follower_id <> followed_id)
);

CREATE INDEX follows_followed_idx ON follows (followed_id, id DESC) INCLUDE (follower_id);

CREATE INDEX follows_follower_idx ON follows (follower_id, id DESC) INCLUDE (followed_id);

CREATE TABLE blocks (
    blocker_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    blocked_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (blocker_id, blocked_id),
    CHECK (blocker_id <> blocked_id)
);

CREATE INDEX blocks_blocked_idx ON blocks (blocked_id, blocker_id);

-- The muted user's posts are not in the feed of who muted them, and the muted user does not learn of it. A mute with an end
-- counts until then: readers compare the time, and a sweeper ends it as a change.
CREATE TABLE mutes (
    muter_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    muted_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    muted_until timestamptz,
    PRIMARY KEY (muter_id, muted_id),
    CHECK (muter_id <> muted_id)
);

CREATE INDEX mutes_muted_idx ON mutes (muted_id);

CREATE INDEX mutes_ending_idx ON mutes (muted_until) WHERE muted_until IS NOT NULL;

-- Who asks a private user to be let in as a follower. The id gives the order in which they asked.
CREATE TABLE follow_requests (
    requester_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    requested_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    id bigint NOT NULL DEFAULT make_id(),
    PRIMARY KEY (requester_id, requested_id),
    CHECK (requester_id <> requested_id)
);

CREATE INDEX follow_requests_requested_idx ON follow_requests (requested_id, id DESC) INCLUDE (requester_id);

-- That a user's relation to another changed: a follow, a request, a block or a mute of theirs began or ended; one row for
-- each pair, written in the statement of the change. What the relation is now, the tables above tell. The other
-- user may be gone.
CREATE TABLE relation_changes (
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    other_id bigint NOT NULL,
    changed bigint NOT NULL DEFAULT change_stamp(),
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, other_id)
);

CREATE INDEX relation_changes_changed_idx ON relation_changes (user_id, changed, other_id);

CREATE INDEX relation_changes_age_idx ON relation_changes (changed_at);

-- Whether a user is suspended, or has deleted their account.
CREATE FUNCTION is_hidden(user_id bigint) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN EXISTS (SELECT FROM users u WHERE u.id = user_id AND u.is_hidden OFFSET 0);

-- The relation of a viewer to another user; `followers_only`: what the other user publishes as public is for their
-- followers, since their account is private. A hidden user is to everybody as if they blocked everybody. The planner
-- inlines it. OFFSET 0 makes each EXISTS an index probe: without it the planner may read all follows of one user into a
-- hash table for the few rows of a page.
CREATE FUNCTION relation(viewer_id bigint, other_id bigint)
    RETURNS TABLE (
        viewer_is_self boolean,
        viewer_follows boolean,
        viewer_followed_by boolean,
        viewer_blocks boolean,
        viewer_blocked_by boolean,
        viewer_mutes boolean,
        viewer_requested boolean,
        followers_only boolean
    )
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT
        viewer_id = other_id,
        viewer_id <> other_id
            AND EXISTS (SELECT FROM follows f WHERE f.follower_id = viewer_id AND f.followed_id = other_id OFFSET 0),
        viewer_id <> other_id
            AND EXISTS (SELECT FROM follows f WHERE f.follower_id = other_id AND f.followed_id = viewer_id OFFSET 0),
        viewer_id <> other_id
            AND EXISTS (SELECT FROM blocks b WHERE b.blocker_id = viewer_id AND b.blocked_id = other_id OFFSET 0),
        viewer_id <> other_id
            AND (
                EXISTS (SELECT FROM blocks b WHERE b.blocker_id = other_id AND b.blocked_id = viewer_id OFFSET 0)
                OR is_hidden(other_id)
            ),
        viewer_id <> other_id
            AND EXISTS (
                SELECT
                FROM mutes m
                WHERE
                    m.muter_id = viewer_id
                    AND m.muted_id = other_id
                    AND (m.muted_until IS NULL OR m.muted_until > now())
                OFFSET 0
            ),
        viewer_id <> other_id
            AND EXISTS (
                SELECT
                FROM follow_requests q
                WHERE q.requester_id = viewer_id AND q.requested_id = other_id
                OFFSET 0
            ),
        viewer_id <> other_id AND EXISTS (SELECT FROM users u WHERE u.id = other_id AND u.is_private OFFSET 0)
$$;

-- What a user has decided about another: the columns of an item of their relations.
CREATE FUNCTION related(viewer_id bigint, other_id bigint)
    RETURNS TABLE (
        user_id bigint, following boolean, blocked boolean, muted boolean, muted_until timestamptz, requested boolean
    )
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT
        other_id,
        EXISTS (SELECT FROM follows f WHERE f.follower_id = viewer_id AND f.followed_id = other_id OFFSET 0),
        EXISTS (SELECT FROM blocks b WHERE b.blocker_id = viewer_id AND b.blocked_id = other_id OFFSET 0),
        mute.muter_id IS NOT NULL,
        mute.muted_until,
        EXISTS (SELECT FROM follow_requests q WHERE q.requester_id = viewer_id AND q.requested_id = other_id OFFSET 0)
    FROM (SELECT) one
    LEFT JOIN mutes mute
        ON mute.muter_id = viewer_id
        AND mute.muted_id = other_id
        AND (mute.muted_until IS NULL OR mute.muted_until > now())
$$;

-- Whether anything has happened to the relations of a user since a position. The newest change tells it, which is one
-- probe: for a range of stamps that it does not know the planner may read the table.
CREATE FUNCTION relations_changed(viewer_id bigint, since bigint)
    RETURNS TABLE (relations_changed boolean)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT coalesce(
        (
            SELECT c.changed
            FROM relation_changes c
            WHERE c.user_id = viewer_id
            ORDER BY c.changed DESC
            LIMIT 1
        ) >= since,
        false
    )
$$;

-- Whether a user's home feed has to be read anew since a position: they may see posts of other people, or one of the
-- people whom they follow is seen by others than before.
CREATE FUNCTION audience_changed(viewer_id bigint, since bigint)
    RETURNS TABLE (audience_changed boolean)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT
        EXISTS (SELECT FROM users u WHERE u.id = viewer_id AND u.audience_changed >= since OFFSET 0)
        OR EXISTS (
            SELECT
            FROM users u
            WHERE
                u.published_changed > 0
                AND u.published_changed >= since
                AND EXISTS (SELECT FROM follows f WHERE f.follower_id = viewer_id AND f.followed_id = u.id OFFSET 0)
            OFFSET 0
        )
$$;

-- Whether a viewer with this relation sees what a user published with this visibility. The same rule as in
-- handlers/access.py, which decides about single objects; a test compares the two.
CREATE FUNCTION may_see_content(
    visibility text, is_self boolean, follows boolean, blocks boolean, blocked_by boolean, followers_only boolean
) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    -- Each parameter that may be an EXISTS stands here once: else the planner would not inline the function.
    RETURN is_self OR (
        visibility <> 'private'
        AND NOT blocks
        AND NOT blocked_by
        AND (follows OR (visibility = 'public' AND NOT followers_only))
    );

-- migrate: rollback
