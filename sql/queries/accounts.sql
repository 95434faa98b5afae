-- name: find_taken_names(username_folded, email_folded, phone)^
-- Which of these another account has. users_username_key, users_email_key, users_phone_key; one row.
SELECT
    EXISTS (SELECT FROM users u WHERE u.username_folded = :username_folded) AS username,
    EXISTS (SELECT FROM users u WHERE u.email_folded = :email_folded) AS email,
    EXISTS (SELECT FROM users u WHERE u.phone = :phone) AS phone;

-- name: insert_user(username, username_folded, email, email_folded, phone, password_hash, display_name)$
-- Creates a user. The unique indexes users_username_key, users_email_key and users_phone_key refuse duplicates;
-- one row, the id.
INSERT INTO users (username, username_folded, email, email_folded, phone, password_hash, display_name)
VALUES (:username, :username_folded, :email, :email_folded, :phone, :password_hash, :display_name)
RETURNING id;

-- name: read_credentials(logins, networks)
-- The user with this folded username, folded e-mail address or phone number; these three never have the same form.
-- users_username_key, users_email_key, users_phone_key, user_networks_pkey; 0 or 1 row a call.
SELECT
    call.place,
    found.id AS user_id,
    found.password_hash,
    EXISTS (
        SELECT FROM user_networks n WHERE n.user_id = found.id AND n.network = call.network OFFSET 0
    ) AS is_known_network
FROM unnest(:logins::text[], :networks::text[]) WITH ORDINALITY AS call (login, network, place)
CROSS JOIN LATERAL (
    SELECT u.id, u.password_hash
    FROM users u
    WHERE (u.username_folded = call.login OR u.email_folded = call.login OR u.phone = call.login) AND u.erased_at IS NULL
    LIMIT 1
) found;

-- name: read_own_credentials(user_id, network)^
-- The same of a user who is logged in. users_pkey, user_networks_pkey; 0 or 1 row.
SELECT
    u.id AS user_id,
    u.password_hash,
    EXISTS (SELECT FROM user_networks n WHERE n.user_id = u.id AND n.network = :network) AS is_known_network
FROM users u
WHERE u.id = :user_id;

-- name: lock_password_hash(user_id)$
-- The stored hash, locked until the transaction ends, so that logins and changes of the password are serialized.
-- users_pkey; 0 or 1 row.
SELECT u.password_hash
FROM users u
WHERE u.id = :user_id
FOR NO KEY UPDATE;

-- name: set_password_hash(user_id, password_hash)!
-- Stores a new password, or a stronger hash of the same one. users_pkey.
UPDATE users
SET password_hash = :password_hash
WHERE id = :user_id;

-- name: note_network(user_id, network)!
-- Remembers that a user was logged in from a network; at most one write a day for each. user_networks_pkey.
INSERT INTO user_networks (user_id, network)
VALUES (:user_id, :network)
ON CONFLICT (user_id, network) DO UPDATE
SET last_used_at = now()
WHERE user_networks.last_used_at < now() - interval '1 day';

-- name: delete_unused_networks(unused_since, batch_size)$
-- Forgets the networks that were not used since then. user_networks_last_used_idx; one row, their number.
WITH deleted AS (
    DELETE FROM user_networks
    WHERE (user_id, network) IN (
        SELECT n.user_id, n.network
        FROM user_networks n
        WHERE n.last_used_at < :unused_since
        LIMIT :batch_size
        FOR UPDATE SKIP LOCKED
    )
    RETURNING user_id
)
SELECT count(*) FROM deleted;

-- name: insert_session(user_id, user_agent, address)$
-- Starts a login session of a device. One row, the id.
INSERT INTO login_sessions (user_id, user_agent, address)
VALUES (:user_id, :user_agent, :address)
RETURNING id;

-- name: owns_session(session_id, user_id)$
-- Whether this login session, revoked or not, belongs to this user. login_sessions_pkey; one row.
SELECT EXISTS (
    SELECT
    FROM login_sessions s
    WHERE s.id = :session_id AND s.user_id = :user_id
);

-- name: list_sessions(user_id, used_since, before, page_size)
-- The active login sessions of a user, newest first. login_sessions_user_idx; at most page_size rows.
SELECT s.id, s.user_agent, s.address, id_moment(s.id) AS created_at, s.last_used_at
FROM login_sessions s
WHERE s.user_id = :user_id AND s.id < :before AND s.revoked_at IS NULL AND s.last_used_at >= :used_since
ORDER BY s.id DESC
LIMIT :page_size;

-- name: touch_session(session_id, user_agent, address)!
-- Records when a login session was last used, and from where. login_sessions_pkey.
UPDATE login_sessions
SET last_used_at = now(), user_agent = :user_agent, address = :address
WHERE id = :session_id;

-- name: revoke_session(user_id, session_id)$
-- Revokes one login session of a user. login_sessions_pkey; 0 or 1 row, its id.
UPDATE login_sessions
SET revoked_at = now()
WHERE id = :session_id AND user_id = :user_id AND revoked_at IS NULL
RETURNING id;

-- name: revoke_sessions(user_id, except_session_id)
-- Revokes all login sessions of a user, except one if given. login_sessions_user_idx; a row for each, its id.
UPDATE login_sessions
SET revoked_at = now()
WHERE user_id = :user_id AND revoked_at IS NULL AND id IS DISTINCT FROM :except_session_id::bigint
RETURNING id;

-- name: sessions_revoked_since(since)
-- The login sessions revoked since a time, for every node to refuse. login_sessions_revoked_idx; few rows.
SELECT s.id, s.user_id, s.revoked_at
FROM login_sessions s
WHERE s.revoked_at >= :since
ORDER BY s.revoked_at;

-- name: insert_refresh_token(token_hash, session_id, issued_at, expires_at)!
-- Stores the first refresh token of a login session.
INSERT INTO refresh_tokens (token_hash, session_id, issued_at, expires_at)
VALUES (:token_hash, :session_id, :issued_at, :expires_at);

-- name: lock_refresh_token(token_hash)^
-- Locks a refresh token and its login session until the transaction ends, so that two uses of it are serialized. The
-- session is locked first (the order after OF counts): the use of an old token locks its successor too, and would
-- deadlock with the use of the successor otherwise. refresh_tokens_pkey, login_sessions_pkey; 0 or 1 row.
SELECT
    t.session_id, s.user_id, t.expires_at, t.used_at, t.successor_hash, s.revoked_at,
    u.suspended_at IS NOT NULL AS is_suspended
FROM refresh_tokens t
JOIN login_sessions s ON s.id = t.session_id
JOIN users u ON u.id = s.user_id
WHERE t.token_hash = :token_hash
FOR NO KEY UPDATE OF s, t;

-- name: rotate_refresh_token(token_hash, successor_hash, now, expires_at)$
-- Marks a token as used and stores its successor. refresh_tokens_pkey; 0 or 1 row.
WITH used AS (
    UPDATE refresh_tokens
    SET used_at = :now, successor_hash = :successor_hash
    WHERE token_hash = :token_hash AND used_at IS NULL
    RETURNING session_id
)
INSERT INTO refresh_tokens (token_hash, session_id, issued_at, expires_at)
SELECT :successor_hash, used.session_id, :now, :expires_at
FROM used
RETURNING true;

-- name: delete_expired_tokens(expired_before, batch_size)$
-- Deletes expired tokens. refresh_tokens_expiry_idx; one row, the number of tokens.
WITH deleted AS (
    DELETE FROM refresh_tokens
    WHERE token_hash IN (
        SELECT t.token_hash
        FROM refresh_tokens t
        WHERE t.expires_at < :expired_before
        LIMIT :batch_size
        FOR UPDATE SKIP LOCKED
    )
    RETURNING token_hash
)
SELECT count(*) FROM deleted;

-- name: find_user(username_folded)^
-- A user by folded username, hidden or not, but none who is erased. users_username_key; 0 or 1 row.
SELECT u.id, u.username, u.role, u.suspended_at IS NOT NULL AS is_suspended, u.deletion_asked_at, u.is_hidden
FROM users u
WHERE u.username_folded = :username_folded AND u.erased_at IS NULL;

-- name: read_state(user_id)^
-- The same by id. Call it after lock_users of the user where it decides about a change. users_pkey; 0 or 1 row.
SELECT u.id, u.username, u.role, u.suspended_at IS NOT NULL AS is_suspended, u.deletion_asked_at, u.is_hidden
FROM users u
WHERE u.id = :user_id AND u.erased_at IS NULL;

-- name: set_role(user_id, role)!
-- Sets the role of a user. users_pkey.
UPDATE users
SET role = :role, changed = change_stamp()
WHERE id = :user_id AND role <> :role;

-- name: set_suspended(user_id, suspended)$
-- Suspends a user, or lifts that; others see what they published no more, or again. Call it after lock_users of the user.
-- users_pkey; one row where that changes, whether the user is hidden now.
UPDATE users
SET suspended_at = CASE WHEN :suspended::boolean THEN now() END, published_changed = change_stamp()
WHERE id = :user_id AND (suspended_at IS NOT NULL) <> :suspended::boolean
RETURNING is_hidden;

-- name: set_deleted(user_id, deleted)$
-- Deletes an account, which takes effect at once, or takes that back while nothing is erased. Call it after lock_users of
-- the user. users_pkey; one row where that changes, whether the user is hidden now.
UPDATE users
SET deletion_asked_at = CASE WHEN :deleted::boolean THEN now() END, published_changed = change_stamp()
WHERE id = :user_id AND (deletion_asked_at IS NOT NULL) <> :deleted::boolean AND erased_at IS NULL
RETURNING is_hidden;

-- name: find_author(post_id)$
-- The author of a post that is not deleted. posts_pkey; 0 or 1 row.
SELECT p.author_id
FROM posts p
WHERE p.id = :post_id AND p.deleted_at IS NULL;

-- name: note_act(actor_id, act, user_id, post_id, role, reason)!
-- Notes what was decided about a user or a post of theirs, in the transaction of the change.
INSERT INTO audit (actor_id, act, user_id, post_id, role, reason)
VALUES (:actor_id, :act, :user_id, :post_id, :role, :reason);

-- name: list_acts(user_id, row_limit)
-- What was decided about a user, the latest first, and who did (NULL: the operator). audit_user_idx, users_pkey; at most
-- row_limit rows.
SELECT a.made_at, actor.username AS actor, a.act, a.post_id, a.role, a.reason
FROM audit a
LEFT JOIN users actor ON actor.id = a.actor_id
WHERE a.user_id = :user_id
ORDER BY a.id DESC
LIMIT :row_limit;

-- name: lock_account_to_erase(deleted_before)$
-- Locks one of the accounts that were deleted before a moment; one that somebody else has locked is left out.
-- users_deletion_idx; 0 or 1 row, its user.
SELECT u.id
FROM users u
WHERE u.deletion_asked_at < :deleted_before AND u.erased_at IS NULL
ORDER BY u.deletion_asked_at
LIMIT 1
FOR NO KEY UPDATE SKIP LOCKED;

-- name: posts_to_erase(user_id, row_limit)
-- Posts of a user that are not deleted, by id. posts_author_idx; at most row_limit rows.
SELECT p.id
FROM posts p
WHERE p.author_id = :user_id AND p.deleted_at IS NULL
ORDER BY p.id
LIMIT :row_limit;

-- name: comments_to_erase(user_id, row_limit)
-- Comments of a user of which the text is left, by post. comments_author_idx; at most row_limit rows.
SELECT part.id, part.post_id
FROM (SELECT c.id, c.post_id FROM comments c WHERE c.author_id = :user_id AND c.text <> '' LIMIT :row_limit) part
ORDER BY part.post_id, part.id;

-- name: erase_comments(comment_ids)!
-- Empties deleted comments. Call it after delete_comment of each. comments_pkey.
UPDATE comments
SET text = ''
WHERE id = ANY(:comment_ids::bigint[]);

-- name: erase_traces(user_id, row_limit)$
-- Takes a part of what a user had to do with others. Call it after lock_account_to_erase. follows_pkey,
-- follows_followed_idx, blocks_pkey, blocks_blocked_idx, mutes_pkey, mutes_muted_idx, follow_requests_pkey,
-- follow_requests_requested_idx, post_likes_user_idx; one row, the number of rows that were left.
SELECT erase_traces(:user_id, :row_limit);

-- name: erase_account(user_id)!
-- Leaves of a user an empty row, which messages and what is left of comments stand on. Call it once erase_traces has
-- nothing left. login_sessions_owner_idx, user_networks_pkey, bookmarks_pkey,
-- relation_changes_pkey, users_pkey.
WITH sessions AS (
    DELETE FROM login_sessions s WHERE s.user_id = :user_id
), networks AS (
    DELETE FROM user_networks n WHERE n.user_id = :user_id
), kept AS (
    DELETE FROM bookmarks b WHERE b.user_id = :user_id
), changes AS (
    DELETE FROM relation_changes c WHERE c.user_id = :user_id
)
UPDATE users
SET
    erased_at = now(),
    -- A name that nobody can register.
    username = 'deleted-' || id,
    username_folded = 'deleted-' || id,
    email = NULL,
    email_folded = NULL,
    phone = NULL,
    password_hash = '',
    display_name = '',
    bio = '',
    profile = '{}',
    settings = '{}',
    role = 'user',
    version = version + 1,
    changed = change_stamp()
WHERE id = :user_id;
