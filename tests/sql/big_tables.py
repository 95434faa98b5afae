"""Rows for tests of plans: tables big enough for a wrong plan to show."""

USERS = 20_000
POSTS = 60_000
STAR_FOLLOWERS = 4_000
VIEWER, STAR, HOT_POST, CHATTERER, LONG_TALK = 1, 2, 30_000, 3, 1
COLLECTOR = 20_000
"""Follows 5,000 users, has changed 100,000 relations and bookmarked 2,000 posts."""
LATER = 1 << 62
"""Above the stamp of every change."""

SEED = f"""
SET session_replication_role = replica;

UPDATE epochs SET history = 1::bigint << 32;

INSERT INTO users
    (id, username, username_folded, email, email_folded, password_hash, follower_count, is_broadcaster)
SELECT
    id, 'user' || id, 'user' || id, 'user' || id || '@example.org', 'user' || id || '@example.org', 'h', 0, id = {STAR}
FROM generate_series(1, {USERS}) AS id;

INSERT INTO user_networks (user_id, network)
SELECT id, '192.0.2.' || id % 250
FROM generate_series(1, {USERS}) AS id;

INSERT INTO posts (id, author_id, text)
SELECT
    id,
    CASE WHEN id % 50 = 0 THEN {STAR} WHEN id % 2 = 0 THEN 3 + id / 2 % 198 ELSE 1 + (id * 7919::bigint) % {USERS} END,
    repeat('word ', 20)
FROM generate_series(1, {POSTS}) AS id;

INSERT INTO post_versions (post_id, version, text)
SELECT id, 1, 'earlier'
FROM generate_series(1, {POSTS}) AS id;

INSERT INTO post_tags (tag, post_id)
SELECT 'tag' || id % 97, id
FROM generate_series(1, {POSTS}) AS id;

INSERT INTO mutes (muter_id, muted_id)
SELECT id, id + 1
FROM generate_series(10000, 15000) AS id;

INSERT INTO follow_requests (requester_id, requested_id)
SELECT id, id + 1
FROM generate_series(10000, 15000) AS id;

INSERT INTO follows (follower_id, followed_id, id)
SELECT follower, {STAR}, follower
FROM generate_series(3, {STAR_FOLLOWERS}) AS follower
UNION ALL
SELECT {VIEWER}, followed, 100000 + followed
FROM generate_series(2, 201) AS followed
UNION ALL
SELECT 1000 + follower, 1 + (follower * step * 31) % 999, 200000 + follower * 100 + step
FROM generate_series(1, 3000) AS follower, generate_series(1, 15) AS step
ON CONFLICT DO NOTHING;

INSERT INTO follows (follower_id, followed_id, id)
SELECT {COLLECTOR}, followed, 1000000 + followed
FROM generate_series(10001, 15000) AS followed;

UPDATE users SET following_count = 5000 WHERE id = {COLLECTOR};

INSERT INTO relation_changes (user_id, other_id, changed)
SELECT {COLLECTOR}, 10000 + n, n
FROM generate_series(1, 100000) AS n
UNION ALL
SELECT f.follower_id, f.followed_id, 1
FROM follows f
WHERE f.follower_id <> {COLLECTOR};

INSERT INTO bookmarks (user_id, post_id, author_id, id, changed)
SELECT person.id, p.id, p.author_id, p.id, 1
FROM posts p
CROSS JOIN (VALUES ({VIEWER}), ({COLLECTOR})) AS person (id)
WHERE p.id <= 2000
UNION ALL
SELECT 10001 + p.id % 9000, p.id, p.author_id, p.id, 1
FROM posts p;

INSERT INTO word_filters (user_id, words, phrase)
SELECT id, ' w' || n || ' ', 'w' || n
FROM generate_series(4001, 9000) AS id, generate_series(1, 5) AS n;

INSERT INTO post_likes (post_id, user_id, id)
SELECT {HOT_POST}, user_id, user_id
FROM generate_series(1, {USERS}) AS user_id
UNION ALL
SELECT 1 + (n * 13) % {POSTS}, 1 + (n * 17) % {USERS}, 10000 + n
FROM generate_series(1, 60000) AS n
ON CONFLICT DO NOTHING;

INSERT INTO comments (id, post_id, author_id, text)
SELECT n, CASE WHEN n % 20 = 0 THEN {HOT_POST} ELSE 1 + (n * 13) % {POSTS} END, 1 + n % {USERS}, 'well'
FROM generate_series(1, 60000) AS n;

INSERT INTO poll_votes (post_id, user_id, choices)
SELECT post_id, user_id, '{{0}}'
FROM post_likes
ORDER BY post_id
OFFSET 1000
LIMIT 20000;

INSERT INTO comment_likes (comment_id, user_id)
SELECT n, 1 + (n * 17) % {USERS}
FROM generate_series(1, 60000) AS n;

INSERT INTO conversations (id, kind, direct_low, direct_high, last_seq, rev, last_activity_id, changed)
SELECT n, 'direct', {CHATTERER}, 3 + n, 3, 3, n, n
FROM generate_series(1, 300) AS n
UNION ALL
SELECT 300 + n, 'direct', 1000 + n, 1001 + n, 3, 3, 300 + n, 300 + n
FROM generate_series(1, 15000) AS n;

INSERT INTO conversation_members (conversation_id, user_id, read_seq, delivered_seq, changed, membership_changed)
SELECT c.id, person.id, 1, 1, c.id, c.id
FROM conversations c, LATERAL (VALUES (c.direct_low), (c.direct_high)) AS person (id);

INSERT INTO messages (conversation_id, seq, rev, sender_id, text, changed)
SELECT c.id, seq, seq, c.direct_low, 'hello', c.id
FROM conversations c, generate_series(1, 3) AS seq
UNION ALL
SELECT {LONG_TALK}, seq, seq, {CHATTERER}, 'hello', {LONG_TALK}
FROM generate_series(4, 20000) AS seq;

UPDATE conversations SET last_seq = 20000, rev = 20000 WHERE id = {LONG_TALK};

INSERT INTO facts (position, lane, name, payload, created_at)
SELECT 1000 + n, n % 8, CASE WHEN n % 5 < 4 THEN 'post.created' ELSE 'post.changed' END, '{{}}',
    now() + (n % 3 - 1) * interval '1 day'
FROM generate_series(1, 60000) AS n;

INSERT INTO fact_checkpoints (consumer, lane, position, fact_id, reached_position, reached_fact_id)
SELECT consumer, lane, 60000, 0, 0, 0
FROM
    (SELECT 'feed_fanout' UNION ALL SELECT 'other' || n FROM generate_series(1, 500) AS n) AS known (consumer),
    generate_series(0, 7) AS lane;

INSERT INTO login_sessions (id, user_id, revoked_at)
SELECT n, 1 + n % {USERS}, CASE WHEN n % 100 = 0 THEN now() - n * interval '1 s' END
FROM generate_series(1, 50000) AS n;

SET session_replication_role = origin;
"""
