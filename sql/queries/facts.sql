-- name: insert_facts(facts, payloads)
-- Stores Facts in the transaction of their change. A row for each, its id, in the order given.
INSERT INTO outbox (fact, payload)
SELECT item.fact, item.payload::jsonb
FROM unnest(:facts::text[], :payloads::text[]) WITH ORDINALITY AS item (fact, payload, place)
ORDER BY item.place
RETURNING id;

-- name: take_unsent(resend_after_s, batch_size)
-- The Facts to write to the streams, marked as sent: those never sent, then those sent long ago and still not confirmed
-- by all. Never "after the last id": ids are not in commit order. The lock lets consumers confirm meanwhile.
-- outbox_unsent_idx, outbox_sent_idx; at most batch_size rows.
WITH unsent AS (
    SELECT o.id, o.fact, o.payload
    FROM outbox o
    WHERE o.sent_at IS NULL
    ORDER BY o.id
    LIMIT :batch_size
    FOR NO KEY UPDATE SKIP LOCKED
), overdue AS (
    SELECT o.id, o.fact, o.payload
    FROM outbox o
    WHERE o.sent_at < now() - make_interval(secs => :resend_after_s)
    ORDER BY o.sent_at
    LIMIT :batch_size
    FOR NO KEY UPDATE SKIP LOCKED
), due AS (
    SELECT * FROM unsent
    UNION ALL
    SELECT * FROM overdue
    LIMIT :batch_size
), marked AS (
    UPDATE outbox
    SET sent_at = clock_timestamp()
    FROM due
    WHERE outbox.id = due.id
)
SELECT due.id, due.fact, due.payload::text
FROM due;

-- name: confirm(fact_id, consumer)$
-- Records that a consumer has handled a Fact, in the transaction of its effect. outbox_pkey, fact_done_pkey; 0 or 1
-- row.
INSERT INTO fact_done (fact_id, consumer)
SELECT o.id, :consumer
FROM outbox o
WHERE o.id = :fact_id
ON CONFLICT DO NOTHING
RETURNING true;

-- name: park(fact_id, consumer, error)$
-- Records that a consumer has given up on a Fact, with its error. outbox_pkey, fact_done_pkey; 0 or 1 row.
INSERT INTO fact_done (fact_id, consumer, error)
SELECT o.id, :consumer, :error
FROM outbox o
WHERE o.id = :fact_id
ON CONFLICT DO NOTHING
RETURNING true;

-- name: list_parked(before_fact_id, page_size)
-- The parked Facts, newest first. fact_done_parked_idx, outbox_pkey; at most page_size rows.
SELECT d.fact_id, o.fact, o.payload::text, d.consumer, d.error, d.done_at AS parked_at
FROM fact_done d
JOIN outbox o ON o.id = d.fact_id
WHERE d.error IS NOT NULL AND d.fact_id < :before_fact_id
ORDER BY d.fact_id DESC, d.consumer
LIMIT :page_size;

-- name: replay(fact_id, consumer)$
-- Makes the relay send a parked Fact again; consumers that have handled it skip it. fact_done_pkey, outbox_pkey; 0 or 1
-- row.
WITH unparked AS (
    DELETE FROM fact_done
    WHERE fact_id = :fact_id AND consumer = :consumer AND error IS NOT NULL
    RETURNING fact_id
)
UPDATE outbox
SET sent_at = NULL
WHERE id IN (SELECT fact_id FROM unparked)
RETURNING true;

-- name: sweep_confirmed(facts, consumer_counts, batch_size)$
-- Removes Facts that all consumers have confirmed; a Fact that one of them has parked stays, but is not sent again.
-- outbox_sent_idx, fact_done_pkey; one row, the number of Facts.
WITH expected AS (
    SELECT * FROM unnest(:facts::text[], :consumer_counts::integer[]) AS item (fact, consumer_count)
), settled AS (
    SELECT o.id, done.parked_count
    FROM outbox o
    JOIN expected ON expected.fact = o.fact
    CROSS JOIN LATERAL (
        SELECT count(*) AS done_count, count(d.error) AS parked_count
        FROM fact_done d
        WHERE d.fact_id = o.id
    ) done
    WHERE o.sent_at < 'infinity' AND done.done_count >= expected.consumer_count
    LIMIT :batch_size
    FOR UPDATE OF o SKIP LOCKED
), kept AS (
    UPDATE outbox
    SET sent_at = 'infinity'
    WHERE id IN (SELECT id FROM settled WHERE parked_count > 0)
    RETURNING id
), removed AS (
    DELETE FROM outbox
    WHERE id IN (SELECT id FROM settled WHERE parked_count = 0)
    RETURNING id
)
SELECT (SELECT count(*) FROM kept) + (SELECT count(*) FROM removed);

-- name: read_backlog()^
-- The number and age of waiting Facts. outbox_unsent_idx, outbox_sent_idx, fact_done_parked_idx; one row.
SELECT
    unsent.unsent_count,
    coalesce(extract(epoch FROM clock_timestamp() - unsent.oldest_at), 0)::double precision AS oldest_unsent_age_s,
    (SELECT count(*) FROM outbox o WHERE o.sent_at < 'infinity') AS unconfirmed_count,
    (SELECT count(*) FROM fact_done d WHERE d.error IS NOT NULL) AS parked_count
FROM (
    SELECT count(*) AS unsent_count, min(o.created_at) AS oldest_at
    FROM outbox o
    WHERE o.sent_at IS NULL
) unsent;
