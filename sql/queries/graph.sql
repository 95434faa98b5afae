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
-- Blocks a user. Call it after lock_users of both and before remove_follows. blocks_pkey, relation_changes_pkey,
-- users_pkey; one row the first time, then none.
WITH made AS (
    INSERT INTO blocks (blocker_id, blocked_id)
    VALUES (:blocker_id, :blocked_id)
    ON CONFLICT DO NOTHING
    RETURNING blocker_id, blocked_id
), noted AS (
    INSERT INTO relation_changes (user_id, other_id)
    SELECT made.blocker_id, made.blocked_id
    FROM made
    ON CONFLICT (user_id, other_id) DO UPDATE
    SET changed = excluded.changed, changed_at = excluded.changed_at
), hidden AS (
    UPDATE users
    SET audience_changed = change_stamp()
    FROM made
    WHERE users.id IN (made.blocker_id, made.blocked_id)
)
SELECT true
FROM made;

-- name: delete_block(blocker_id, blocked_id)$
-- Removes a block; the follows that it removed stay removed. Call it after lock_users of both. blocks_pkey,
-- relation_changes_pkey, users_pkey; one row if there was one.
WITH gone AS (
    DELETE FROM blocks
    WHERE blocker_id = :blocker_id AND blocked_id = :blocked_id
    RETURNING blocker_id, blocked_id
), noted AS (
    INSERT INTO relation_changes (user_id, other_id)
    SELECT gone.blocker_id, gone.blocked_id
    FROM gone
    ON CONFLICT (user_id, other_id) DO UPDATE
    SET changed = excluded.changed, changed_at = excluded.changed_at
), shown AS (
    UPDATE users
    SET audience_changed = change_stamp()
    FROM gone
    WHERE users.id IN (gone.blocker_id, gone.blocked_id)
)
SELECT true
FROM gone;

-- name: remove_follows(user_id, other_id)
-- Removes the follows between two users in both directions and decrements the counts; call it after lock_users of both,
-- or it misses a follow that is being committed. follows_pkey, relation_changes_pkey, users_pkey; 0 to 2 rows.
WITH removed AS (
    DELETE FROM follows
    WHERE (follower_id = :user_id AND followed_id = :other_id) OR (follower_id = :other_id AND followed_id = :user_id)
    RETURNING follower_id, followed_id
), noted AS (
    INSERT INTO relation_changes (user_id, other_id)
    SELECT removed.follower_id, removed.followed_id
    FROM removed
    ON CONFLICT (user_id, other_id) DO UPDATE
    SET changed = excluded.changed, changed_at = excluded.changed_at
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
        follower_count = users.follower_count - moves.follower_count,
        audience_changed = CASE WHEN moves.following_count > 0 THEN change_stamp() ELSE users.audience_changed END
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

-- name: list_relations(viewer_ids, afters, page_sizes)
-- A page of the users whom a viewer follows, blocks, mutes or asks to follow, by id. follows_pkey, blocks_pkey, mutes_pkey,
-- follow_requests_pkey; at most page_size rows a call.
SELECT call.place, page.*
FROM unnest(:viewer_ids::bigint[], :afters::bigint[], :page_sizes::bigint[])
    WITH ORDINALITY AS call (viewer_id, after, page_size, place)
CROSS JOIN LATERAL (
    SELECT
        part.user_id,
        bool_or(part.following) AS following,
        bool_or(part.blocked) AS blocked,
        bool_or(part.muted) AS muted,
        max(part.muted_until) AS muted_until,
        bool_or(part.requested) AS requested
    FROM (
        (
            SELECT
                f.followed_id AS user_id, true AS following, false AS blocked, false AS muted,
                NULL::timestamptz AS muted_until, false AS requested
            FROM follows f
            WHERE f.follower_id = call.viewer_id AND f.followed_id > call.after
            ORDER BY f.followed_id
            LIMIT call.page_size
        )
        UNION ALL
        (
            SELECT b.blocked_id, false, true, false, NULL, false
            FROM blocks b
            WHERE b.blocker_id = call.viewer_id AND b.blocked_id > call.after
            ORDER BY b.blocked_id
            LIMIT call.page_size
        )
        UNION ALL
        (
            SELECT m.muted_id, false, false, true, m.muted_until, false
            FROM mutes m
            WHERE
                m.muter_id = call.viewer_id
                AND m.muted_id > call.after
                AND (m.muted_until IS NULL OR m.muted_until > now())
            ORDER BY m.muted_id
            LIMIT call.page_size
        )
        UNION ALL
        (
            SELECT q.requested_id, false, false, false, NULL, true
            FROM follow_requests q
            WHERE q.requester_id = call.viewer_id AND q.requested_id > call.after
            ORDER BY q.requested_id
            LIMIT call.page_size
        )
    ) part
    GROUP BY part.user_id
    ORDER BY part.user_id
    LIMIT call.page_size
) page
ORDER BY 1, 2;

-- name: read_related(viewer_ids, other_ids)
-- What a viewer has decided about another user, existing or not. follows_pkey, blocks_pkey, mutes_pkey,
-- follow_requests_pkey; one row a call.
SELECT call.place, related.*
FROM unnest(:viewer_ids::bigint[], :other_ids::bigint[]) WITH ORDINALITY AS call (viewer_id, other_id, place)
CROSS JOIN LATERAL related(call.viewer_id, call.other_id) related;

-- name: list_relation_changes(viewer_ids, after_stamps, after_ids, page_sizes)
-- A page of the users whose relation to a viewer has changed after a stamp and an id, in this order, each with what the
-- relation is now. Where the changes are more than the page and than all that a new read would answer, one row says so
-- instead. users_pkey, blocks_pkey, mutes_pkey, follow_requests_pkey, relation_changes_changed_idx, follows_pkey; at most
-- page_size rows a call.
SELECT
    call.place, call.is_reset, page.changed, page.user_id, page.following, page.blocked, page.muted, page.muted_until,
    page.requested
FROM (
    SELECT asked.*, later.amount > later.most AS is_reset
    FROM unnest(:viewer_ids::bigint[], :after_stamps::bigint[], :after_ids::bigint[], :page_sizes::bigint[])
        WITH ORDINALITY AS asked (viewer_id, after_stamp, after_id, page_size, place)
    JOIN users me ON me.id = asked.viewer_id
    CROSS JOIN LATERAL (
        SELECT
            greatest(
                asked.page_size,
                me.following_count
                + (SELECT count(*) FROM blocks b WHERE b.blocker_id = asked.viewer_id)
                + (SELECT count(*) FROM mutes m WHERE m.muter_id = asked.viewer_id)
                + (SELECT count(*) FROM follow_requests q WHERE q.requester_id = asked.viewer_id)
            ) AS most
    ) fresh
    CROSS JOIN LATERAL (
        SELECT fresh.most, count(*) AS amount
        FROM (
            SELECT
            FROM relation_changes c
            WHERE
                c.user_id = asked.viewer_id
                AND (c.changed, c.other_id) > (asked.after_stamp, asked.after_id)
            LIMIT fresh.most + 1
        ) counted
    ) later
    OFFSET 0
) call
LEFT JOIN LATERAL (
    SELECT c.changed, related.*
    FROM relation_changes c
    CROSS JOIN LATERAL related(call.viewer_id, c.other_id) related
    WHERE
        NOT call.is_reset
        AND c.user_id = call.viewer_id
        AND (c.changed, c.other_id) > (call.after_stamp, call.after_id)
    ORDER BY c.changed, c.other_id
    LIMIT call.page_size
) page ON true
WHERE call.is_reset OR page.user_id IS NOT NULL
ORDER BY 1, page.changed, page.user_id;

-- name: delete_old_relation_changes(changed_before, batch_size)$
-- Deletes what tells of changes before a moment. relation_changes_age_idx; one row, the number of deleted rows.
WITH deleted AS (
    DELETE FROM relation_changes
    WHERE ctid = ANY(ARRAY(
        SELECT c.ctid
        FROM relation_changes c
        WHERE c.changed_at < :changed_before
        LIMIT :batch_size
        FOR UPDATE SKIP LOCKED
    ))
    RETURNING user_id
)
SELECT count(*) FROM deleted;

-- name: set_mute(muter_id, muted_id, muted_until)^
-- Mutes a user until a moment (NULL: for good), or moves the end of the mute. Call it after lock_users of the muter.
-- mutes_pkey, relation_changes_pkey, users_pkey; one row.
WITH made AS (
    INSERT INTO mutes AS m (muter_id, muted_id, muted_until)
    VALUES (:muter_id, :muted_id, :muted_until)
    ON CONFLICT (muter_id, muted_id) DO UPDATE
    SET muted_until = excluded.muted_until
    WHERE m.muted_until IS DISTINCT FROM excluded.muted_until
    RETURNING m.muter_id, m.muted_id
), noted AS (
    INSERT INTO relation_changes (user_id, other_id)
    SELECT made.muter_id, made.muted_id
    FROM made
    ON CONFLICT (user_id, other_id) DO UPDATE
    SET changed = excluded.changed, changed_at = excluded.changed_at
), hidden AS (
    UPDATE users
    SET audience_changed = change_stamp()
    FROM made
    WHERE users.id = made.muter_id
)
SELECT EXISTS (SELECT FROM made) AS changed;

-- name: delete_mute(muter_id, muted_id)$
-- Ends a mute. Call it after lock_users of the muter. mutes_pkey, relation_changes_pkey, users_pkey; one row if there was
-- one.
WITH gone AS (
    DELETE FROM mutes
    WHERE muter_id = :muter_id AND muted_id = :muted_id
    RETURNING muter_id, muted_id
), noted AS (
    INSERT INTO relation_changes (user_id, other_id)
    SELECT gone.muter_id, gone.muted_id
    FROM gone
    ON CONFLICT (user_id, other_id) DO UPDATE
    SET changed = excluded.changed, changed_at = excluded.changed_at
), shown AS (
    UPDATE users
    SET audience_changed = change_stamp()
    FROM gone
    WHERE users.id = gone.muter_id
)
SELECT true
FROM gone;

-- name: end_mutes(batch_size)$
-- Ends mutes whose time is over, each with its Fact, and leaves out those of muters whom somebody else has locked. Whoever
-- moves an end meanwhile keeps their mute. mutes_ending_idx, users_pkey, mutes_pkey, relation_changes_pkey; one row, the
-- number of ended mutes.
WITH muter AS MATERIALIZED (
    SELECT u.id
    FROM users u
    WHERE
        u.id = ANY(ARRAY(
            SELECT m.muter_id
            FROM mutes m
            WHERE m.muted_until <= now()
            ORDER BY m.muted_until
            LIMIT :batch_size
        ))
    ORDER BY u.id
    FOR NO KEY UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM mutes m
    USING muter
    WHERE m.muter_id = muter.id AND m.muted_until <= now()
    RETURNING m.muter_id, m.muted_id
), noted AS (
    INSERT INTO relation_changes (user_id, other_id)
    SELECT gone.muter_id, gone.muted_id
    FROM gone
    ON CONFLICT (user_id, other_id) DO UPDATE
    SET changed = excluded.changed, changed_at = excluded.changed_at
), shown AS (
    UPDATE users
    SET audience_changed = change_stamp()
    WHERE users.id IN (SELECT gone.muter_id FROM gone)
), told AS (
    INSERT INTO facts (lane, name, payload)
    SELECT
        fact_lane(gone.muter_id),
        'mute.ended',
        jsonb_build_object('muter_id', gone.muter_id::text, 'muted_id', gone.muted_id::text)
    FROM gone
)
SELECT count(*) FROM gone;
