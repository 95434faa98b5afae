-- name: add_spread_follows(user_ids, each)!
-- Lets each of these people follow that many others of them, of all places of the list.
INSERT INTO follows (follower_id, followed_id)
SELECT follower.id, followed.id
FROM unnest(:user_ids::bigint[]) WITH ORDINALITY AS follower (id, place)
CROSS JOIN generate_series(1, :each::integer) AS step
JOIN unnest(:user_ids::bigint[]) WITH ORDINALITY AS followed (id, place)
    ON followed.place = 1 + (follower.place + step * step * 37) % cardinality(:user_ids::bigint[])
WHERE follower.id <> followed.id
ON CONFLICT DO NOTHING;

-- name: remove_followers(author_ids)!
DELETE FROM follows WHERE followed_id = ANY (:author_ids::bigint[]);

-- name: add_followers(author_ids, follower_ids)!
INSERT INTO follows (follower_id, followed_id)
SELECT follower_id, author_id
FROM unnest(:author_ids::bigint[]) AS author_id
CROSS JOIN unnest(:follower_ids::bigint[]) AS follower_id;

-- name: count_followers(broadcaster_from)!
-- Makes the counts of all people equal to the follows, and those with so many followers broadcasters.
UPDATE users u
SET
    follower_count = counted.followers,
    following_count = counted.following,
    is_broadcaster = counted.followers >= :broadcaster_from
FROM (
    SELECT
        person.id,
        coalesce(follower.total, 0) AS followers,
        coalesce(followed.total, 0) AS following
    FROM users person
    LEFT JOIN (SELECT followed_id, count(*) AS total FROM follows GROUP BY followed_id) follower
        ON follower.followed_id = person.id
    LEFT JOIN (SELECT follower_id, count(*) AS total FROM follows GROUP BY follower_id) followed
        ON followed.follower_id = person.id
) counted
WHERE u.id = counted.id;

-- name: know_sizes#
-- What autovacuum does a minute after so many rows.
ANALYZE follows, users;

-- name: count_follows()$
SELECT count(*) FROM follows;

-- name: public_posts(row_limit)
-- The newest posts that everybody sees.
SELECT id
FROM posts
WHERE visibility = 'public' AND deleted_at IS NULL
ORDER BY id DESC
LIMIT :row_limit;

-- name: count_likes(post_id)^
-- The likes of a post, counted, and the number that stands with the post. One row.
SELECT post.like_count, (SELECT count(*) FROM post_likes liked WHERE liked.post_id = post.id) AS row_count
FROM posts post
WHERE post.id = :post_id;
