-- name: read_polls(post_ids, viewer_ids, post_ids_firsts, post_ids_lasts)
-- The polls of posts, each with what the viewer has chosen. Access is checked where the posts are found. posts_pkey,
-- poll_votes_pkey; at most one row for each id of a call.
SELECT
    call.place,
    p.id AS post_id,
    p.author_id = call.viewer_id AS is_own,
    v.choices,
    p.poll_options,
    p.poll_multiple,
    p.poll_closes_at,
    p.poll_counts,
    p.poll_voter_count,
    p.poll_closes_at <= now() AS poll_is_closed
FROM unnest(:viewer_ids::bigint[], :post_ids_firsts::integer[], :post_ids_lasts::integer[])
    WITH ORDINALITY AS call (viewer_id, first, last, place)
CROSS JOIN LATERAL unnest((:post_ids::bigint[])[call.first : call.last]) AS asked (id)
JOIN posts p ON p.id = asked.id AND p.poll_options IS NOT NULL
LEFT JOIN poll_votes v ON v.post_id = p.id AND v.user_id = call.viewer_id
ORDER BY 1;

-- name: set_vote(post_id, user_id, choices)^
-- Replaces what a user has chosen in an open poll, and counts it on the post; an empty list takes the vote back. Call it
-- after lock_post: it counts on from what it reads. posts_pkey, poll_votes_pkey; one row, none where no open poll is.
WITH poll AS (
    SELECT p.id, earlier.choices AS earlier
    FROM posts p
    LEFT JOIN poll_votes earlier ON earlier.post_id = p.id AND earlier.user_id = :user_id
    WHERE p.id = :post_id AND p.deleted_at IS NULL AND p.poll_closes_at > now()
), removed AS (
    DELETE FROM poll_votes v
    USING poll
    WHERE v.post_id = poll.id AND v.user_id = :user_id AND cardinality(:choices::integer[]) = 0
), stored AS (
    INSERT INTO poll_votes (post_id, user_id, choices)
    SELECT poll.id, :user_id, :choices
    FROM poll
    WHERE cardinality(:choices::integer[]) > 0
    ON CONFLICT (post_id, user_id) DO UPDATE
    SET choices = excluded.choices
)
UPDATE posts p
SET
    poll_counts = ARRAY(
        SELECT
            option.votes
                + (option.place = ANY(:choices::integer[]))::integer
                - (option.place = ANY(coalesce(poll.earlier, '{}')))::integer
        FROM (
            SELECT counted.votes, counted.nth - 1 AS place
            FROM unnest(p.poll_counts) WITH ORDINALITY AS counted (votes, nth)
        ) option
        ORDER BY option.place
    ),
    poll_voter_count = p.poll_voter_count
        + (cardinality(:choices::integer[]) > 0)::integer - (poll.earlier IS NOT NULL)::integer
FROM poll
WHERE p.id = poll.id
RETURNING p.poll_counts AS counts, p.poll_voter_count AS voter_count;

-- name: close_polls(batch_size)$
-- Closes polls whose time is over: readers are shown another version, and the Facts tell who has to hear of it. Posts that
-- are locked are left for the next time. posts_poll_end_idx, posts_pkey; one row, the number of closed polls.
WITH ended AS (
    SELECT p.id
    FROM posts p
    WHERE
        p.poll_closes_at <= now()
        AND NOT p.poll_end_told
        AND p.deleted_at IS NULL
    ORDER BY p.poll_closes_at
    LIMIT :batch_size
    FOR NO KEY UPDATE SKIP LOCKED
), closed AS (
    UPDATE posts p
    SET poll_end_told = true, version = p.version + 1, changed = change_stamp()
    FROM ended
    WHERE p.id = ended.id
    RETURNING p.id, p.author_id, p.visibility
), told AS (
    INSERT INTO facts (position, lane, name, payload)
    SELECT
        change_stamp(),
        fact_lane(closed.author_id),
        fact.name,
        jsonb_build_object('post_id', closed.id::text, 'author_id', closed.author_id::text)
    FROM closed
    CROSS JOIN (VALUES ('post.changed'), ('poll.closed')) AS fact (name)
    WHERE fact.name = 'poll.closed' OR closed.visibility <> 'private'
)
SELECT count(*) FROM closed;
