-- Who follows and who blocks whom, and the relation of a viewer to another person
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

-- One definition for every query that shows a person to a viewer; the planner puts it in line.
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
        EXISTS (SELECT FROM follows f WHERE f.follower_id = viewer_id AND f.followed_id = other_id),
        EXISTS (SELECT FROM follows f WHERE f.follower_id = other_id AND f.followed_id = viewer_id),
        EXISTS (SELECT FROM blocks b WHERE b.blocker_id = viewer_id AND b.blocked_id = other_id),
        EXISTS (SELECT FROM blocks b WHERE b.blocker_id = other_id AND b.blocked_id = viewer_id)
$$;

-- migrate: rollback
