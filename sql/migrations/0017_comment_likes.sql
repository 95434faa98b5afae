-- Storing likes of comments: many in one call
-- depends: 0010_posts_comments_follows

-- migrate: apply

-- Locks comments in id order, deleted ones too; answers the ids of those that are locked.
CREATE FUNCTION locked_comments(ids bigint[], patient boolean) RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    IF patient THEN
        RETURN ARRAY(SELECT c.id FROM comments c WHERE c.id = ANY(ids) ORDER BY c.id FOR NO KEY UPDATE);
    END IF;
    PERFORM set_config('lock_timeout', '50ms', true);
    RETURN ARRAY(SELECT c.id FROM comments c WHERE c.id = ANY(ids) ORDER BY c.id FOR NO KEY UPDATE SKIP LOCKED);
END
$$;

-- Sets whether users like comments, and counts it on the comments, as set_likes does for posts. What is locked is the
-- comment alone: calls for others on its post go on. Likes of a deleted comment can only be removed. `like_count` is the
-- one after all calls.
CREATE FUNCTION set_comment_likes(comment_ids bigint[], user_ids bigint[], wanted boolean[], patient boolean)
    RETURNS TABLE (place bigint, skipped boolean, changed boolean, like_count integer)
    LANGUAGE plpgsql VOLATILE
AS $$
#variable_conflict use_column
DECLARE
    locked bigint[] := locked_comments(comment_ids, patient);
BEGIN
    RETURN QUERY
    WITH call AS MATERIALIZED (
        SELECT
            asked.place,
            asked.comment_id,
            asked.user_id,
            c.like_count,
            known.is_locked,
            CASE
                WHEN NOT known.is_locked OR asked.wanted = viewer.viewer_liked THEN 0
                WHEN asked.wanted THEN 1
                ELSE -1
            END AS difference
        FROM unnest(comment_ids, user_ids, wanted) WITH ORDINALITY AS asked (comment_id, user_id, wanted, place)
        JOIN comments c ON c.id = asked.comment_id
        CROSS JOIN LATERAL (SELECT asked.comment_id = ANY(locked) AS is_locked) known
        CROSS JOIN LATERAL comment_viewer(asked.user_id, asked.comment_id) viewer
        WHERE c.deleted_at IS NULL OR NOT asked.wanted
    ), liked AS (
        INSERT INTO comment_likes (comment_id, user_id)
        SELECT call.comment_id, call.user_id
        FROM call
        WHERE call.difference = 1
        ORDER BY call.place
    ), unliked AS (
        DELETE FROM comment_likes l
        USING call
        WHERE call.difference = -1 AND l.comment_id = call.comment_id AND l.user_id = call.user_id
    ), counted AS (
        UPDATE comments
        SET like_count = comments.like_count + moved.difference
        FROM (
            SELECT call.comment_id, sum(call.difference) AS difference
            FROM call
            WHERE call.difference <> 0
            GROUP BY call.comment_id
        ) moved
        WHERE comments.id = moved.comment_id
    )
    SELECT
        call.place,
        NOT call.is_locked,
        call.difference <> 0,
        (call.like_count + sum(call.difference) OVER (PARTITION BY call.comment_id))::integer
    FROM call;
END
$$;

-- migrate: rollback
