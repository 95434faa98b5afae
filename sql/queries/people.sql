-- name: read_person(viewer_ids, user_ids)
-- A user's profile page and the viewer's relation to them. The caller checks access.
-- users_pkey, follows_pkey, blocks_pkey; 0 or 1 row a call.
SELECT call.place, person.*, r.*, u.profile
FROM unnest(:viewer_ids::bigint[], :user_ids::bigint[]) WITH ORDINALITY AS call (viewer_id, user_id, place)
JOIN users u ON u.id = call.user_id
CROSS JOIN LATERAL relation(call.viewer_id, u.id) r
CROSS JOIN LATERAL user_row(u, r.viewer_is_self, r.viewer_follows, r.viewer_blocks, r.viewer_blocked_by) person;

-- name: read_person_by_username(viewer_ids, username_foldeds)
-- The same by folded username. users_username_key; 0 or 1 row a call.
SELECT call.place, person.*, r.*, u.profile
FROM unnest(:viewer_ids::bigint[], :username_foldeds::text[]) WITH ORDINALITY AS call (viewer_id, username, place)
JOIN users u ON u.username_folded = call.username
CROSS JOIN LATERAL relation(call.viewer_id, u.id) r
CROSS JOIN LATERAL user_row(u, r.viewer_is_self, r.viewer_follows, r.viewer_blocks, r.viewer_blocked_by) person;

-- name: find_people(usernames, viewer_ids, usernames_firsts, usernames_lasts)
-- The users with these folded usernames, and the viewer's relation to each. The caller checks access.
-- users_username_key, follows_pkey, blocks_pkey; at most one row for each name of a call.
SELECT call.place, u.id, u.username, u.username_folded, r.*
FROM unnest(:viewer_ids::bigint[], :usernames_firsts::integer[], :usernames_lasts::integer[])
    WITH ORDINALITY AS call (viewer_id, first, last, place)
CROSS JOIN LATERAL unnest((:usernames::text[])[call.first : call.last]) AS asked (username)
JOIN users u ON u.username_folded = asked.username
CROSS JOIN LATERAL relation(call.viewer_id, u.id) r;

-- name: read_own_profile(user_ids)
-- A user's own profile, with the columns that only they may see. users_pkey; 0 or 1 row a call.
SELECT call.place, person.*, own.*
FROM unnest(:user_ids::bigint[]) WITH ORDINALITY AS call (user_id, place)
JOIN users u ON u.id = call.user_id
CROSS JOIN LATERAL user_row(u, true, false, false, false) person
CROSS JOIN LATERAL own_user_row(u) own;

-- name: update_profile(user_id, display_name, bio, profile, settings)^
-- Changes the given columns (NULL: not given) and returns the profile as it is now; it gets another version and another
-- stamp only if a value differs. users_pkey; 0 or 1 row.
WITH earlier AS (
    SELECT
        u.id,
        (:display_name <> u.display_name OR :bio <> u.bio OR :profile <> u.profile OR :settings <> u.settings) IS TRUE
            AS is_changed
    FROM users u
    WHERE u.id = :user_id
    FOR NO KEY UPDATE
), changed AS (
    UPDATE users u
    SET
        display_name = coalesce(:display_name, u.display_name),
        bio = coalesce(:bio, u.bio),
        profile = coalesce(:profile, u.profile),
        settings = coalesce(:settings, u.settings),
        version = u.version + earlier.is_changed::integer,
        changed = CASE WHEN earlier.is_changed THEN change_stamp() ELSE u.changed END
    FROM earlier
    WHERE u.id = earlier.id
    RETURNING u AS row, earlier.is_changed
)
SELECT changed.is_changed, person.*, own.*
FROM changed
CROSS JOIN LATERAL user_row(changed.row, true, false, false, false) person
CROSS JOIN LATERAL own_user_row(changed.row) own;

-- name: lock_users(user_ids)
-- Locks these users until the transaction ends, in id order, so that two callers do not deadlock.
-- users_pkey; a row for each that exists.
SELECT u.id
FROM users u
WHERE u.id = ANY(:user_ids::bigint[])
ORDER BY u.id
FOR NO KEY UPDATE;

-- name: mark_active(user_ids)!
-- Sets the last activity of these users to now; skips users active within the last minute, and locked ones.
-- users_pkey.
UPDATE users
SET last_active_at = now()
WHERE id IN (
    SELECT u.id
    FROM users u
    WHERE u.id = ANY(:user_ids::bigint[]) AND u.last_active_at < now() - interval '1 minute'
    ORDER BY u.id
    FOR NO KEY UPDATE SKIP LOCKED
);

-- name: list_last_seen(viewer_ids, user_ids)
-- When users were last active, for each pair (viewer, user) without a block in either direction; no hidden user.
-- users_pkey, blocks_pkey; at most one row a pair.
SELECT pair.viewer_id, u.id AS user_id, u.last_active_at
FROM unnest(:viewer_ids::bigint[], :user_ids::bigint[]) AS pair (viewer_id, user_id)
JOIN users u ON u.id = pair.user_id
WHERE
    NOT u.is_hidden
    AND NOT EXISTS (SELECT FROM blocks b WHERE b.blocker_id = pair.viewer_id AND b.blocked_id = pair.user_id)
    AND NOT EXISTS (SELECT FROM blocks b WHERE b.blocker_id = pair.user_id AND b.blocked_id = pair.viewer_id);

-- name: note_last_seen(user_ids, seen_at)!
-- Sets when users were last active; skips users with a newer time, and locked ones. users_pkey.
UPDATE users
SET last_active_at = seen.seen_at
FROM (
    SELECT u.id, noted.seen_at
    FROM unnest(:user_ids::bigint[], :seen_at::timestamptz[]) AS noted (id, seen_at)
    JOIN users u ON u.id = noted.id
    WHERE u.last_active_at < noted.seen_at
    ORDER BY u.id
    FOR NO KEY UPDATE OF u SKIP LOCKED
) seen
WHERE users.id = seen.id;
