-- The product's joined statements as one caller writes them: for everything that is compared with the product.

-- name: read_own_profile(user_id)^
-- One user's own profile. users_pkey; 0 or 1 row.
SELECT person.*, own.*
FROM users u
CROSS JOIN LATERAL user_row(u, true, false, false, false) person
CROSS JOIN LATERAL own_user_row(u) own
WHERE u.id = :user_id;

-- name: read_post(viewer_id, post_id)^
-- One post that is not deleted. posts_pkey, users_pkey, follows_pkey, blocks_pkey, post_likes_pkey; 0 or 1 row.
SELECT post.*, author.*, r.*, viewer.*
FROM posts p
CROSS JOIN LATERAL post_row(p) post
CROSS JOIN LATERAL card(p.author_id) author
CROSS JOIN LATERAL relation(:viewer_id, p.author_id) r
CROSS JOIN LATERAL post_viewer(:viewer_id, p.id) viewer
WHERE p.id = :post_id AND p.deleted_at IS NULL;

-- name: like_post(post_id, user_id)^
-- Likes a post, once per user; the counter changes only with the row. post_likes_pkey, posts_pkey; one row, none for a
-- deleted post.
WITH liked AS (
    INSERT INTO post_likes (post_id, user_id)
    SELECT p.id, :user_id
    FROM posts p
    WHERE p.id = :post_id AND p.deleted_at IS NULL
    ON CONFLICT DO NOTHING
    RETURNING post_id
), counted AS (
    UPDATE posts
    SET like_count = like_count + 1
    FROM liked
    WHERE posts.id = liked.post_id
    RETURNING posts.like_count
)
SELECT true AS changed, counted.like_count
FROM counted
UNION ALL
SELECT false, p.like_count
FROM posts p
WHERE p.id = :post_id AND p.deleted_at IS NULL AND NOT EXISTS (SELECT FROM liked);

-- name: unlike_post(post_id, user_id)$
-- Removes a like; the counter changes only with the row. post_likes_pkey, posts_pkey; one row if there was a like.
WITH unliked AS (
    DELETE FROM post_likes
    WHERE post_id = :post_id AND user_id = :user_id
    RETURNING post_id
)
UPDATE posts
SET like_count = like_count - 1
FROM unliked
WHERE posts.id = unliked.post_id
RETURNING true;
