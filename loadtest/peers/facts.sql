-- name: create_effects#
-- The table of what consumers store, a row for each Fact and consumer.
CREATE TABLE bench_effects (consumer integer NOT NULL, number bigint NOT NULL, stored_at timestamptz NOT NULL);
CREATE TABLE bench_checkpoints (
    consumer integer, lane smallint, position bigint NOT NULL, fact_id bigint NOT NULL, PRIMARY KEY (consumer, lane)
);

-- name: forget_all#
-- As though nothing had ever been made, read or stored.
TRUNCATE facts, fact_checkpoints, fact_leases, fact_consumers, parked_facts, bench_effects, bench_checkpoints;

-- name: make_facts(first, last)!
-- A Fact for each number, all committed together.
INSERT INTO facts (lane, name, payload)
SELECT fact_lane(n), 'bench.made', jsonb_build_object('number', n)
FROM generate_series(:first::bigint, :last::bigint) AS n;

-- name: know_sizes#
-- What autovacuum does a minute after so many rows.
ANALYZE facts;

-- name: count_effects()$
SELECT count(*) FROM bench_effects;

-- name: count_doubles()$
-- Effects that were stored more than once.
SELECT count(*) FROM (SELECT FROM bench_effects GROUP BY consumer, number HAVING count(*) > 1) double;

-- name: read_lags(first)
-- For how many seconds each effect of Facts from a number on came after the begin of their transaction.
SELECT extract(epoch FROM e.stored_at - f.created_at)::double precision AS lag_s
FROM bench_effects e
JOIN facts f ON (f.payload ->> 'number')::bigint = e.number
WHERE e.number >= :first;

-- name: store_effects(consumer, numbers)!
INSERT INTO bench_effects (consumer, number, stored_at)
SELECT :consumer, number, clock_timestamp()
FROM unnest(:numbers::bigint[]) AS number;

-- name: begin_at_the_oldest(consumers)!
INSERT INTO bench_checkpoints (consumer, lane, position, fact_id)
SELECT consumer, lane, 0, 0
FROM generate_series(0, :consumers::integer - 1) AS consumer, generate_series(0, 7) AS lane
ON CONFLICT DO NOTHING;

-- name: consume(consumer, lane, batch_size)$
-- What a consumer written by hand does, all in PostgreSQL: reads the next Facts of a lane, stores its effects, moves its
-- checkpoint. One row, the number of Facts.
WITH checkpoint AS (
    SELECT c.position, c.fact_id
    FROM bench_checkpoints c
    WHERE c.consumer = :consumer AND c.lane = :lane
    FOR UPDATE
), next AS MATERIALIZED (
    SELECT f.position, f.id, f.payload
    FROM checkpoint
    CROSS JOIN LATERAL (
        SELECT f.position, f.id, f.payload
        FROM facts f
        WHERE
            f.lane = :lane
            AND (f.position, f.id) > (checkpoint.position, checkpoint.fact_id)
            AND f.position < stamp_horizon()
        ORDER BY f.position, f.id
        LIMIT :batch_size
    ) f
), stored AS (
    INSERT INTO bench_effects (consumer, number, stored_at)
    SELECT :consumer, (next.payload ->> 'number')::bigint, clock_timestamp()
    FROM next
    RETURNING 1
), moved AS (
    UPDATE bench_checkpoints c
    SET position = last.position, fact_id = last.id
    FROM (SELECT next.position, next.id FROM next ORDER BY next.position DESC, next.id DESC LIMIT 1) last
    WHERE c.consumer = :consumer AND c.lane = :lane
)
SELECT count(*) FROM stored;
