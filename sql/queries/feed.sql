-- name: home_page(ids, viewer_ids, ids_firsts, ids_lasts, versions, floors, befores, skips, page_sizes)
-- A page of the home feed, newest first: the given ids and the posts of followed broadcasters; where these do not fill
-- the page, also the posts of all followed users at or below the floor. Only posts whose author is followed now,
-- without a block in either direction or a mute by the viewer, and that the viewer may see. The viewer's own posts are not included. Each part
-- reads at most the skipped rows and one page. Where the viewer's list version is not the given one, ids may be missing
-- from the list, and the whole page is read without it. Of each post it says whether a filter of the viewer hides it: left
-- out here, they would make one page read all posts of all followed users. posts_pkey, posts_author_idx,
-- users_broadcaster_idx, follows_pkey, blocks_pkey, users_pkey, post_likes_pkey, word_filters_pkey (one probe a call where
-- the viewer has none); at most page_size rows a call.
SELECT call.place, page.*
FROM (
    SELECT
        asked.place,
        asked.viewer_id,
        asked.before,
        asked.skip,
        asked.page_size,
        EXISTS (SELECT FROM word_filters f WHERE f.user_id = asked.viewer_id OFFSET 0) AS has_filters,
        CASE
            WHEN (SELECT e.history FROM epochs e) | me.follow_version = asked.version THEN (:ids::bigint[])[asked.first : asked.last]
            ELSE '{}'
        END AS ids,
        CASE WHEN (SELECT e.history FROM epochs e) | me.follow_version = asked.version THEN asked.floor ELSE 9223372036854775807 END AS floor
    FROM unnest(
        :viewer_ids::bigint[],
        :ids_firsts::integer[],
        :ids_lasts::integer[],
        :versions::bigint[],
        :floors::bigint[],
        :befores::bigint[],
        :skips::bigint[],
        :page_sizes::bigint[]
    ) WITH ORDINALITY AS asked (viewer_id, first, last, version, floor, before, skip, page_size, place)
    JOIN users me ON me.id = asked.viewer_id
) call
CROSS JOIN LATERAL (
    WITH followee AS NOT MATERIALIZED (
        SELECT f.followed_id AS id, author.is_broadcaster
        FROM follows f
        JOIN users author ON author.id = f.followed_id
        WHERE
            f.follower_id = call.viewer_id
            AND NOT author.is_hidden
            AND NOT EXISTS (SELECT FROM blocks b WHERE b.blocker_id = call.viewer_id AND b.blocked_id = f.followed_id)
            AND NOT EXISTS (SELECT FROM blocks b WHERE b.blocker_id = f.followed_id AND b.blocked_id = call.viewer_id)
            AND NOT EXISTS (
                SELECT
                FROM mutes m
                WHERE
                    m.muter_id = call.viewer_id
                    AND m.muted_id = f.followed_id
                    AND (m.muted_until IS NULL OR m.muted_until > now())
                OFFSET 0
            )
    ), recent AS MATERIALIZED (
        (
            SELECT given.id
            FROM (
                SELECT DISTINCT item.id
                FROM unnest(call.ids) AS item (id)
                WHERE item.id < call.before
                ORDER BY item.id DESC
            ) given
            JOIN posts p ON p.id = given.id
            CROSS JOIN LATERAL relation(call.viewer_id, p.author_id) r
            WHERE
                p.deleted_at IS NULL
                AND r.viewer_follows
                AND NOT r.viewer_mutes
                AND may_see_content(
                    p.visibility, r.viewer_is_self, r.viewer_follows, r.viewer_blocks, r.viewer_blocked_by,
                    r.followers_only
                )
            ORDER BY given.id DESC
            LIMIT call.page_size + call.skip
        )
        UNION
        SELECT newest.id
        FROM followee
        CROSS JOIN LATERAL (
            SELECT p.id
            FROM posts p
            WHERE
                p.author_id = followee.id
                AND p.id < call.before
                AND p.deleted_at IS NULL
                AND p.visibility IN ('public', 'followers')
            ORDER BY p.id DESC
            LIMIT call.page_size + call.skip
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
                AND p.id < call.before
                AND p.id <= call.floor
                AND p.deleted_at IS NULL
                AND p.visibility IN ('public', 'followers')
            ORDER BY p.id DESC
            LIMIT 1
        ) newest
        WHERE (SELECT count(*) FROM recent WHERE recent.id > call.floor) < call.page_size + call.skip
        ORDER BY newest.id DESC
        OFFSET call.page_size + call.skip - 1
        LIMIT 1
    ), older AS (
        SELECT newest.id
        FROM followee
        CROSS JOIN LATERAL (
            SELECT p.id
            FROM posts p
            WHERE
                p.author_id = followee.id
                AND p.id < call.before
                AND p.id <= call.floor
                AND p.id >= coalesce((SELECT older_from.id FROM older_from), 0)
                AND p.deleted_at IS NULL
                AND p.visibility IN ('public', 'followers')
            ORDER BY p.id DESC
            LIMIT call.page_size + call.skip
        ) newest
        WHERE (SELECT count(*) FROM recent WHERE recent.id > call.floor) < call.page_size + call.skip
    ), page AS (
        SELECT recent.id FROM recent
        UNION
        SELECT older.id FROM older
        ORDER BY id DESC
        LIMIT call.page_size
        OFFSET call.skip
    )
    SELECT
        state.*,
        call.has_filters AND (SELECT says.is_hidden FROM says_filtered(call.viewer_id, p.author_id, p.text) says) AS is_hidden
    FROM page
    JOIN posts p ON p.id = page.id
    CROSS JOIN LATERAL post_state(call.viewer_id, p) state
    ORDER BY p.id DESC
) page
ORDER BY 1, 2 DESC;

-- name: changed_posts(viewer_ids, sinces, page_sizes)
-- The posts of followed users that have changed since a position, deleted ones too but none that was private all along,
-- each with what the viewer may see of it, in no order; the first column says instead, in one row, that the whole feed has to be read anew. Every row has the
-- position of this read and the history that it is in. users_pkey, users_published_changed_idx, follows_pkey, posts_changed_idx, posts_pkey,
-- blocks_pkey, post_likes_pkey, word_filters_pkey; at most page_size rows a call, or one without a post.
SELECT call.place, call.is_reset, here.position, here.history, changed.id AS post_id, seen.*
FROM (
    SELECT asked.*, anew.audience_changed AS is_reset
    FROM unnest(:viewer_ids::bigint[], :sinces::bigint[], :page_sizes::bigint[])
        WITH ORDINALITY AS asked (viewer_id, since, page_size, place)
    CROSS JOIN LATERAL audience_changed(asked.viewer_id, asked.since) anew
    OFFSET 0
) call
CROSS JOIN (SELECT stamp_horizon() AS position, (SELECT e.history FROM epochs e) AS history OFFSET 0) here
LEFT JOIN LATERAL (
    SELECT fresh.id
    FROM follows f
    CROSS JOIN LATERAL (
        SELECT p.id
        FROM posts p
        WHERE p.author_id = f.followed_id AND p.changed >= call.since AND p.was_shown
        LIMIT call.page_size
    ) fresh
    WHERE NOT call.is_reset AND f.follower_id = call.viewer_id
    LIMIT call.page_size
) changed ON true
LEFT JOIN LATERAL (
    SELECT state.*
    FROM posts p
    CROSS JOIN LATERAL post_state(call.viewer_id, p) state
    CROSS JOIN LATERAL relation(call.viewer_id, p.author_id) r
    WHERE
        p.id = changed.id
        AND p.deleted_at IS NULL
        AND NOT r.viewer_mutes
        AND may_see_content(
            p.visibility, r.viewer_is_self, r.viewer_follows, r.viewer_blocks, r.viewer_blocked_by,
            r.followers_only
        )
        AND NOT (SELECT says.is_hidden FROM says_filtered(call.viewer_id, p.author_id, p.text) says)
) seen ON true
ORDER BY 1;

-- name: read_list_position(consumer, fact_names)^
-- The stamp below which all posts are in the feed lists: none is uncommitted, and this consumer has read all Facts of
-- these names. 0: it has never run. fact_checkpoints_pkey, facts_lane_idx; one row. It reads the Facts of each lane behind
-- the checkpoint up to the first of these names, so those of a minute at most.
SELECT least(
    stamp_horizon(),
    (
        SELECT CASE WHEN count(*) = 0 THEN 0 ELSE min(unread.position) END
        FROM fact_checkpoints c
        LEFT JOIN LATERAL (
            SELECT f.position
            FROM facts f
            WHERE
                f.lane = c.lane
                AND (f.position, f.id) > (c.position, c.fact_id)
                AND f.name = ANY(:fact_names::text[])
            ORDER BY f.position, f.id
            LIMIT 1
        ) unread ON true
        WHERE c.consumer = :consumer
    )
) AS position, (SELECT e.history FROM epochs e) AS history;

-- name: home_ids(viewer_id, id_limit)
-- The newest posts of followed users who are not broadcasters, newest first, to build a feed list from.
-- follows_pkey, users_pkey, posts_author_idx; at most id_limit rows.
WITH followee AS (
    SELECT f.followed_id AS id
    FROM follows f
    JOIN users author ON author.id = f.followed_id
    WHERE f.follower_id = :viewer_id AND NOT author.is_broadcaster
), oldest AS MATERIALIZED (
    -- The list ends at or above this id, which the newest ten of each user show; without it, the posts of every
    -- followed user would be read down to the limit.
    SELECT newest.id
    FROM followee
    CROSS JOIN LATERAL (
        SELECT p.id
        FROM posts p
        WHERE p.author_id = followee.id AND p.deleted_at IS NULL AND p.visibility IN ('public', 'followers')
        ORDER BY p.id DESC
        LIMIT 10
    ) newest
    ORDER BY newest.id DESC
    OFFSET :id_limit - 1
    LIMIT 1
)
SELECT newest.id
FROM followee
CROSS JOIN LATERAL (
    SELECT p.id
    FROM posts p
    WHERE
        p.author_id = followee.id
        AND p.id >= coalesce((SELECT oldest.id FROM oldest), 0)
        AND p.deleted_at IS NULL
        AND p.visibility IN ('public', 'followers')
    ORDER BY p.id DESC
    LIMIT :id_limit
) newest
ORDER BY newest.id DESC
LIMIT :id_limit;

-- name: newest_of_author(author_id, page_size)
-- The newest posts of an author that feeds show, newest first. posts_author_idx; at most page_size rows.
SELECT p.id
FROM posts p
WHERE p.author_id = :author_id AND p.deleted_at IS NULL AND p.visibility IN ('public', 'followers')
ORDER BY p.id DESC
LIMIT :page_size;

-- name: read_list_version(viewer_id)$
-- The version that a list of this user's home feed has if it is built now: how often they began to follow somebody, in this
-- history of the database, since Redis may hold lists of one that was lost. users_pkey, epochs; 0 or 1 row.
SELECT (SELECT e.history FROM epochs e) | u.follow_version
FROM users u
WHERE u.id = :viewer_id;

-- name: read_author(author_id)^
-- How an author's posts are delivered. users_pkey; 0 or 1 row.
SELECT u.follower_count, u.is_broadcaster, u.is_hidden
FROM users u
WHERE u.id = :author_id;

-- name: follower_batch(author_id, before_follow_id, batch_size)
-- The next followers whose lists get a post, from the latest follow downwards, without a block in either direction. Who
-- mutes the author has it in the list too, for the time after the mute. follows_followed_idx, blocks_pkey, mutes_pkey; at
-- most batch_size rows.
SELECT
    f.id AS follow_id,
    f.follower_id AS user_id,
    EXISTS (
        SELECT
        FROM mutes m
        WHERE
            m.muter_id = f.follower_id
            AND m.muted_id = :author_id
            AND (m.muted_until IS NULL OR m.muted_until > now())
        OFFSET 0
    ) AS mutes
FROM follows f
WHERE
    f.followed_id = :author_id
    AND f.id < :before_follow_id
    AND NOT EXISTS (SELECT FROM blocks b WHERE b.blocker_id = :author_id AND b.blocked_id = f.follower_id)
    AND NOT EXISTS (SELECT FROM blocks b WHERE b.blocker_id = f.follower_id AND b.blocked_id = :author_id)
ORDER BY f.id DESC
LIMIT :batch_size;

-- name: followers_among(author_id, user_ids)
-- Which of these users have an author's posts in their feeds: they follow, without a block in either direction, and do not
-- mute the author. It probes the index for each user,
-- however many followers the author has (OFFSET 0 excludes other plans). follows_pkey, blocks_pkey, mutes_pkey; at
-- most one row a user.
SELECT person.id
FROM unnest(:user_ids::bigint[]) AS person (id)
WHERE
    EXISTS (SELECT FROM follows f WHERE f.follower_id = person.id AND f.followed_id = :author_id OFFSET 0)
    AND NOT EXISTS (SELECT FROM blocks b WHERE b.blocker_id = :author_id AND b.blocked_id = person.id OFFSET 0)
    AND NOT EXISTS (SELECT FROM blocks b WHERE b.blocker_id = person.id AND b.blocked_id = :author_id OFFSET 0)
    AND NOT EXISTS (
        SELECT
        FROM mutes m
        WHERE
            m.muter_id = person.id
            AND m.muted_id = :author_id
            AND (m.muted_until IS NULL OR m.muted_until > now())
        OFFSET 0
    );
