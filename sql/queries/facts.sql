-- name: insert_facts(names, payloads, keys)!
-- Stores Facts in the transaction of their change, in the order given; those of one key in one lane. facts (its
-- partition of today).
INSERT INTO facts (lane, name, payload)
SELECT fact_lane(item.key), item.name, item.payload::jsonb
FROM unnest(:names::text[], :payloads::text[], :keys::bigint[]) WITH ORDINALITY AS item (name, payload, key, place)
ORDER BY item.place;

-- name: introduce_consumer(consumer, fact_names, from_now)!
-- Makes known a consumer and its Facts; a new one begins with the oldest Fact that is kept, or at the present horizon.
-- fact_consumers_pkey, fact_checkpoints_pkey, fact_leases_pkey; no row.
WITH known AS (
    INSERT INTO fact_consumers AS c (consumer, fact_names)
    VALUES (:consumer, :fact_names)
    ON CONFLICT (consumer) DO UPDATE SET fact_names = excluded.fact_names
    WHERE c.fact_names IS DISTINCT FROM excluded.fact_names
), start AS (
    SELECT lane, CASE WHEN :from_now THEN stamp_horizon() ELSE 0 END AS position
    FROM generate_series(0, 7) AS lane
), checkpoint AS (
    INSERT INTO fact_checkpoints (consumer, lane, position, fact_id, reached_position, reached_fact_id)
    SELECT :consumer, start.lane, start.position, 0, start.position, 0
    FROM start
    ON CONFLICT DO NOTHING
)
INSERT INTO fact_leases (consumer, lane)
SELECT :consumer, start.lane
FROM start
ON CONFLICT DO NOTHING;

-- name: claim_lanes(worker, consumers, lease_s)
-- Leases to a worker its share of the lanes of each consumer, and extends the leases that it has; what it has beyond
-- its share becomes free for others. The lanes that it has now, with their checkpoints. fact_workers_pkey,
-- fact_leases_pkey, fact_checkpoints_pkey; at most eight rows per consumer.
WITH seen AS (
    INSERT INTO fact_workers (worker, seen_until)
    VALUES (:worker, clock_timestamp() + make_interval(secs => :lease_s))
    ON CONFLICT (worker) DO UPDATE SET seen_until = excluded.seen_until
), forgotten AS (
    DELETE FROM fact_workers w WHERE w.worker <> :worker AND w.seen_until < clock_timestamp() - interval '1 minute'
), share AS (
    SELECT ceil(8.0 / (1 + count(*)))::integer AS lane_count
    FROM fact_workers w
    WHERE w.worker <> :worker AND w.seen_until > clock_timestamp()
), available AS (
    SELECT l.consumer, l.lane, l.worker
    FROM fact_leases l
    WHERE
        l.consumer = ANY(:consumers::text[])
        AND (l.worker = :worker OR l.worker IS NULL OR l.leased_until < clock_timestamp())
    ORDER BY l.consumer, l.lane
    FOR UPDATE
), wanted AS (
    SELECT
        a.consumer,
        a.lane,
        row_number() OVER (
            PARTITION BY a.consumer ORDER BY (a.worker = :worker) DESC NULLS LAST, a.lane
        ) <= share.lane_count AS is_mine
    FROM available a
    CROSS JOIN share
), leased AS (
    UPDATE fact_leases l
    SET
        worker = CASE WHEN wanted.is_mine THEN :worker END,
        leased_until = CASE WHEN wanted.is_mine THEN clock_timestamp() + make_interval(secs => :lease_s) END
    FROM wanted
    WHERE l.consumer = wanted.consumer AND l.lane = wanted.lane
    RETURNING l.consumer, l.lane, wanted.is_mine
)
SELECT leased.consumer, leased.lane, c.position, c.fact_id
FROM leased
JOIN fact_checkpoints c ON c.consumer = leased.consumer AND c.lane = leased.lane
WHERE leased.is_mine;

-- name: release_lanes(worker)!
-- Gives up all leases of a worker that stops. fact_workers_pkey; fact_leases is read whole, eight rows per consumer.
WITH gone AS (
    DELETE FROM fact_workers w WHERE w.worker = :worker
)
UPDATE fact_leases l
SET worker = NULL, leased_until = NULL
WHERE l.worker = :worker;

-- name: read_checkpoints(consumer, lanes)
-- How far a consumer has read these lanes. fact_checkpoints_pkey; a row per lane.
SELECT c.lane, c.position, c.fact_id, c.reached_position, c.reached_fact_id
FROM fact_checkpoints c
WHERE c.consumer = :consumer AND c.lane = ANY(:lanes::smallint[]);

-- name: read_facts(lanes, positions, fact_ids, names, batch_size, scan_size)
-- The next Facts of each lane after a position, in its order, below the horizon, as one array per column. It looks at
-- scan_size of them at most, whatever their names, and then answers the last one too, whose name may be another: else a
-- consumer of rare Facts that has a week to read could not read it in one statement. `more` tells whether others may
-- follow below the horizon, `held` whether there are Facts at or above it, which cannot be read yet. facts_lane_idx of
-- each partition; a row per lane, each with at most batch_size Facts.
WITH horizon AS MATERIALIZED (
    SELECT stamp_horizon() AS position
)
SELECT
    wanted.lane,
    horizon.position AS horizon,
    held.position IS NOT NULL AS held,
    read.more,
    read.ids,
    read.positions,
    read.names,
    read.payloads
FROM unnest(:lanes::smallint[], :positions::bigint[], :fact_ids::bigint[]) AS wanted (lane, position, fact_id)
CROSS JOIN horizon
LEFT JOIN LATERAL (
    SELECT f.position
    FROM facts f
    WHERE f.lane = wanted.lane AND f.position >= horizon.position
    ORDER BY f.position, f.id
    LIMIT 1
) held ON true
CROSS JOIN LATERAL (
    SELECT
        count(*) = :batch_size OR coalesce(max(next.place) = :scan_size, false) AS more,
        coalesce(array_agg(next.id), '{}') AS ids,
        coalesce(array_agg(next.position), '{}') AS positions,
        coalesce(array_agg(next.name), '{}') AS names,
        coalesce(array_agg(next.payload::text), '{}') AS payloads
    FROM (
        SELECT seen.id, seen.position, seen.name, seen.payload, seen.place
        FROM (
            SELECT f.id, f.position, f.name, f.payload, row_number() OVER (ORDER BY f.position, f.id) AS place
            FROM facts f
            WHERE
                f.lane = wanted.lane
                AND (f.position, f.id) > (wanted.position, wanted.fact_id)
                AND f.position < horizon.position
            ORDER BY f.position, f.id
            LIMIT :scan_size
        ) seen
        WHERE seen.name = ANY(:names::text[]) OR seen.place = :scan_size
        ORDER BY seen.position, seen.id
        LIMIT :batch_size
    ) next
) read;

-- name: move_checkpoints(consumer, lanes, old_positions, old_fact_ids, positions, fact_ids)$
-- Moves the checkpoints of lanes that stand where they were when their Facts were read. fact_checkpoints_pkey; one row,
-- how many were moved.
WITH stands AS (
    SELECT c.lane, item.position, item.fact_id
    FROM unnest(
        :lanes::smallint[], :old_positions::bigint[], :old_fact_ids::bigint[], :positions::bigint[], :fact_ids::bigint[]
    ) AS item (lane, old_position, old_fact_id, position, fact_id)
    JOIN fact_checkpoints c ON
        c.consumer = :consumer
        AND c.lane = item.lane
        AND c.position = item.old_position
        AND c.fact_id = item.old_fact_id
    ORDER BY c.lane
    FOR UPDATE OF c
), moved AS (
    UPDATE fact_checkpoints c
    SET
        position = stands.position,
        fact_id = stands.fact_id,
        reached_position = CASE
            WHEN (c.reached_position, c.reached_fact_id) < (stands.position, stands.fact_id) THEN stands.position
            ELSE c.reached_position
        END,
        reached_fact_id = CASE
            WHEN (c.reached_position, c.reached_fact_id) < (stands.position, stands.fact_id) THEN stands.fact_id
            ELSE c.reached_fact_id
        END
    FROM stands
    WHERE c.consumer = :consumer AND c.lane = stands.lane
    RETURNING 1
)
SELECT count(*) FROM moved;

-- name: park(consumer, fact_id, name, payload, error)!
-- Keeps a Fact that a consumer has given up on, with its error. parked_facts_pkey.
INSERT INTO parked_facts (consumer, fact_id, name, payload, error)
VALUES (:consumer, :fact_id, :name, :payload::text::jsonb, :error)
ON CONFLICT (consumer, fact_id) DO UPDATE
SET error = excluded.error, parked_at = now(), replay_asked_at = NULL;

-- name: park_again(consumer, fact_id, error)!
-- Keeps the error of a replay that failed, unless another worker's succeeded meanwhile. parked_facts_pkey; 0 or 1 row.
UPDATE parked_facts p
SET error = :error, parked_at = now(), replay_asked_at = NULL
WHERE p.consumer = :consumer AND p.fact_id = :fact_id;

-- name: list_parked(before_fact_id, page_size)
-- The parked Facts, newest first. parked_facts is read whole; at most page_size rows.
SELECT p.fact_id, p.name, p.payload::text, p.consumer, p.error, p.parked_at
FROM parked_facts p
WHERE p.fact_id < :before_fact_id
ORDER BY p.fact_id DESC, p.consumer
LIMIT :page_size;

-- name: ask_replay()$
-- Lets the consumers try their parked Facts again. parked_facts is read whole; one row, the number of Facts.
WITH asked AS (
    UPDATE parked_facts SET replay_asked_at = now() WHERE replay_asked_at IS NULL RETURNING 1
)
SELECT count(*) FROM asked;

-- name: list_replays(consumer, page_size)
-- Parked Facts that a consumer is to try again. parked_facts_replay_idx; at most page_size rows.
SELECT p.fact_id, p.name, p.payload::text
FROM parked_facts p
WHERE p.consumer = :consumer AND p.replay_asked_at IS NOT NULL
ORDER BY p.fact_id
LIMIT :page_size;

-- name: unpark(consumer, fact_id)$
-- Removes a parked Fact in the transaction of its effect. parked_facts_pkey; 0 or 1 row.
DELETE FROM parked_facts p
WHERE p.consumer = :consumer AND p.fact_id = :fact_id
RETURNING true;

-- name: read_lags(count_limit)
-- What waits for each consumer: its Facts, counted up to a limit per lane, and the age of the oldest one.
-- fact_checkpoints_pkey, facts_lane_idx, parked_facts_pkey; a row per consumer.
SELECT
    k.consumer,
    coalesce(sum(waiting.fact_count), 0)::bigint AS fact_count,
    coalesce(max(extract(epoch FROM clock_timestamp() - waiting.oldest_at)), 0)::double precision AS age_s,
    (SELECT count(*) FROM parked_facts p WHERE p.consumer = k.consumer) AS parked_count,
    count(DISTINCT l.worker) FILTER (WHERE l.leased_until > clock_timestamp()) AS worker_count
FROM fact_consumers k
JOIN fact_checkpoints c ON c.consumer = k.consumer
JOIN fact_leases l ON l.consumer = c.consumer AND l.lane = c.lane
CROSS JOIN LATERAL (
    SELECT count(*) AS fact_count, min(next.created_at) AS oldest_at
    FROM (
        SELECT f.created_at
        FROM facts f
        WHERE
            f.lane = c.lane AND (f.position, f.id) > (c.position, c.fact_id) AND f.name = ANY(k.fact_names)
        ORDER BY f.position, f.id
        LIMIT :count_limit
    ) next
) waiting
GROUP BY k.consumer
ORDER BY k.consumer;

-- name: read_held()$
-- For how many seconds the oldest Fact at or above the horizon waits for an open transaction; 0 when there is none.
-- facts_lane_idx; one row.
SELECT coalesce(extract(epoch FROM clock_timestamp() - min(held.created_at)), 0)::double precision
FROM (SELECT stamp_horizon() AS position) horizon
CROSS JOIN generate_series(0, 7) AS lane
CROSS JOIN LATERAL (
    SELECT f.created_at
    FROM facts f
    WHERE f.lane = lane AND f.position >= horizon.position
    ORDER BY f.position, f.id
    LIMIT 1
) held;

-- name: rewind(consumer, moment)$
-- Moves the checkpoints of a consumer back, to before the first Fact of that moment or later. fact_checkpoints_pkey,
-- facts_lane_idx, of that day up to the moment; one row, how many lanes were moved.
WITH first AS (
    SELECT c.lane, next.position
    FROM fact_checkpoints c
    CROSS JOIN LATERAL (
        SELECT f.position
        FROM facts f
        WHERE f.lane = c.lane AND f.created_at >= :moment
        ORDER BY f.position, f.id
        LIMIT 1
    ) next
    WHERE c.consumer = :consumer
), moved AS (
    UPDATE fact_checkpoints c
    SET position = first.position, fact_id = 0
    FROM first
    WHERE c.consumer = :consumer AND c.lane = first.lane AND (first.position, 0) < (c.position, c.fact_id)
    RETURNING 1
)
SELECT count(*) FROM moved;

-- name: forget_consumer(consumer)$
-- Removes what is kept of a consumer that no worker has any more, so that it delays the retention of no Fact.
-- fact_consumers_pkey; one row, whether it was known.
WITH checkpoint AS (
    DELETE FROM fact_checkpoints c WHERE c.consumer = :consumer
), lease AS (
    DELETE FROM fact_leases l WHERE l.consumer = :consumer
), parked AS (
    DELETE FROM parked_facts p WHERE p.consumer = :consumer
), known AS (
    DELETE FROM fact_consumers k WHERE k.consumer = :consumer RETURNING 1
)
SELECT EXISTS (SELECT FROM known);

-- name: attach_days(days_ahead)$
-- Makes the partitions of today and the days to come; one row, how many were missing.
SELECT attach_fact_days(:days_ahead);

-- name: drop_days(keep_days)$
-- Drops the partitions of days that are over and read by all consumers; one row, how many.
SELECT drop_fact_days(:keep_days);
