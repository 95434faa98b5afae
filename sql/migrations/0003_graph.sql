-- Follows and blocks, and what a viewer may see of another user
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

-- The relation of a viewer to another user. The planner inlines it. OFFSET 0 makes each EXISTS an index probe: without
-- it the planner may read all follows of one user into a hash table for the few rows of a page.
CREATE FUNCTION relation(viewer_id bigint, other_id bigint)
    RETURNS TABLE (
        viewer_is_self boolean,
        viewer_follows boolean,
        viewer_followed_by boolean,
        viewer_blocks boolean,
        viewer_blocked_by boolean
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
            AND EXISTS (SELECT FROM blocks b WHERE b.blocker_id = other_id AND b.blocked_id = viewer_id OFFSET 0)
$$;

-- Whether a viewer with this relation sees what a user published with this visibility. The same rule as in
-- handlers/access.py, which decides about single objects; a test compares the two.
CREATE FUNCTION may_see_content(
    visibility text, is_self boolean, follows boolean, blocks boolean, blocked_by boolean
) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN is_self OR (
        NOT blocks AND NOT blocked_by AND (visibility = 'public' OR (visibility = 'followers' AND follows))
    );

-- migrate: rollback
