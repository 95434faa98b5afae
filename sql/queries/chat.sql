-- name: find_direct(viewer_id, other_id)$
-- The conversation of two users, where the viewer has joined it. conversations_direct_key, conversation_members_pkey;
-- 0 or 1 row, its id.
SELECT c.id
FROM conversations c
JOIN conversation_members mine ON mine.conversation_id = c.id AND mine.user_id = :viewer_id
WHERE
    c.direct_low = least(:viewer_id, :other_id) AND c.direct_high = greatest(:viewer_id, :other_id)
    AND mine.joined_at IS NOT NULL;

-- name: open_direct(viewer_id, other_id)^
-- The same; creates it if there is none, and joins the viewer. It is created once, even if many transactions open it at
-- the same time, since the update of an existing row waits for the transaction that is creating it.
-- conversations_direct_key, conversation_members_pkey; one row.
WITH opened AS (
    INSERT INTO conversations (kind, direct_low, direct_high)
    VALUES ('direct', least(:viewer_id::bigint, :other_id::bigint), greatest(:viewer_id::bigint, :other_id::bigint))
    ON CONFLICT (direct_low, direct_high) DO UPDATE SET direct_low = excluded.direct_low
    RETURNING id
), joined AS (
    INSERT INTO conversation_members AS member (conversation_id, user_id, joined_at)
    SELECT opened.id, person.id, person.joined_at
    FROM opened
    CROSS JOIN (VALUES (:viewer_id, now()), (:other_id, NULL)) AS person (id, joined_at)
    ON CONFLICT (conversation_id, user_id) DO UPDATE
    SET joined_at = excluded.joined_at, changed = change_stamp(), membership_changed = change_stamp()
    WHERE member.joined_at IS NULL AND excluded.joined_at IS NOT NULL
    RETURNING member.user_id
)
SELECT opened.id, EXISTS (SELECT FROM joined WHERE joined.user_id = :viewer_id) AS joined FROM opened;

-- name: read_conversation(viewer_ids, conversation_ids)
-- One conversation of the viewer with its last message. conversation_members_pkey, conversations_pkey, messages_pkey,
-- users_pkey, blocks_pkey; a row for each member, none when the viewer is no member.
SELECT call.place, conversation.*, member.*
FROM unnest(:viewer_ids::bigint[], :conversation_ids::bigint[])
    WITH ORDINALITY AS call (viewer_id, conversation_id, place)
JOIN conversation_members mine ON mine.user_id = call.viewer_id AND mine.conversation_id = call.conversation_id
CROSS JOIN LATERAL conversation_for(mine) conversation
JOIN conversation_members other ON other.conversation_id = mine.conversation_id
CROSS JOIN LATERAL member_for(call.viewer_id, other) member
ORDER BY call.place, other.joined_at, other.user_id;

-- name: list_conversations(viewer_ids, befores, page_sizes)
-- A page of the viewer's conversations, each as read_conversation answers it, the last active first.
-- conversation_members_user_idx and the same indexes; a row for each member of at most page_size conversations a call.
SELECT call.place, conversation.*, member.*
FROM unnest(:viewer_ids::bigint[], :befores::bigint[], :page_sizes::bigint[])
    WITH ORDINALITY AS call (viewer_id, before, page_size, place)
CROSS JOIN LATERAL (
    SELECT own AS mine
    FROM conversation_members own
    JOIN conversations c ON c.id = own.conversation_id
    WHERE own.user_id = call.viewer_id AND own.joined_at IS NOT NULL AND c.last_activity_id < call.before
    ORDER BY c.last_activity_id DESC LIMIT call.page_size
) page
CROSS JOIN LATERAL conversation_for(page.mine) conversation
JOIN conversation_members other ON other.conversation_id = conversation.id
CROSS JOIN LATERAL member_for(call.viewer_id, other) member
ORDER BY call.place, conversation.last_activity_id DESC, other.joined_at, other.user_id;

-- name: list_memberships(user_ids)
-- The conversations of these users, also those that they have not joined. conversation_members_user_idx; a row for
-- each membership.
SELECT mine.user_id, mine.conversation_id FROM conversation_members mine WHERE mine.user_id = ANY(:user_ids::bigint[]);

-- name: send_message(conversation_ids, sender_ids, texts, reply_to_seqs, client_ids, patient)
-- Stores messages of members under the next numbers of their conversations, moves the senders' positions to them, and with
-- the first one joins who had not. The rows of a conversation and of the sender as a member are locked before anything is
-- read: numbers have no hole and no double, ids and times follow them, and an earlier try is always seen.
-- conversations_pkey, conversation_members_pkey, messages_client_id_key, blocks_pkey, users_pkey; 0 or 1 row a call, none
-- when the sender is no member of a direct conversation.
SELECT sent.*
FROM send_messages(
    :conversation_ids::bigint[], :sender_ids::bigint[], :texts::text[], :reply_to_seqs::bigint[], :client_ids::text[],
    :patient::boolean
) sent;

-- name: list_messages_before(viewer_ids, conversation_ids, before_seqs, page_sizes)
-- A page of a conversation backwards, the latest first. conversation_members_pkey, messages_pkey, users_pkey,
-- blocks_pkey; at most page_size rows a call, none when the viewer is no member.
SELECT call.place, page.*
FROM unnest(:viewer_ids::bigint[], :conversation_ids::bigint[], :before_seqs::bigint[], :page_sizes::bigint[])
    WITH ORDINALITY AS call (viewer_id, conversation_id, before_seq, page_size, place)
CROSS JOIN LATERAL (
    SELECT message.*
    FROM conversation_members mine
    JOIN messages m ON m.conversation_id = mine.conversation_id
    CROSS JOIN LATERAL message_for(call.viewer_id, m) message
    WHERE
        mine.user_id = call.viewer_id AND mine.conversation_id = call.conversation_id AND m.seq < call.before_seq
    ORDER BY m.seq DESC LIMIT call.page_size
) page
ORDER BY call.place, page.seq DESC;

-- name: list_messages_after(viewer_ids, conversation_ids, after_seqs, page_sizes)
-- The same forwards, the oldest first. The same indexes; at most page_size rows a call.
SELECT call.place, page.*
FROM unnest(:viewer_ids::bigint[], :conversation_ids::bigint[], :after_seqs::bigint[], :page_sizes::bigint[])
    WITH ORDINALITY AS call (viewer_id, conversation_id, after_seq, page_size, place)
CROSS JOIN LATERAL (
    SELECT message.*
    FROM conversation_members mine
    JOIN messages m ON m.conversation_id = mine.conversation_id
    CROSS JOIN LATERAL message_for(call.viewer_id, m) message
    WHERE
        mine.user_id = call.viewer_id AND mine.conversation_id = call.conversation_id AND m.seq > call.after_seq
    ORDER BY m.seq LIMIT call.page_size
) page
ORDER BY call.place, page.seq;

-- name: list_direct_messages(viewer_id, before, skip, page_size)
-- A page of the messages that a user sent and received, over all direct conversations, newest first, each with the
-- member who did not send it. conversation_members_user_idx, conversations_pkey, messages_pkey, users_pkey,
-- blocks_pkey; at most page_size rows after the skipped ones; of each conversation it reads as many, and those above
-- `before`.
SELECT receiver.*, message.*
FROM (
    SELECT latest.m, latest.id
    FROM conversation_members mine
    JOIN conversations c ON c.id = mine.conversation_id AND c.kind = 'direct'
    CROSS JOIN LATERAL (
        SELECT m, m.id FROM messages m WHERE m.conversation_id = c.id AND m.id < :before
        ORDER BY m.seq DESC LIMIT :skip::bigint + :page_size::bigint
    ) latest
    WHERE mine.user_id = :viewer_id AND mine.joined_at IS NOT NULL
    ORDER BY latest.id DESC OFFSET :skip LIMIT :page_size
) page
JOIN conversation_members other
    ON other.conversation_id = (page.m).conversation_id AND other.user_id <> (page.m).sender_id
CROSS JOIN LATERAL member_for(:viewer_id, other) receiver
CROSS JOIN LATERAL message_for(:viewer_id, page.m) message
ORDER BY page.id DESC;

-- name: move_position(conversation_ids, user_ids, read_seqs, delivered_seqs, patient)
-- Moves members' positions forwards, never back; a number above the last message moves nothing. Only rows with something to
-- move are locked: for the others the statement's snapshot is right, since nothing moves back. `locked` has the newest
-- version of a row, also after waiting for another device of the member; the rest is from the snapshot.
-- conversation_members_pkey, conversations_pkey, blocks_pkey; 0 or 1 row a call, none when the user is no member.
WITH call AS MATERIALIZED (
    SELECT
        call.place, call.conversation_id, call.user_id, call.read_seq, call.delivered_seq,
        mine.read_seq AS held_read_seq, mine.delivered_seq AS held_delivered_seq,
        greatest(c.last_seq, mine.read_seq) AS last_seq,
        (call.read_seq > mine.read_seq OR call.delivered_seq > mine.delivered_seq)
        AND greatest(call.read_seq, call.delivered_seq) <= greatest(c.last_seq, mine.read_seq) AS moves
    FROM unnest(:conversation_ids::bigint[], :user_ids::bigint[], :read_seqs::bigint[], :delivered_seqs::bigint[])
        WITH ORDINALITY AS call (conversation_id, user_id, read_seq, delivered_seq, place)
    JOIN conversation_members mine ON mine.conversation_id = call.conversation_id AND mine.user_id = call.user_id
    JOIN conversations c ON c.id = mine.conversation_id
    CROSS JOIN set_config('lock_timeout', CASE WHEN :patient THEN '0' ELSE '50ms' END, true)
), free AS MATERIALIZED (
    SELECT call.*, mine.read_seq AS newest_read_seq, mine.delivered_seq AS newest_delivered_seq
    FROM call
    JOIN conversation_members mine ON mine.conversation_id = call.conversation_id AND mine.user_id = call.user_id
    WHERE NOT :patient AND call.moves
    ORDER BY mine.conversation_id, mine.user_id
    FOR NO KEY UPDATE OF mine SKIP LOCKED
), awaited AS MATERIALIZED (
    SELECT call.*, mine.read_seq AS newest_read_seq, mine.delivered_seq AS newest_delivered_seq
    FROM call
    JOIN conversation_members mine ON mine.conversation_id = call.conversation_id AND mine.user_id = call.user_id
    WHERE :patient AND call.moves
    ORDER BY mine.conversation_id, mine.user_id
    FOR NO KEY UPDATE OF mine
), locked AS (
    SELECT
        locked.place, locked.conversation_id, locked.user_id, locked.newest_read_seq,
        locked.read_seq > locked.newest_read_seq OR locked.delivered_seq > locked.newest_delivered_seq AS changed,
        greatest(locked.read_seq, locked.newest_read_seq) AS read_seq,
        greatest(locked.delivered_seq, locked.newest_delivered_seq) AS delivered_seq,
        greatest(locked.last_seq, locked.newest_read_seq) AS last_seq
    FROM (SELECT * FROM free UNION ALL SELECT * FROM awaited) locked
), moved AS (
    UPDATE conversation_members mine
    SET
        read_seq = locked.read_seq, delivered_seq = locked.delivered_seq,
        changed = CASE WHEN locked.read_seq > locked.newest_read_seq THEN change_stamp() ELSE mine.changed END
    FROM locked
    WHERE mine.conversation_id = locked.conversation_id AND mine.user_id = locked.user_id AND locked.changed
)
SELECT
    locked.place, false AS skipped, locked.changed, locked.read_seq, locked.delivered_seq, locked.last_seq,
    hearers.user_ids AS hearers
FROM locked
LEFT JOIN LATERAL hearers(locked.conversation_id, locked.user_id) ON true
UNION ALL
SELECT call.place, call.moves, false, call.held_read_seq, call.held_delivered_seq, call.last_seq, NULL
FROM call
WHERE NOT call.moves OR (NOT :patient AND call.place NOT IN (SELECT locked.place FROM locked));

-- name: read_changes(conversation_ids, after_revs, viewer_ids, conversation_ids_firsts, conversation_ids_lasts, after_revs_firsts, after_revs_lasts, page_sizes, byte_limits, beside_limits)
-- What changed in conversations of the viewer: for each named one (parallel arrays) the messages whose last change lies above
-- a rev, in the order of their changes; then the last active conversations that are not among these, without messages.
-- Messages are left out from where the answer to a call would exceed byte_limit; beside its text one has at most some 500
-- bytes. conversation_members_user_idx, conversations_pkey, messages_rev_idx, users_pkey,
-- blocks_pkey; at most page_size rows for each named conversation, or one without a message, as for the others.
WITH shown AS (
    SELECT call.place, call.viewer_id, call.page_size, call.byte_limit, talk.*
    FROM unnest(
        :viewer_ids::bigint[],
        :conversation_ids_firsts::integer[],
        :conversation_ids_lasts::integer[],
        :after_revs_firsts::integer[],
        :after_revs_lasts::integer[],
        :page_sizes::bigint[],
        :byte_limits::bigint[],
        :beside_limits::bigint[]
    ) WITH ORDINALITY AS call (
        viewer_id, first, last, first_rev, last_rev, page_size, byte_limit, beside_limit, place
    )
    CROSS JOIN LATERAL (
        SELECT c.id, c.last_seq, c.rev AS last_rev, known.rev AS after_rev, false AS is_beside, known.nth
        FROM unnest(
            (:conversation_ids::bigint[])[call.first : call.last], (:after_revs::bigint[])[call.first_rev : call.last_rev]
        ) WITH ORDINALITY AS known (id, rev, nth)
        JOIN conversation_members mine
            ON mine.conversation_id = known.id AND mine.user_id = call.viewer_id AND mine.joined_at IS NOT NULL
        JOIN conversations c ON c.id = mine.conversation_id
        UNION ALL
        SELECT beside.*, NULL, true, row_number() OVER ()
        FROM (
            SELECT c.id, c.last_seq, c.rev
            FROM conversation_members mine
            JOIN conversations c ON c.id = mine.conversation_id
            WHERE
                mine.user_id = call.viewer_id AND mine.joined_at IS NOT NULL
                AND c.id <> ALL((:conversation_ids::bigint[])[call.first : call.last])
            ORDER BY c.last_activity_id DESC LIMIT call.beside_limit
        ) beside
    ) talk
), changed AS (
    SELECT
        shown.*, later.seq, row_number() OVER (PARTITION BY place, is_beside, nth ORDER BY later.rev) AS change,
        count(later.rev) OVER (PARTITION BY place, is_beside, nth) AS change_count,
        sum(later.bytes + 500) OVER (PARTITION BY place ORDER BY is_beside, nth, later.rev) AS bytes_so_far
    FROM shown
    LEFT JOIN LATERAL (
        SELECT m.seq, m.rev, octet_length(m.text) AS bytes
        FROM messages m
        WHERE m.conversation_id = shown.id AND m.rev > shown.after_rev AND NOT shown.is_beside
        ORDER BY m.rev LIMIT shown.page_size + 1
    ) later ON true
)
SELECT
    changed.place, changed.id AS conversation_id, changed.last_rev, changed.last_seq, changed.change_count, message.*
FROM changed
-- Read only now: what is left out may be many long texts.
LEFT JOIN LATERAL (
    SELECT shown.*
    FROM messages m
    CROSS JOIN LATERAL message_for(changed.viewer_id, m) shown
    WHERE
        m.conversation_id = changed.id AND m.seq = changed.seq AND NOT changed.is_beside
        AND changed.change <= changed.page_size AND changed.bytes_so_far <= changed.byte_limit
    OFFSET 0
) message ON true
WHERE message.seq IS NOT NULL OR changed.change = 1
ORDER BY changed.place, changed.is_beside, changed.nth, changed.change;

-- name: list_changed_conversations(viewer_ids, sinces, from_ids, page_sizes, count_limits)
-- A page of the viewer's conversations with anything stamped at or above `since`, by id from one on, each as
-- read_conversation answers it. changed_count counts them from there on, up to count_limit. conversation_members_user_idx
-- and the indexes of read_conversation; a row for each member of at most page_size conversations a call.
SELECT call.place, page.changed_count, conversation.*, member.*
FROM unnest(:viewer_ids::bigint[], :sinces::bigint[], :from_ids::bigint[], :page_sizes::bigint[], :count_limits::bigint[])
    WITH ORDINALITY AS call (viewer_id, since, from_id, page_size, count_limit, place)
CROSS JOIN LATERAL (
    SELECT found.mine, count(*) OVER () AS changed_count
    FROM (
        SELECT c.mine
        FROM changed_conversations(call.viewer_id, call.since) c
        WHERE (c.mine).conversation_id >= call.from_id
        ORDER BY (c.mine).conversation_id LIMIT call.count_limit
    ) found
    ORDER BY (found.mine).conversation_id LIMIT call.page_size
) page
CROSS JOIN LATERAL conversation_for(page.mine) conversation
JOIN conversation_members other ON other.conversation_id = conversation.id
CROSS JOIN LATERAL member_for(call.viewer_id, other) member
ORDER BY call.place, conversation.id, other.joined_at, other.user_id;

-- name: list_message_changes(viewer_ids, sinces, from_ids, page_sizes, change_limits, count_limits)
-- A page of the viewer's conversations, by id from one on, in which a message can be stamped at or above `since`, and the
-- rev above which all of these lie: that of the newest change below `since`, since revs follow commits. NULL where that is
-- more than change_limit messages, or the viewer has joined since and there are older ones. changed_count counts the
-- conversations from there on, up to count_limit. conversation_members_user_idx, conversations_pkey, messages_rev_idx; at
-- most page_size rows a call, of each conversation it looks at one message more than have changed.
SELECT
    call.place, page.id AS conversation_id, page.changed_count,
    CASE
        WHEN older.rev IS NULL AND page.last_seq <= call.change_limit THEN 0
        WHEN NOT page.has_joined THEN older.rev
    END AS after_rev
FROM unnest(
    :viewer_ids::bigint[],
    :sinces::bigint[],
    :from_ids::bigint[],
    :page_sizes::bigint[],
    :change_limits::bigint[],
    :count_limits::bigint[]
) WITH ORDINALITY AS call (viewer_id, since, from_id, page_size, change_limit, count_limit, place)
CROSS JOIN LATERAL (
    SELECT found.*, count(*) OVER () AS changed_count
    FROM (
        SELECT
            (c.mine).conversation_id AS id, c.last_seq, (c.mine).membership_changed >= call.since AS has_joined
        FROM changed_conversations(call.viewer_id, call.since) c
        WHERE
            (c.mine).conversation_id >= call.from_id
            AND (c.changed >= call.since OR (c.mine).membership_changed >= call.since)
        ORDER BY (c.mine).conversation_id LIMIT call.count_limit
    ) found
    ORDER BY found.id LIMIT call.page_size
) page
LEFT JOIN LATERAL (
    SELECT newest.rev
    FROM (
        SELECT m.rev, m.changed FROM messages m WHERE m.conversation_id = page.id
        ORDER BY m.rev DESC LIMIT call.change_limit + 1
    ) newest
    WHERE newest.changed < call.since
    ORDER BY newest.rev DESC LIMIT 1
) older ON true
ORDER BY call.place, page.id;

-- name: list_newest_messages(viewer_ids, conversation_limits, page_sizes, byte_limits)
-- The newest messages of the viewer's last active conversations, the newest of each first, then the second of each; left out
-- from where the answer to a call would exceed byte_limit, as read_changes counts. conversation_members_user_idx,
-- conversations_pkey, messages_pkey, users_pkey, blocks_pkey; at most page_size rows a conversation.
SELECT recent.place, message.*
FROM (
    SELECT
        call.place, call.viewer_id, call.byte_limit, talk.id, newest.seq, newest.nth, talk.last_activity_id,
        sum(newest.bytes + 500) OVER (
            PARTITION BY call.place ORDER BY newest.nth, talk.last_activity_id DESC
        ) AS bytes_so_far
    FROM unnest(:viewer_ids::bigint[], :conversation_limits::bigint[], :page_sizes::bigint[], :byte_limits::bigint[])
        WITH ORDINALITY AS call (viewer_id, conversation_limit, page_size, byte_limit, place)
    CROSS JOIN LATERAL (
        SELECT c.id, c.last_activity_id
        FROM conversation_members mine
        JOIN conversations c ON c.id = mine.conversation_id
        WHERE mine.user_id = call.viewer_id AND mine.joined_at IS NOT NULL
        ORDER BY c.last_activity_id DESC LIMIT call.conversation_limit
    ) talk
    CROSS JOIN LATERAL (
        SELECT m.seq, octet_length(m.text) AS bytes, row_number() OVER (ORDER BY m.seq DESC) AS nth
        FROM messages m
        WHERE m.conversation_id = talk.id
        ORDER BY m.seq DESC LIMIT call.page_size
    ) newest
) recent
JOIN messages m ON m.conversation_id = recent.id AND m.seq = recent.seq
CROSS JOIN LATERAL message_for(recent.viewer_id, m) message
WHERE recent.bytes_so_far <= recent.byte_limit
ORDER BY recent.place, recent.nth, recent.last_activity_id DESC;
