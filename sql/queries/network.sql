-- name: has_people()$
-- Whether there is any user. One row; reads at most one.
SELECT EXISTS (SELECT FROM users);

-- name: recount_people(user_ids, broadcaster_threshold)!
-- Sets the counters of users whose follows and posts were copied in; one with enough followers becomes a broadcaster.
-- A row for each id; counts by users_pkey, follows_followed_idx, follows_follower_idx and posts_author_idx.
UPDATE users u
SET
    follower_count = counted.follower_count,
    following_count = counted.following_count,
    follow_version = u.follow_version + 1,
    post_count = counted.post_count,
    followers_post_count = counted.followers_post_count,
    public_post_count = counted.public_post_count,
    is_broadcaster = u.is_broadcaster OR counted.follower_count >= :broadcaster_threshold::integer
FROM (
    SELECT
        person.id,
        (SELECT count(*) FROM follows f WHERE f.followed_id = person.id) AS follower_count,
        (SELECT count(*) FROM follows f WHERE f.follower_id = person.id) AS following_count,
        posts_of.*
    FROM unnest(:user_ids::bigint[]) AS person (id)
    CROSS JOIN LATERAL (
        SELECT
            count(*) AS post_count,
            count(*) FILTER (WHERE p.visibility <> 'private') AS followers_post_count,
            count(*) FILTER (WHERE p.visibility = 'public') AS public_post_count
        FROM posts p
        WHERE p.author_id = person.id AND p.deleted_at IS NULL
    ) posts_of
) counted
WHERE u.id = counted.id;

-- name: recount_posts(post_ids)!
-- Sets the counters of posts whose likes and comments were copied in.
-- A row for each id; counts by post_likes_pkey and comments_post_idx (no replies are copied in).
UPDATE posts p
SET like_count = counted.like_count, comment_count = counted.comment_count, last_comment_id = counted.last_comment_id
FROM (
    SELECT
        post.id,
        (SELECT count(*) FROM post_likes l WHERE l.post_id = post.id) AS like_count,
        comments_on.*
    FROM unnest(:post_ids::bigint[]) AS post (id)
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE c.deleted_at IS NULL) AS comment_count, coalesce(max(c.id), 0) AS last_comment_id
        FROM comments c
        WHERE c.post_id = post.id AND c.parent_id IS NULL
    ) comments_on
) counted
WHERE p.id = counted.id;

-- name: analyze_tables()!
-- Updates the planner's statistics after a copy. No row.
ANALYZE users, follows, posts, post_likes, comments, conversations, conversation_members, messages;
