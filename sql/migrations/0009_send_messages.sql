-- Sending messages: many of many conversations in one call, each numbered, checked and stored under its locks
-- depends: 0007_shapes

-- migrate: apply

-- Ids that rise, in the order of their rows.
CREATE AGGREGATE rising_id (made bigint) (SFUNC = id_above, STYPE = bigint, INITCOND = '0');

-- Locks, for pairs of a conversation and a member, the conversations, and the rows of these members and of those who have
-- not joined yet. Where others have locked one of them, it waits if `patient`; else that conversation is left out. Answers
-- the conversations that are locked with all of these rows; the next statement sees them as they are until the transaction
-- ends.
CREATE FUNCTION lock_conversations(conversation_ids bigint[], user_ids bigint[], patient boolean) RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    RETURN ARRAY(
        WITH wanted AS MATERIALIZED (
            SELECT DISTINCT m.conversation_id, m.user_id
            FROM unnest(conversation_ids, user_ids) AS call (conversation_id, user_id)
            JOIN conversation_members mine
                ON mine.conversation_id = call.conversation_id AND mine.user_id = call.user_id
            JOIN conversation_members m
                ON m.conversation_id = mine.conversation_id AND (m.user_id = mine.user_id OR m.joined_at IS NULL)
            CROSS JOIN set_config('lock_timeout', CASE WHEN patient THEN '0' ELSE '50ms' END, true)
        ), free AS MATERIALIZED (
            SELECT m.conversation_id, m.user_id
            FROM wanted
            JOIN conversations c ON c.id = wanted.conversation_id
            JOIN conversation_members m ON m.conversation_id = c.id AND m.user_id = wanted.user_id
            WHERE NOT patient
            ORDER BY m.conversation_id, m.user_id
            FOR NO KEY UPDATE OF c, m SKIP LOCKED
        ), awaited AS MATERIALIZED (
            SELECT m.conversation_id, m.user_id
            FROM wanted
            JOIN conversations c ON c.id = wanted.conversation_id
            JOIN conversation_members m ON m.conversation_id = c.id AND m.user_id = wanted.user_id
            WHERE patient
            ORDER BY m.conversation_id, m.user_id
            FOR NO KEY UPDATE OF c, m
        )
        SELECT counted.conversation_id
        FROM (
            SELECT wanted.conversation_id, -1 AS locked FROM wanted
            UNION ALL
            SELECT free.conversation_id, 1 FROM free
            UNION ALL
            SELECT awaited.conversation_id, 1 FROM awaited
        ) counted
        GROUP BY counted.conversation_id
        HAVING sum(counted.locked) = 0
    );
END
$$;

-- Sends messages of members of direct conversations; a row for each call of a member. `outcome`: `sent`; `sent_before`,
-- where an earlier call with this client_id made it; `conflict`, where that one had other content; `forbidden` across a
-- block; `no_such_reply`. Calls take effect in the order of their places, except that none can reply to a message of the
-- same statement, whose number nobody knows yet.
CREATE FUNCTION send_messages(
    conversation_ids bigint[], sender_ids bigint[], texts text[], reply_to_seqs bigint[], client_ids text[], patient boolean
) RETURNS TABLE (
    place bigint, skipped boolean, outcome text, last_seq bigint, last_rev bigint, other_id bigint, is_blocked boolean,
    is_new_to_somebody boolean, joined_ids bigint[],
    conversation_id bigint, seq bigint, rev bigint, id bigint, text text, reply_to_seq bigint, client_id text,
    created_at timestamptz, edited_at timestamptz, is_deleted boolean,
    sender_id bigint, sender_username text, sender_display_name text, sender_version integer, sender_is_gone boolean
)
    LANGUAGE plpgsql VOLATILE
AS $$
#variable_conflict use_column
DECLARE
    -- A statement of its own: the next one sees what was committed before these locks were given.
    locked bigint[] := lock_conversations(conversation_ids, sender_ids, patient);
    stamp bigint := change_stamp();
BEGIN
    RETURN QUERY
    WITH call AS MATERIALIZED (
        SELECT
            call.conversation_id, call.sender_id, call.text, call.reply_to_seq, call.client_id, call.place,
            c.id = ANY(locked) AS is_locked, c.last_seq, c.rev AS last_rev, c.last_activity_id,
            other.user_id AS other_id, r.viewer_blocks OR r.viewer_blocked_by AS is_blocked,
            mine.joined_at IS NULL OR other.joined_at IS NULL
            OR greatest(mine.joined_at, other.joined_at) > clock_timestamp() - interval '10 s' AS is_new_to_somebody,
            earlier.seq AS earlier_seq, earlier AS earlier_message,
            CASE WHEN call.client_id IS NULL THEN call.place END AS nameless
        FROM unnest(conversation_ids, sender_ids, texts, reply_to_seqs, client_ids)
            WITH ORDINALITY AS call (conversation_id, sender_id, text, reply_to_seq, client_id, place)
        JOIN conversation_members mine ON mine.conversation_id = call.conversation_id AND mine.user_id = call.sender_id
        JOIN conversations c ON c.id = mine.conversation_id AND c.kind = 'direct'
        JOIN conversation_members other ON other.conversation_id = c.id AND other.user_id <> call.sender_id
        CROSS JOIN LATERAL relation(call.sender_id, other.user_id) r
        LEFT JOIN messages earlier
            ON earlier.conversation_id = call.conversation_id
            AND earlier.sender_id = call.sender_id AND earlier.client_id = call.client_id
        WHERE c.id = ANY(locked) OR NOT patient
    ), tried AS MATERIALIZED (
        SELECT
            call.*,
            -- Of several calls with one client_id, the first that may be sent is.
            call.place IS NOT DISTINCT FROM min(call.place) FILTER (
                WHERE call.is_locked AND NOT call.is_blocked AND call.earlier_seq IS NULL
                AND (call.reply_to_seq IS NULL OR call.reply_to_seq <= call.last_seq)
            ) OVER (PARTITION BY call.conversation_id, call.sender_id, call.client_id, call.nameless) AS is_new
        FROM call
    ), numbered AS MATERIALIZED (
        SELECT
            tried.*,
            tried.last_seq + count(*) FILTER (WHERE tried.is_new) OVER in_order AS seq,
            rising_id(id_above(tried.last_activity_id, make_id())) FILTER (WHERE tried.is_new) OVER in_order AS id
        FROM tried
        WINDOW in_order AS (PARTITION BY tried.conversation_id ORDER BY tried.place)
    ), written AS (
        INSERT INTO messages (
            conversation_id, seq, rev, id, created_at, sender_id, text, reply_to_seq, client_id, changed
        )
        SELECT
            n.conversation_id, n.seq, n.last_rev + n.seq - n.last_seq, n.id, id_moment(n.id), n.sender_id, n.text,
            n.reply_to_seq, n.client_id, stamp
        FROM numbered n
        WHERE n.is_new
    ), counted AS (
        UPDATE conversations c
        SET
            last_seq = newest.seq, rev = c.rev + newest.seq - c.last_seq, last_activity_id = newest.id, changed = stamp
        FROM (
            SELECT n.conversation_id, max(n.seq) AS seq, max(n.id) AS id
            FROM numbered n
            WHERE n.is_new
            GROUP BY n.conversation_id
        ) newest
        WHERE c.id = newest.conversation_id
    ), newcomer AS MATERIALIZED (
        SELECT m.conversation_id, m.user_id
        FROM numbered n
        JOIN conversation_members m ON m.conversation_id = n.conversation_id AND m.joined_at IS NULL
        WHERE n.is_new AND n.seq = 1
    ), moved AS (
        -- Who sends has read what was there before.
        UPDATE conversation_members m
        SET
            read_seq = greatest(m.read_seq, newest.seq), delivered_seq = greatest(m.delivered_seq, newest.seq),
            joined_at = coalesce(m.joined_at, clock_timestamp()), changed = stamp,
            membership_changed = CASE WHEN m.joined_at IS NULL THEN stamp ELSE m.membership_changed END
        FROM (
            SELECT touched.conversation_id, touched.user_id, max(touched.seq) AS seq
            FROM (
                SELECT n.conversation_id, n.sender_id AS user_id, n.seq FROM numbered n WHERE n.is_new
                UNION ALL
                SELECT newcomer.conversation_id, newcomer.user_id, NULL FROM newcomer
            ) touched
            GROUP BY touched.conversation_id, touched.user_id
        ) newest
        WHERE m.conversation_id = newest.conversation_id AND m.user_id = newest.user_id
    ), answered AS (
        -- The message of the first call with the same client_id, and of one before this statement.
        SELECT
            n.*,
            max(n.seq) OVER (PARTITION BY n.conversation_id) AS newest_seq,
            coalesce(
                (
                    array_agg(
                        ROW (
                            n.conversation_id, n.seq, n.last_rev + n.seq - n.last_seq, n.id, n.sender_id, n.text,
                            n.reply_to_seq, n.client_id, id_moment(n.id), NULL, NULL, stamp
                        )::messages
                    ) FILTER (WHERE n.is_new) OVER same_client
                )[1],
                n.earlier_message
            ) AS message
        FROM numbered n
        WINDOW same_client AS (PARTITION BY n.conversation_id, n.sender_id, n.client_id, n.nameless ORDER BY n.place)
    )
    SELECT
        answered.place,
        NOT answered.is_locked,
        CASE
            WHEN answered.is_new THEN 'sent'
            WHEN message.text = answered.text AND message.reply_to_seq IS NOT DISTINCT FROM answered.reply_to_seq
                THEN 'sent_before'
            WHEN message.seq IS NOT NULL THEN 'conflict'
            WHEN answered.is_blocked THEN 'forbidden'
            ELSE 'no_such_reply'
        END,
        answered.newest_seq,
        answered.last_rev + answered.newest_seq - answered.last_seq,
        answered.other_id,
        answered.is_blocked,
        answered.is_new_to_somebody,
        ARRAY(
            SELECT newcomer.user_id
            FROM newcomer
            WHERE answered.is_new AND answered.seq = 1 AND newcomer.conversation_id = answered.conversation_id
        ),
        message.*
    FROM answered
    LEFT JOIN LATERAL message_for(answered.sender_id, answered.message) message ON true;
END
$$;

-- migrate: rollback
