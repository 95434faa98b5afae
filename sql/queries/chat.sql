-- name: find_direct(low_id, high_id)$
-- The conversation of two people, the smaller id first. conversations_direct_key; 0 or 1 row, its id.
SELECT c.id
FROM conversations c
WHERE c.direct_low = :low_id AND c.direct_high = :high_id;

-- name: open_direct(low_id, high_id)^
-- The conversation of two people, the smaller id first: made once, however many open it at the same time.
-- Updating the row that another one made is what makes this statement wait for it and see it.
-- conversations_direct_key, conversation_members_pkey; one row.
WITH opened AS (
    INSERT INTO conversations (kind, direct_low, direct_high)
    VALUES ('direct', :low_id, :high_id)
    ON CONFLICT (direct_low, direct_high) DO UPDATE SET direct_low = excluded.direct_low
    RETURNING id, xmax = 0 AS created
), joined AS (
    INSERT INTO conversation_members (conversation_id, user_id)
    SELECT opened.id, person.id
    FROM opened
    CROSS JOIN (VALUES (:low_id), (:high_id)) AS person (id)
    WHERE opened.created
)
SELECT opened.id, opened.created
FROM opened;

-- name: read_conversation(viewer_id, conversation_id)
-- One conversation of the viewer with its last message. conversation_members_pkey, conversations_pkey, messages_pkey,
-- users_pkey; a row for each member, none when the viewer is no member.
SELECT
    c.id, c.kind, c.title, c.last_seq, c.last_activity_id,
    mine.read_seq AS viewer_read_seq, mine.muted AS viewer_muted, c.last_seq - mine.read_seq AS unread_count,
    member.role AS member_role, member.delivered_seq AS member_delivered_seq, member.read_seq AS member_read_seq,
    person.id AS member_user_id, person.username AS member_user_username,
    person.display_name AS member_user_display_name, person.bio AS member_user_bio,
    person.avatar_url AS member_user_avatar_url, person.follower_count AS member_user_follower_count,
    person.following_count AS member_user_following_count, person.post_count AS member_user_post_count,
    person.is_private AS member_user_is_private,
    m.conversation_id AS last_message_conversation_id, m.seq AS last_message_seq, m.id AS last_message_id,
    m.text AS last_message_text, m.reply_to_seq AS last_message_reply_to_seq, m.client_id AS last_message_client_id,
    m.created_at AS last_message_created_at, m.edited_at AS last_message_edited_at,
    m.deleted_at IS NOT NULL AS last_message_is_deleted,
    sender.id AS last_message_sender_id, sender.username AS last_message_sender_username,
    sender.display_name AS last_message_sender_display_name, sender.bio AS last_message_sender_bio,
    sender.avatar_url AS last_message_sender_avatar_url, sender.follower_count AS last_message_sender_follower_count,
    sender.following_count AS last_message_sender_following_count, sender.post_count AS last_message_sender_post_count,
    sender.is_private AS last_message_sender_is_private
FROM conversation_members mine
JOIN conversations c ON c.id = mine.conversation_id
JOIN conversation_members member ON member.conversation_id = c.id
JOIN users person ON person.id = member.user_id
LEFT JOIN messages m ON m.conversation_id = c.id AND m.seq = c.last_seq
LEFT JOIN users sender ON sender.id = m.sender_id
WHERE mine.user_id = :viewer_id AND mine.conversation_id = :conversation_id
ORDER BY member.joined_at, member.user_id;

-- name: list_conversations(viewer_id, before, page_size)
-- A page of the viewer's conversations with members, last message and unread count, the last active first.
-- conversation_members_user_idx, conversations_pkey, conversation_members_pkey, messages_pkey, users_pkey;
-- a row for each member of at most page_size conversations.
SELECT
    c.id, c.kind, c.title, c.last_seq, c.last_activity_id,
    mine.read_seq AS viewer_read_seq, mine.muted AS viewer_muted, c.last_seq - mine.read_seq AS unread_count,
    member.role AS member_role, member.delivered_seq AS member_delivered_seq, member.read_seq AS member_read_seq,
    person.id AS member_user_id, person.username AS member_user_username,
    person.display_name AS member_user_display_name, person.bio AS member_user_bio,
    person.avatar_url AS member_user_avatar_url, person.follower_count AS member_user_follower_count,
    person.following_count AS member_user_following_count, person.post_count AS member_user_post_count,
    person.is_private AS member_user_is_private,
    m.conversation_id AS last_message_conversation_id, m.seq AS last_message_seq, m.id AS last_message_id,
    m.text AS last_message_text, m.reply_to_seq AS last_message_reply_to_seq, m.client_id AS last_message_client_id,
    m.created_at AS last_message_created_at, m.edited_at AS last_message_edited_at,
    m.deleted_at IS NOT NULL AS last_message_is_deleted,
    sender.id AS last_message_sender_id, sender.username AS last_message_sender_username,
    sender.display_name AS last_message_sender_display_name, sender.bio AS last_message_sender_bio,
    sender.avatar_url AS last_message_sender_avatar_url, sender.follower_count AS last_message_sender_follower_count,
    sender.following_count AS last_message_sender_following_count, sender.post_count AS last_message_sender_post_count,
    sender.is_private AS last_message_sender_is_private
FROM (
    SELECT own.conversation_id, own.read_seq, own.muted
    FROM conversation_members own
    JOIN conversations listed ON listed.id = own.conversation_id
    WHERE own.user_id = :viewer_id AND listed.last_activity_id < :before
    ORDER BY listed.last_activity_id DESC
    LIMIT :page_size
) mine
JOIN conversations c ON c.id = mine.conversation_id
JOIN conversation_members member ON member.conversation_id = c.id
JOIN users person ON person.id = member.user_id
LEFT JOIN messages m ON m.conversation_id = c.id AND m.seq = c.last_seq
LEFT JOIN users sender ON sender.id = m.sender_id
ORDER BY c.last_activity_id DESC, member.joined_at, member.user_id;

-- name: list_memberships(user_ids)
-- Every conversation that these people take part in. conversation_members_user_idx; a row for each.
SELECT mine.user_id, mine.conversation_id
FROM conversation_members mine
WHERE mine.user_id = ANY(:user_ids::bigint[]);

-- name: list_members(conversation_id)
-- Who takes part in a conversation. conversation_members_pkey; a row for each member.
SELECT member.user_id, member.delivered_seq, member.read_seq
FROM conversation_members member
WHERE member.conversation_id = :conversation_id
ORDER BY member.user_id;

-- name: lock_direct(viewer_id, conversation_id)^
-- Holds a conversation until the transaction ends, so that messages follow each other, and tells how the viewer stands
-- to the other one. conversations_pkey, conversation_members_pkey, blocks_pkey; 0 or 1 row, none for other people's.
SELECT
    c.id, c.last_seq, other.user_id AS other_id,
    r.viewer_is_self, r.viewer_follows, r.viewer_followed_by, r.viewer_blocks, r.viewer_blocked_by
FROM conversations c
JOIN conversation_members mine ON mine.conversation_id = c.id AND mine.user_id = :viewer_id
JOIN conversation_members other ON other.conversation_id = c.id AND other.user_id <> :viewer_id
CROSS JOIN LATERAL relation(:viewer_id, other.user_id) r
WHERE c.id = :conversation_id AND c.kind = 'direct'
FOR NO KEY UPDATE OF c;

-- name: insert_message(conversation_id, sender_id, text, reply_to_seq, client_id)^
-- Gives a member's message the next number of its conversation; the sender has read and received up to it.
-- The row of the conversation orders senders, so there is no hole and no double. A repeated client_id is left alone; one
-- that is being committed elsewhere breaks messages_client_id_key: the number goes back with the transaction.
-- conversations_pkey, conversation_members_pkey, messages_client_id_key; one row, or none.
WITH numbered AS (
    UPDATE conversations c
    SET last_seq = c.last_seq + 1, last_activity_id = make_id()
    WHERE
        c.id = :conversation_id
        AND EXISTS (
            SELECT
            FROM conversation_members member
            WHERE member.conversation_id = :conversation_id AND member.user_id = :sender_id
        )
        AND NOT EXISTS (
            SELECT
            FROM messages m
            WHERE m.sender_id = :sender_id AND m.client_id = :client_id
        )
    RETURNING c.id, c.last_seq
), written AS (
    INSERT INTO messages (conversation_id, seq, sender_id, text, reply_to_seq, client_id)
    SELECT numbered.id, numbered.last_seq, :sender_id, :text, :reply_to_seq, :client_id
    FROM numbered
    RETURNING
        conversation_id, seq, id, sender_id, text, reply_to_seq, client_id, created_at, edited_at, deleted_at
), moved AS (
    UPDATE conversation_members member
    SET read_seq = written.seq, delivered_seq = written.seq
    FROM written
    WHERE member.conversation_id = written.conversation_id AND member.user_id = written.sender_id
)
SELECT
    m.conversation_id, m.seq, m.id, m.text, m.reply_to_seq, m.client_id, m.created_at, m.edited_at,
    m.deleted_at IS NOT NULL AS is_deleted,
    u.id AS sender_id, u.username AS sender_username, u.display_name AS sender_display_name, u.bio AS sender_bio,
    u.avatar_url AS sender_avatar_url, u.follower_count AS sender_follower_count,
    u.following_count AS sender_following_count, u.post_count AS sender_post_count,
    u.is_private AS sender_is_private
FROM written m
JOIN users u ON u.id = m.sender_id;

-- name: find_message(sender_id, client_id)^
-- The message that an earlier try with this client_id made. messages_client_id_key; 0 or 1 row.
SELECT
    m.conversation_id, m.seq, m.id, m.text, m.reply_to_seq, m.client_id, m.created_at, m.edited_at,
    m.deleted_at IS NOT NULL AS is_deleted,
    u.id AS sender_id, u.username AS sender_username, u.display_name AS sender_display_name, u.bio AS sender_bio,
    u.avatar_url AS sender_avatar_url, u.follower_count AS sender_follower_count,
    u.following_count AS sender_following_count, u.post_count AS sender_post_count,
    u.is_private AS sender_is_private
FROM messages m
JOIN users u ON u.id = m.sender_id
WHERE m.sender_id = :sender_id AND m.client_id = :client_id;

-- name: list_messages_before(viewer_id, conversation_id, before_seq, page_size)
-- A page of a conversation backwards, the latest first; nothing for those who are no members.
-- conversation_members_pkey, messages_pkey, users_pkey; at most page_size rows.
SELECT
    m.conversation_id, m.seq, m.id, m.text, m.reply_to_seq, m.client_id, m.created_at, m.edited_at,
    m.deleted_at IS NOT NULL AS is_deleted,
    u.id AS sender_id, u.username AS sender_username, u.display_name AS sender_display_name, u.bio AS sender_bio,
    u.avatar_url AS sender_avatar_url, u.follower_count AS sender_follower_count,
    u.following_count AS sender_following_count, u.post_count AS sender_post_count,
    u.is_private AS sender_is_private
FROM messages m
JOIN users u ON u.id = m.sender_id
WHERE
    m.conversation_id = :conversation_id
    AND m.seq < :before_seq
    AND EXISTS (
        SELECT
        FROM conversation_members mine
        WHERE mine.conversation_id = :conversation_id AND mine.user_id = :viewer_id
    )
ORDER BY m.seq DESC
LIMIT :page_size;

-- name: list_messages_after(viewer_id, conversation_id, after_seq, page_size)
-- A page of a conversation forwards, the oldest first; nothing for those who are no members.
-- conversation_members_pkey, messages_pkey, users_pkey; at most page_size rows.
SELECT
    m.conversation_id, m.seq, m.id, m.text, m.reply_to_seq, m.client_id, m.created_at, m.edited_at,
    m.deleted_at IS NOT NULL AS is_deleted,
    u.id AS sender_id, u.username AS sender_username, u.display_name AS sender_display_name, u.bio AS sender_bio,
    u.avatar_url AS sender_avatar_url, u.follower_count AS sender_follower_count,
    u.following_count AS sender_following_count, u.post_count AS sender_post_count,
    u.is_private AS sender_is_private
FROM messages m
JOIN users u ON u.id = m.sender_id
WHERE
    m.conversation_id = :conversation_id
    AND m.seq > :after_seq
    AND EXISTS (
        SELECT
        FROM conversation_members mine
        WHERE mine.conversation_id = :conversation_id AND mine.user_id = :viewer_id
    )
ORDER BY m.seq
LIMIT :page_size;

-- name: list_direct_messages(viewer_id, before, skip, page_size)
-- A page of what a person wrote and got, over all their conversations of two, newest first.
-- conversation_members_user_idx, conversations_pkey, messages_pkey, conversation_members_pkey, users_pkey; at most
-- page_size rows after those that are skipped; of each conversation it looks at as many, and at those above `before`.
SELECT
    receiver.user_id AS receiver_id, receiver.delivered_seq AS receiver_delivered_seq,
    receiver.read_seq AS receiver_read_seq,
    m.conversation_id AS message_conversation_id, m.seq AS message_seq, m.id AS message_id,
    m.text AS message_text, m.reply_to_seq AS message_reply_to_seq, m.client_id AS message_client_id,
    m.created_at AS message_created_at, m.edited_at AS message_edited_at,
    m.deleted_at IS NOT NULL AS message_is_deleted,
    u.id AS message_sender_id, u.username AS message_sender_username,
    u.display_name AS message_sender_display_name, u.bio AS message_sender_bio,
    u.avatar_url AS message_sender_avatar_url, u.follower_count AS message_sender_follower_count,
    u.following_count AS message_sender_following_count, u.post_count AS message_sender_post_count,
    u.is_private AS message_sender_is_private
FROM (
    SELECT latest.*
    FROM conversation_members mine
    JOIN conversations c ON c.id = mine.conversation_id AND c.kind = 'direct'
    CROSS JOIN LATERAL (
        SELECT said.*
        FROM messages said
        WHERE said.conversation_id = c.id AND said.id < :before
        ORDER BY said.seq DESC
        LIMIT :skip::bigint + :page_size::bigint
    ) latest
    WHERE mine.user_id = :viewer_id
    ORDER BY latest.id DESC
    OFFSET :skip
    LIMIT :page_size
) m
JOIN conversation_members receiver ON receiver.conversation_id = m.conversation_id AND receiver.user_id <> m.sender_id
JOIN users u ON u.id = m.sender_id
ORDER BY m.id DESC;

-- name: mark_read(conversation_id, user_id, seq)^
-- Moves a member's read position forwards; a number above the last message moves nothing. What is read was delivered.
-- The row as `held` has it is the newest, also after waiting for another device of the member; the rest is as the
-- statement began.
-- conversation_members_pkey, conversations_pkey; 0 or 1 row, none for those who are no members.
WITH held AS (
    SELECT
        member.conversation_id, member.user_id, member.read_seq, member.delivered_seq,
        greatest(c.last_seq, member.read_seq) AS last_seq
    FROM conversation_members member
    JOIN conversations c ON c.id = member.conversation_id
    WHERE member.conversation_id = :conversation_id AND member.user_id = :user_id
    FOR NO KEY UPDATE OF member
), moved AS (
    UPDATE conversation_members member
    SET read_seq = :seq, delivered_seq = greatest(member.delivered_seq, :seq)
    FROM held
    WHERE
        member.conversation_id = held.conversation_id
        AND member.user_id = held.user_id
        AND :seq > held.read_seq
        AND :seq <= held.last_seq
    RETURNING member.read_seq, member.delivered_seq
)
SELECT true AS changed, moved.read_seq, moved.delivered_seq, held.last_seq
FROM moved
CROSS JOIN held
UNION ALL
SELECT false, held.read_seq, held.delivered_seq, held.last_seq
FROM held
WHERE NOT EXISTS (SELECT FROM moved);

-- name: mark_delivered(conversation_id, user_id, seq)^
-- Moves the position up to which a member's devices have the messages, as mark_read does with what is read.
-- conversation_members_pkey, conversations_pkey; 0 or 1 row, none for those who are no members.
WITH held AS (
    SELECT
        member.conversation_id, member.user_id, member.read_seq, member.delivered_seq,
        greatest(c.last_seq, member.read_seq) AS last_seq
    FROM conversation_members member
    JOIN conversations c ON c.id = member.conversation_id
    WHERE member.conversation_id = :conversation_id AND member.user_id = :user_id
    FOR NO KEY UPDATE OF member
), moved AS (
    UPDATE conversation_members member
    SET delivered_seq = :seq
    FROM held
    WHERE
        member.conversation_id = held.conversation_id
        AND member.user_id = held.user_id
        AND :seq > held.delivered_seq
        AND :seq <= held.last_seq
    RETURNING member.read_seq, member.delivered_seq
)
SELECT true AS changed, moved.read_seq, moved.delivered_seq, held.last_seq
FROM moved
CROSS JOIN held
UNION ALL
SELECT false, held.read_seq, held.delivered_seq, held.last_seq
FROM held
WHERE NOT EXISTS (SELECT FROM moved);

-- name: sync_messages(viewer_id, conversation_ids, after_seqs, page_size, bytes_max, beside_max)
-- What a client has missed: for each of its conversations (parallel arrays) the messages after a number, oldest first;
-- then its last active conversations that are not among these, without messages. One statement, since half of all
-- clients may ask at once. An answer that grows over bytes_max leaves out the messages from there on.
-- conversation_members_pkey, conversation_members_user_idx, conversations_pkey, messages_pkey, users_pkey; for each named
-- conversation that the viewer is a member of at most page_size rows, or one row without a message, as for the others.
WITH missed AS MATERIALIZED (
    SELECT
        m.*,
        -- Beside its text a message weighs some 500 bytes with its sender.
        sum(octet_length(m.text) + 500) OVER (ORDER BY m.conversation_id, m.seq) AS bytes_so_far
    FROM unnest(:conversation_ids::bigint[], :after_seqs::bigint[]) AS position (conversation_id, seq)
    JOIN conversation_members mine ON mine.conversation_id = position.conversation_id AND mine.user_id = :viewer_id
    CROSS JOIN LATERAL (
        SELECT later.*
        FROM messages later
        WHERE later.conversation_id = position.conversation_id AND later.seq > position.seq
        ORDER BY later.seq
        LIMIT :page_size
    ) m
), shown AS (
    SELECT named.id, named.last_seq, 0 AS place
    FROM conversation_members mine
    JOIN conversations named ON named.id = mine.conversation_id
    WHERE mine.user_id = :viewer_id AND mine.conversation_id = ANY(:conversation_ids::bigint[])
    UNION ALL
    (
        SELECT beside.id, beside.last_seq, row_number() OVER (ORDER BY beside.last_activity_id DESC)
        FROM conversation_members mine
        JOIN conversations beside ON beside.id = mine.conversation_id
        WHERE mine.user_id = :viewer_id AND mine.conversation_id <> ALL(:conversation_ids::bigint[])
        ORDER BY beside.last_activity_id DESC
        LIMIT :beside_max
    )
)
SELECT
    c.id AS conversation_id, c.last_seq,
    m.conversation_id AS message_conversation_id, m.seq AS message_seq, m.id AS message_id,
    m.text AS message_text, m.reply_to_seq AS message_reply_to_seq, m.client_id AS message_client_id,
    m.created_at AS message_created_at, m.edited_at AS message_edited_at,
    m.deleted_at IS NOT NULL AS message_is_deleted,
    u.id AS message_sender_id, u.username AS message_sender_username,
    u.display_name AS message_sender_display_name, u.bio AS message_sender_bio,
    u.avatar_url AS message_sender_avatar_url, u.follower_count AS message_sender_follower_count,
    u.following_count AS message_sender_following_count, u.post_count AS message_sender_post_count,
    u.is_private AS message_sender_is_private
FROM shown c
LEFT JOIN missed m ON m.conversation_id = c.id AND m.bytes_so_far <= :bytes_max
LEFT JOIN users u ON u.id = m.sender_id
ORDER BY c.place, c.id, m.seq;
