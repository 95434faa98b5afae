-- Storing posts, likes, comments and follows: many in one call, each under its locks, with its Fact
-- depends: 0005_fact_log 0007_shapes 0009_send_messages

-- migrate: apply

-- Each function has three steps, which are statements of their own: the locks; the change, which sees what was committed
-- before the locks were given; the answer, which finds new rows by their ids. A call whose rows others have locked is
-- `skipped`, unless `patient`. What is joined is always a table with an index: PostgreSQL estimates few rows for arrays
-- and CTEs, so joining these to each other costs the square of the calls.

-- Locks users in id order; answers the ids of those that are locked.
CREATE FUNCTION locked_users(ids bigint[], patient boolean) RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    IF patient THEN
        RETURN ARRAY(SELECT u.id FROM users u WHERE u.id = ANY(ids) ORDER BY u.id FOR NO KEY UPDATE);
    END IF;
    PERFORM set_config('lock_timeout', '50ms', true);
    RETURN ARRAY(SELECT u.id FROM users u WHERE u.id = ANY(ids) ORDER BY u.id FOR NO KEY UPDATE SKIP LOCKED);
END
$$;

-- The same for posts, deleted ones too.
CREATE FUNCTION locked_posts(ids bigint[], patient boolean) RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    IF patient THEN
        RETURN ARRAY(SELECT p.id FROM posts p WHERE p.id = ANY(ids) ORDER BY p.id FOR NO KEY UPDATE);
    END IF;
    PERFORM set_config('lock_timeout', '50ms', true);
    RETURN ARRAY(SELECT p.id FROM posts p WHERE p.id = ANY(ids) ORDER BY p.id FOR NO KEY UPDATE SKIP LOCKED);
END
$$;

-- Stores posts with their tags and counts them on their authors, who are locked first, as everywhere. No row for a repeated client_id.
CREATE FUNCTION create_posts(
    author_ids bigint[],
    kinds text[],
    texts text[],
    links text[],
    entity_sets jsonb[],
    visibilities text[],
    reply_rules text[],
    are_sensitive boolean[],
    polls jsonb[],
    client_ids text[],
    patient boolean
) RETURNS TABLE (place bigint, skipped boolean, author_id bigint, post posts)
    LANGUAGE plpgsql VOLATILE
AS $$
#variable_conflict use_column
DECLARE
    locked bigint[] := locked_users(author_ids, patient);
    ids bigint[] := ARRAY(SELECT make_id() FROM generate_series(1, cardinality(author_ids)));
    stamp bigint := change_stamp();
BEGIN
    WITH made AS (
        INSERT INTO posts (
            id, author_id, kind, text, link, entities, visibility, replies, sensitive,
            poll_options, poll_multiple, poll_closes_at, poll_counts, poll_voter_count, was_shown, client_id, changed
        )
        SELECT
            call.id, call.author_id, call.kind, call.text, call.link, call.entities, call.visibility,
            call.replies, call.sensitive,
            asked.options, (call.poll ->> 'multiple')::boolean,
            now() + (call.poll ->> 'closes_in_s')::integer * interval '1 second',
            asked.counts, asked.voter_count,
            call.visibility <> 'private', call.client_id, stamp
        FROM unnest(
            ids, author_ids, kinds, texts, links, entity_sets, visibilities, reply_rules, are_sensitive, polls, client_ids
        ) WITH ORDINALITY AS call (
            id, author_id, kind, text, link, entities, visibility, replies, sensitive, poll, client_id, place
        )
        LEFT JOIN LATERAL (
            SELECT array_agg(option.text ORDER BY option.place) AS options, array_agg(0) AS counts, 0 AS voter_count
            FROM jsonb_array_elements_text(call.poll -> 'options') WITH ORDINALITY AS option (text, place)
        ) asked ON call.poll IS NOT NULL
        WHERE call.author_id = ANY(locked)
        ORDER BY call.place
        ON CONFLICT (author_id, client_id) WHERE client_id IS NOT NULL DO NOTHING
        RETURNING id, author_id, visibility, entities
    ), tagged AS (
        INSERT INTO post_tags (tag, post_id)
        SELECT tag.found ->> 'folded', made.id
        FROM made
        CROSS JOIN LATERAL jsonb_array_elements(made.entities -> 'tags') AS tag (found)
    ), counted AS (
        UPDATE users
        SET
            post_count = users.post_count + amounts.in_all,
            followers_post_count = users.followers_post_count + amounts.for_followers,
            public_post_count = users.public_post_count + amounts.for_all
        FROM (
            SELECT
                made.author_id,
                count(*) AS in_all,
                count(*) FILTER (WHERE made.visibility <> 'private') AS for_followers,
                count(*) FILTER (WHERE made.visibility = 'public') AS for_all
            FROM made
            GROUP BY made.author_id
        ) amounts
        WHERE users.id = amounts.author_id
    )
    INSERT INTO facts (position, lane, name, payload)
    SELECT
        stamp,
        fact_lane(made.author_id),
        'post.created',
        jsonb_build_object('post_id', made.id::text, 'author_id', made.author_id::text)
    FROM made
    WHERE made.visibility <> 'private';
    RETURN QUERY
    SELECT call.place, p.id IS NULL, call.author_id, p
    FROM unnest(ids, author_ids) WITH ORDINALITY AS call (id, author_id, place)
    LEFT JOIN posts p ON p.id = call.id
    WHERE
        p.id IS NOT NULL
        OR (call.author_id <> ALL(locked) AND EXISTS (SELECT FROM users u WHERE u.id = call.author_id));
END
$$;

-- Sets whether users like posts, and counts it on the posts. Whoever changes likes of a post has locked it, so what is read
-- here stays true. Likes of a deleted post can only be removed. `like_count` is the one after all calls.
CREATE FUNCTION set_likes(post_ids bigint[], user_ids bigint[], wanted boolean[], patient boolean)
    RETURNS TABLE (place bigint, skipped boolean, changed boolean, like_count integer)
    LANGUAGE plpgsql VOLATILE
AS $$
#variable_conflict use_column
DECLARE
    locked bigint[] := locked_posts(post_ids, patient);
BEGIN
    RETURN QUERY
    WITH call AS MATERIALIZED (
        SELECT
            asked.place,
            asked.post_id,
            asked.user_id,
            p.like_count,
            known.is_locked,
            CASE
                WHEN NOT known.is_locked OR asked.wanted = viewer.viewer_liked THEN 0
                WHEN asked.wanted THEN 1
                ELSE -1
            END AS difference
        FROM unnest(post_ids, user_ids, wanted) WITH ORDINALITY AS asked (post_id, user_id, wanted, place)
        JOIN posts p ON p.id = asked.post_id
        CROSS JOIN LATERAL (SELECT asked.post_id = ANY(locked) AS is_locked) known
        CROSS JOIN LATERAL post_viewer(asked.user_id, p) viewer
        WHERE p.deleted_at IS NULL OR NOT asked.wanted
    ), liked AS (
        INSERT INTO post_likes (post_id, user_id)
        SELECT call.post_id, call.user_id
        FROM call
        WHERE call.difference = 1
        ORDER BY call.place
    ), unliked AS (
        DELETE FROM post_likes l
        USING call
        WHERE call.difference = -1 AND l.post_id = call.post_id AND l.user_id = call.user_id
    ), counted AS (
        UPDATE posts
        SET like_count = posts.like_count + moved.difference
        FROM (
            SELECT call.post_id, sum(call.difference) AS difference
            FROM call
            WHERE call.difference <> 0
            GROUP BY call.post_id
        ) moved
        WHERE posts.id = moved.post_id
    )
    SELECT
        call.place,
        NOT call.is_locked,
        call.difference <> 0,
        (call.like_count + sum(call.difference) OVER (PARTITION BY call.post_id))::integer
    FROM call;
END
$$;

-- Stores comments and replies, and counts them on their posts and parents. Their ids, and so their times, are made under
-- the locks of the posts, in the order of the calls. Whoever changes comments of a post has locked the post, so parents
-- need no locks. No row for a repeated client_id, and where the post or the parent is deleted.
CREATE FUNCTION create_comments(
    post_ids bigint[],
    parent_ids bigint[],
    author_ids bigint[],
    texts text[],
    client_ids text[],
    patient boolean
) RETURNS TABLE (place bigint, skipped boolean, author_id bigint, parent_id bigint, comment comments)
    LANGUAGE plpgsql VOLATILE
AS $$
#variable_conflict use_column
DECLARE
    locked bigint[] := locked_posts(post_ids, patient);
    ids bigint[] := ARRAY(
        SELECT numbered.id
        FROM (
            SELECT
                call.place,
                rising_id(id_above(coalesce(p.last_comment_id, 0), make_id()))
                    OVER (PARTITION BY call.post_id ORDER BY call.place) AS id
            FROM unnest(post_ids) WITH ORDINALITY AS call (post_id, place)
            LEFT JOIN posts p ON p.id = call.post_id
        ) numbered
        ORDER BY numbered.place
    );
BEGIN
    WITH made AS (
        INSERT INTO comments (id, post_id, parent_id, author_id, text, client_id)
        SELECT call.id, call.post_id, call.parent_id, call.author_id, call.text, call.client_id
        FROM unnest(ids, post_ids, parent_ids, author_ids, texts, client_ids)
            WITH ORDINALITY AS call (id, post_id, parent_id, author_id, text, client_id, place)
        JOIN posts p ON p.id = call.post_id
        LEFT JOIN comments parent
            ON parent.id = call.parent_id AND parent.post_id = call.post_id AND parent.deleted_at IS NULL
        WHERE
            call.post_id = ANY(locked)
            AND p.deleted_at IS NULL
            AND (call.parent_id IS NULL OR parent.id IS NOT NULL)
        ORDER BY call.place
        ON CONFLICT (author_id, client_id) WHERE client_id IS NOT NULL DO NOTHING
        RETURNING id, post_id, parent_id
    ), counted_by_post AS (
        UPDATE posts
        SET comment_count = posts.comment_count + amounts.amount, last_comment_id = amounts.newest_id
        FROM (
            SELECT made.post_id, count(*) AS amount, max(made.id) AS newest_id FROM made GROUP BY made.post_id
        ) amounts
        WHERE posts.id = amounts.post_id
    )
    UPDATE comments
    SET reply_count = comments.reply_count + amounts.amount
    FROM (SELECT made.parent_id, count(*) AS amount FROM made GROUP BY made.parent_id) amounts
    WHERE comments.id = amounts.parent_id;
    RETURN QUERY
    SELECT call.place, c.id IS NULL, call.author_id, call.parent_id, c
    FROM unnest(ids, post_ids, parent_ids, author_ids)
        WITH ORDINALITY AS call (id, post_id, parent_id, author_id, place)
    LEFT JOIN comments c ON c.id = call.id
    WHERE
        c.id IS NOT NULL
        OR (call.post_id <> ALL(locked) AND EXISTS (SELECT FROM posts p WHERE p.id = call.post_id));
END
$$;

-- Sets whether users follow others, and counts it on both; the follower's home feed list is built anew after a new
-- follow, and what other devices hold of it is read anew after any change; a user who reaches broadcaster_from followers
-- becomes a broadcaster for good. Nobody follows themselves, or across a block. Whoever changes follows or blocks of two users has locked both, so what is read here stays true. No row
-- where one of the two does not exist; else the relation as it was before.
CREATE FUNCTION set_follows(
    follower_ids bigint[],
    followed_ids bigint[],
    wanted boolean[],
    broadcasters_from bigint[],
    patient boolean
) RETURNS TABLE (
    place bigint,
    skipped boolean,
    changed boolean,
    viewer_is_self boolean,
    viewer_follows boolean,
    viewer_followed_by boolean,
    viewer_blocks boolean,
    viewer_blocked_by boolean,
    viewer_mutes boolean,
    viewer_requested boolean,
    followers_only boolean
)
    LANGUAGE plpgsql VOLATILE
AS $$
#variable_conflict use_column
DECLARE
    locked bigint[] := locked_users(follower_ids || followed_ids, patient);
    stamp bigint := change_stamp();
BEGIN
    RETURN QUERY
    WITH call AS MATERIALIZED (
        SELECT
            asked.*,
            r.*,
            known.is_locked,
            known.is_locked AND asked.wanted AND NOT r.viewer_follows AND NOT r.viewer_is_self
                AND NOT r.viewer_blocks AND NOT r.viewer_blocked_by AS begins,
            known.is_locked AND NOT asked.wanted AND r.viewer_follows AS ends
        FROM unnest(follower_ids, followed_ids, wanted, broadcasters_from)
            WITH ORDINALITY AS asked (follower_id, followed_id, wanted, broadcaster_from, place)
        CROSS JOIN LATERAL (
            SELECT asked.follower_id = ANY(locked) AND asked.followed_id = ANY(locked) AS is_locked
        ) known
        CROSS JOIN LATERAL relation(asked.follower_id, asked.followed_id) r
        WHERE
            EXISTS (SELECT FROM users u WHERE u.id = asked.follower_id)
            AND EXISTS (SELECT FROM users u WHERE u.id = asked.followed_id)
    ), added AS (
        INSERT INTO follows (follower_id, followed_id)
        SELECT call.follower_id, call.followed_id
        FROM call
        WHERE call.begins
        ORDER BY call.place
    ), removed AS (
        DELETE FROM follows f
        USING call
        WHERE call.ends AND f.follower_id = call.follower_id AND f.followed_id = call.followed_id
    ), moved AS (
        SELECT
            person.id,
            sum(person.following) AS following,
            sum(person.following) FILTER (WHERE call.begins) AS begun,
            bool_or(person.following <> 0) AS is_follower,
            sum(person.followers) AS followers,
            min(call.broadcaster_from) FILTER (WHERE call.begins AND person.followers > 0) AS broadcaster_from
        FROM call
        CROSS JOIN LATERAL (SELECT CASE WHEN call.begins THEN 1 ELSE -1 END AS by) step
        CROSS JOIN LATERAL (
            VALUES (call.follower_id, step.by, 0), (call.followed_id, 0, step.by)
        ) AS person (id, following, followers)
        WHERE call.begins OR call.ends
        GROUP BY person.id
    ), counted AS (
        UPDATE users u
        SET
            following_count = u.following_count + moved.following,
            follow_version = u.follow_version + coalesce(moved.begun, 0),
            audience_changed = CASE WHEN moved.is_follower THEN stamp ELSE u.audience_changed END,
            follower_count = u.follower_count + moved.followers,
            is_broadcaster = u.is_broadcaster
                OR coalesce(u.follower_count + moved.followers >= moved.broadcaster_from, false)
        FROM moved
        WHERE u.id = moved.id
    ), noted AS (
        INSERT INTO relation_changes (user_id, other_id, changed)
        SELECT call.follower_id, call.followed_id, stamp
        FROM call
        WHERE call.begins OR call.ends
        ON CONFLICT (user_id, other_id) DO UPDATE
        SET changed = excluded.changed, changed_at = excluded.changed_at
    ), told AS (
        INSERT INTO facts (position, lane, name, payload)
        SELECT
            stamp,
            fact_lane(call.follower_id),
            CASE WHEN call.begins THEN 'follow.created' ELSE 'follow.ended' END,
            jsonb_build_object('follower_id', call.follower_id::text, 'followed_id', call.followed_id::text)
        FROM call
        WHERE call.begins OR call.ends
    )
    SELECT
        call.place,
        NOT call.is_locked,
        call.begins OR call.ends,
        call.viewer_is_self,
        call.viewer_follows,
        call.viewer_followed_by,
        call.viewer_blocks,
        call.viewer_blocked_by,
        call.viewer_mutes,
        call.viewer_requested,
        call.followers_only
    FROM call;
END
$$;

-- migrate: rollback
