-- name: find_direct(low_id, high_id)$
-- The conversation of two users, the smaller id first. conversations_direct_key; 0 or 1 row, its id.
SELECT c.id
FROM conversations c
WHERE c.direct_low = :low_id AND c.direct_high = :high_id;

-- name: open_direct(low_id, high_id)^
-- The conversation of two users, the smaller id first: created once, even if many transactions open it at the same
-- time. The update of an existing row makes this statement wait for the transaction that is creating it, and see the
-- row. conversations_direct_key, conversation_members_pkey; one row.
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
-- users_pkey, blocks_pkey; a row for each member, none when the viewer is no member.
SELECT conversation.*, member.*, person.*, message.*, sender.*
FROM conversation_members mine
JOIN conversations c ON c.id = mine.conversation_id
JOIN conversation_members other ON other.conversation_id = c.id
CROSS JOIN LATERAL conversation_row(c, mine) conversation
CROSS JOIN LATERAL member_row(other) member
CROSS JOIN LATERAL card_for(:viewer_id, other.user_id) person
LEFT JOIN (
    messages m
    CROSS JOIN LATERAL message_row(m) message
    CROSS JOIN LATERAL card_for(:viewer_id, m.sender_id) sender
) ON m.conversation_id = c.id AND m.seq = c.last_seq
WHERE mine.user_id = :viewer_id AND mine.conversation_id = :conversation_id
ORDER BY other.joined_at, other.user_id;

-- name: list_conversations(viewer_id, before, page_size)
-- A page of the viewer's conversations with members, last message and unread count, the last active first.
-- conversation_members_user_idx, conversations_pkey, conversation_members_pkey, messages_pkey, users_pkey, blocks_pkey;
-- a row for each member of at most page_size conversations.
SELECT conversation.*, member.*, person.*, message.*, sender.*
FROM (
    SELECT own AS mine
    FROM conversation_members own
    JOIN conversations listed ON listed.id = own.conversation_id
    WHERE own.user_id = :viewer_id AND listed.last_activity_id < :before
    ORDER BY listed.last_activity_id DESC
    LIMIT :page_size
) page
JOIN conversations c ON c.id = (page.mine).conversation_id
JOIN conversation_members other ON other.conversation_id = c.id
CROSS JOIN LATERAL conversation_row(c, page.mine) conversation
CROSS JOIN LATERAL member_row(other) member
CROSS JOIN LATERAL card_for(:viewer_id, other.user_id) person
LEFT JOIN (
    messages m
    CROSS JOIN LATERAL message_row(m) message
    CROSS JOIN LATERAL card_for(:viewer_id, m.sender_id) sender
) ON m.conversation_id = c.id AND m.seq = c.last_seq
ORDER BY c.last_activity_id DESC, other.joined_at, other.user_id;

-- name: list_memberships(user_ids)
-- The conversations of these users. conversation_members_user_idx; a row for each membership.
SELECT mine.user_id, mine.conversation_id
FROM conversation_members mine
WHERE mine.user_id = ANY(:user_ids::bigint[]);

-- name: list_members(conversation_id)
-- The members of a conversation. conversation_members_pkey; a row for each.
SELECT member.user_id, member.delivered_seq, member.read_seq
FROM conversation_members member
WHERE member.conversation_id = :conversation_id
ORDER BY member.user_id;

-- name: lock_direct(viewer_id, conversation_id)^
-- Locks a conversation until the transaction ends, so that messages are numbered one after the other, and reads the
-- viewer's relation to the other member. conversations_pkey, conversation_members_pkey, blocks_pkey; 0 or 1 row, none
-- when the viewer is no member.
SELECT c.id, c.last_seq, other.user_id AS other_id, r.*
FROM conversations c
JOIN conversation_members mine ON mine.conversation_id = c.id AND mine.user_id = :viewer_id
JOIN conversation_members other ON other.conversation_id = c.id AND other.user_id <> :viewer_id
CROSS JOIN LATERAL relation(:viewer_id, other.user_id) r
WHERE c.id = :conversation_id AND c.kind = 'direct'
FOR NO KEY UPDATE OF c;

-- name: insert_message(conversation_id, sender_id, text, reply_to_seq, client_id)^
-- Stores a member's message under the next number of its conversation, and moves the sender's positions to it. The lock
-- on the row of the conversation serializes senders, so numbers have no hole and no double. For a repeated client_id
-- nothing is written; one that another transaction is committing breaks messages_client_id_key, and the number is
-- rolled back. conversations_pkey, conversation_members_pkey, messages_client_id_key; one row, or none.
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
    RETURNING messages AS message
), moved AS (
    UPDATE conversation_members member
    SET read_seq = (written.message).seq, delivered_seq = (written.message).seq
    FROM written
    WHERE
        member.conversation_id = (written.message).conversation_id
        AND member.user_id = (written.message).sender_id
)
SELECT message.*, sender.*
FROM written
CROSS JOIN LATERAL message_row(written.message) message
CROSS JOIN LATERAL card(:sender_id) sender;

-- name: find_message(sender_id, client_id)^
-- The message that an earlier try with this client_id made. messages_client_id_key, users_pkey; 0 or 1 row.
SELECT message.*, sender.*
FROM messages m
CROSS JOIN LATERAL message_row(m) message
CROSS JOIN LATERAL card(m.sender_id) sender
WHERE m.sender_id = :sender_id AND m.client_id = :client_id;

-- name: list_messages_before(viewer_id, conversation_id, before_seq, page_size)
-- A page of a conversation backwards, the latest first; no row when the viewer is no member.
-- conversation_members_pkey, messages_pkey, users_pkey, blocks_pkey; at most page_size rows.
SELECT message.*, sender.*
FROM messages_for(:viewer_id, :conversation_id) m
CROSS JOIN LATERAL message_row(m) message
CROSS JOIN LATERAL card_for(:viewer_id, m.sender_id) sender
WHERE m.seq < :before_seq
ORDER BY m.seq DESC
LIMIT :page_size;

-- name: list_messages_after(viewer_id, conversation_id, after_seq, page_size)
-- A page of a conversation forwards, the oldest first; no row when the viewer is no member.
-- conversation_members_pkey, messages_pkey, users_pkey, blocks_pkey; at most page_size rows.
SELECT message.*, sender.*
FROM messages_for(:viewer_id, :conversation_id) m
CROSS JOIN LATERAL message_row(m) message
CROSS JOIN LATERAL card_for(:viewer_id, m.sender_id) sender
WHERE m.seq > :after_seq
ORDER BY m.seq
LIMIT :page_size;

-- name: list_direct_messages(viewer_id, before, skip, page_size)
-- A page of the messages that a user sent and received, over all direct conversations, newest first.
-- conversation_members_user_idx, conversations_pkey, messages_pkey, conversation_members_pkey, users_pkey, blocks_pkey;
-- at most page_size rows after the skipped ones; of each conversation it reads as many, and those above `before`.
SELECT
    receiver.user_id AS receiver_id, receiver.delivered_seq AS receiver_delivered_seq,
    receiver.read_seq AS receiver_read_seq, message.*, sender.*
FROM (
    SELECT latest.message, latest.id
    FROM conversation_members mine
    JOIN conversations c ON c.id = mine.conversation_id AND c.kind = 'direct'
    CROSS JOIN LATERAL (
        SELECT m AS message, m.id
        FROM messages m
        WHERE m.conversation_id = c.id AND m.id < :before
        ORDER BY m.seq DESC
        LIMIT :skip::bigint + :page_size::bigint
    ) latest
    WHERE mine.user_id = :viewer_id
    ORDER BY latest.id DESC
    OFFSET :skip
    LIMIT :page_size
) page
JOIN conversation_members receiver
    ON receiver.conversation_id = (page.message).conversation_id AND receiver.user_id <> (page.message).sender_id
CROSS JOIN LATERAL message_row(page.message) message
CROSS JOIN LATERAL card_for(:viewer_id, (page.message).sender_id) sender
ORDER BY page.id DESC;

-- name: move_position(conversation_id, user_id, read_seq, delivered_seq)^
-- Moves a member's positions forwards, never back; a number above the last message moves nothing. `held` is the newest
-- version of the member's row, also after waiting for another device of the member; everything else is read from the
-- snapshot of the statement. conversation_members_pkey, conversations_pkey; 0 or 1 row, none when the user is no
-- member.
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
    SET
        read_seq = greatest(member.read_seq, :read_seq),
        delivered_seq = greatest(member.delivered_seq, :delivered_seq)
    FROM held
    WHERE
        member.conversation_id = held.conversation_id
        AND member.user_id = held.user_id
        AND (:read_seq > held.read_seq OR :delivered_seq > held.delivered_seq)
        AND :read_seq <= held.last_seq
        AND :delivered_seq <= held.last_seq
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
-- What a client missed: for each of its conversations (parallel arrays) the messages after a number, oldest first; then
-- its last active conversations that are not among these, without messages. One statement, since many clients may sync
-- at once. Messages are left out from where the answer would exceed bytes_max. conversation_members_pkey,
-- conversation_members_user_idx, conversations_pkey, messages_pkey, users_pkey; for each named conversation that the
-- viewer is a member of at most page_size rows, or one row without a message, as for the others.
WITH missed AS MATERIALIZED (
    SELECT
        position.conversation_id, later.seq, later.message,
        -- Beside its text a message has at most some 500 bytes with its sender.
        sum(later.text_bytes + 500) OVER (ORDER BY position.conversation_id, later.seq) AS bytes_so_far
    FROM unnest(:conversation_ids::bigint[], :after_seqs::bigint[]) AS position (conversation_id, seq)
    JOIN conversation_members mine ON mine.conversation_id = position.conversation_id AND mine.user_id = :viewer_id
    CROSS JOIN LATERAL (
        SELECT m.seq, m AS message, octet_length(m.text) AS text_bytes
        FROM messages m
        WHERE m.conversation_id = position.conversation_id AND m.seq > position.seq
        ORDER BY m.seq
        LIMIT :page_size
    ) later
), shown AS (
    SELECT named.id, named.last_seq, 0 AS place
    FROM conversation_members mine
    JOIN conversations named ON named.id = mine.conversation_id
    WHERE mine.user_id = :viewer_id AND mine.conversation_id = ANY(:conversation_ids::bigint[])
    UNION ALL
    (
        SELECT unnamed.id, unnamed.last_seq, row_number() OVER (ORDER BY unnamed.last_activity_id DESC)
        FROM conversation_members mine
        JOIN conversations unnamed ON unnamed.id = mine.conversation_id
        WHERE mine.user_id = :viewer_id AND mine.conversation_id <> ALL(:conversation_ids::bigint[])
        ORDER BY unnamed.last_activity_id DESC
        LIMIT :beside_max
    )
)
SELECT c.id AS conversation_id, c.last_seq, message.*, sender.*
FROM shown c
LEFT JOIN (
    missed
    CROSS JOIN LATERAL message_row(missed.message) message
    CROSS JOIN LATERAL card_for(:viewer_id, (missed.message).sender_id) sender
) ON missed.conversation_id = c.id AND missed.bytes_so_far <= :bytes_max
ORDER BY c.place, c.id, missed.seq;
