-- Relations and broadcasters are found by index probes only
-- depends: 0005_outbox 0006_chat 0007_visibility

-- migrate: apply

-- OFFSET 0 keeps the planner from reading all follows of one person into a hash table to answer for the few rows of a page.
CREATE OR REPLACE FUNCTION relation(viewer_id bigint, other_id bigint)
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
        EXISTS (SELECT FROM follows f WHERE f.follower_id = viewer_id AND f.followed_id = other_id OFFSET 0),
        EXISTS (SELECT FROM follows f WHERE f.follower_id = other_id AND f.followed_id = viewer_id OFFSET 0),
        EXISTS (SELECT FROM blocks b WHERE b.blocker_id = viewer_id AND b.blocked_id = other_id OFFSET 0),
        EXISTS (SELECT FROM blocks b WHERE b.blocker_id = other_id AND b.blocked_id = viewer_id OFFSET 0)
$$;

-- There are few broadcasters: a feed page asks which of them its viewer follows, not which of the followed are some.
CREATE INDEX users_broadcaster_idx ON users (id) WHERE is_broadcaster;

-- migrate: rollback
