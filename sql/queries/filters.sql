-- name: list_filters(user_id)
-- The filters of a user that have not ended, by phrase. word_filters_pkey; at most 100 rows, which set_filter sees to.
SELECT f.phrase, f.ends_at
FROM word_filters f
WHERE f.user_id = :user_id AND (f.ends_at IS NULL OR f.ends_at > now())
ORDER BY f.phrase;

-- name: set_filter(user_id, phrase, ends_at, max_count)^
-- Adds a filter or gives the one of the same words this spelling and end; where that changes anything, the feed of its owner
-- is read anew. Call it after lock_users. word_filters_pkey, users_pkey; 0 or 1 row, none where the user has max_count
-- others.
WITH given AS (
    SELECT words_of(:phrase) AS words
), allowed AS (
    SELECT given.words
    FROM given
    WHERE (
        SELECT count(*)
        FROM word_filters f
        WHERE f.user_id = :user_id AND f.words <> given.words AND (f.ends_at IS NULL OR f.ends_at > now())
    ) < :max_count
), made AS (
    INSERT INTO word_filters AS f (user_id, words, phrase, ends_at)
    SELECT :user_id, allowed.words, :phrase, :ends_at
    FROM allowed
    ON CONFLICT (user_id, words) DO UPDATE
    SET phrase = excluded.phrase, ends_at = excluded.ends_at
    WHERE (f.phrase, f.ends_at) IS DISTINCT FROM (excluded.phrase, excluded.ends_at)
    RETURNING user_id
), moved AS (
    UPDATE users
    SET audience_changed = change_stamp()
    FROM made
    WHERE users.id = made.user_id
    RETURNING users.audience_changed
)
SELECT coalesce(moved.audience_changed, u.audience_changed) AS changed, moved.audience_changed IS NOT NULL AS is_new
FROM allowed
JOIN users u ON u.id = :user_id
LEFT JOIN moved ON true;

-- name: remove_filter(user_id, phrase)^
-- Removes the filter with the words of this phrase; the feed of its owner is read anew. Call it after lock_users.
-- word_filters_pkey, users_pkey; 0 or 1 row.
WITH gone AS (
    DELETE FROM word_filters
    WHERE user_id = :user_id AND words = words_of(:phrase)
    RETURNING user_id
)
UPDATE users
SET audience_changed = change_stamp()
FROM gone
WHERE users.id = gone.user_id
RETURNING users.audience_changed AS changed, true AS is_new;

-- name: filtered_readers(post_id, user_ids)^
-- Which of these users have filters, and from whom of them one hides a post, deleted ones too. word_filters_pkey, probed
-- once for each user; posts_pkey; one row.
SELECT
    here.position,
    coalesce(array_agg(reader.user_id) FILTER (WHERE reader.is_hidden), '{}') AS hidden_from,
    coalesce(array_agg(reader.user_id) FILTER (WHERE NOT reader.is_hidden), '{}') AS shown_to
FROM (SELECT stamp_horizon() AS position OFFSET 0) here
LEFT JOIN (
    SELECT f.user_id, bool_or(strpos(said.words, f.words) > 0) AS is_hidden
    FROM (SELECT words_of(p.text) AS words FROM posts p WHERE p.id = :post_id OFFSET 0) said
    JOIN word_filters f ON f.user_id = ANY(:user_ids::bigint[])
    WHERE f.ends_at IS NULL OR f.ends_at > now()
    GROUP BY f.user_id
) reader ON true
GROUP BY here.position;

-- name: end_filters(batch_size)$
-- Removes filters whose end has come; the feeds of their owners are read anew, and each owner has a Fact.
-- word_filters_ending_idx, users_pkey; one row, the number of owners.
WITH ended AS (
    DELETE FROM word_filters
    WHERE ctid = ANY(ARRAY(
        SELECT f.ctid
        FROM word_filters f
        JOIN users u ON u.id = f.user_id
        WHERE f.ends_at <= now()
        LIMIT :batch_size
        FOR UPDATE OF u SKIP LOCKED
    ))
    RETURNING user_id
), owner AS (
    SELECT DISTINCT ended.user_id AS id FROM ended
), shown AS (
    UPDATE users
    SET audience_changed = change_stamp()
    FROM owner
    WHERE users.id = owner.id
), told AS (
    INSERT INTO facts (position, lane, name, payload)
    SELECT change_stamp(), fact_lane(owner.id), 'filter.ended', jsonb_build_object('user_id', owner.id::text)
    FROM owner
)
SELECT count(*) FROM owner;
