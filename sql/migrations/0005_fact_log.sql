-- The log of Facts, and what its consumers have read of it
-- depends: 0001_ids

-- migrate: apply

-- Written in the transaction of the change, and never updated. The position is a stamp; it is read only below the
-- horizon. A Fact says where to look: the order of positions is not the order of events.
CREATE TABLE facts (
    position bigint NOT NULL DEFAULT change_stamp(),
    id bigint NOT NULL DEFAULT make_id(),
    lane smallint NOT NULL,
    name text NOT NULL,
    payload jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
) PARTITION BY RANGE (created_at);

CREATE INDEX facts_lane_idx ON facts (lane, position, id);

-- Takes what no day has a partition for.
CREATE TABLE facts_default PARTITION OF facts DEFAULT;

-- Facts of one key stand in one lane, so that one worker reads them.
CREATE FUNCTION fact_lane(key bigint) RETURNS smallint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (key & 7)::smallint;

-- Makes the partitions of today (UTC) and of so many days after it; answers how many were missing. It gives up a day
-- that it cannot attach at once: a dump holds locks, or rows of that day stand in the default partition already. While
-- another node does this, it does nothing.
CREATE FUNCTION attach_fact_days(days_ahead integer) RETURNS integer
    LANGUAGE plpgsql
AS $$
DECLARE
    day date;
    partition text;
    attached integer := 0;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('facts'), 1) THEN
        RETURN 0;
    END IF;
    -- Inserts queue behind a lock that is waited for.
    PERFORM set_config('lock_timeout', '100ms', true);
    FOR ahead IN 0..days_ahead LOOP
        day := (now() AT TIME ZONE 'UTC')::date + ahead;
        partition := 'facts_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass(partition) IS NOT NULL;
        BEGIN
            EXECUTE format('CREATE TABLE %I (LIKE facts INCLUDING DEFAULTS)', partition);
            -- PostgreSQL need not read the rows of the partition, and makes its index.
            EXECUTE format(
                'ALTER TABLE facts ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                partition, day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC'
            );
            attached := attached + 1;
        EXCEPTION
            WHEN lock_not_available OR check_violation THEN NULL;
        END;
    END LOOP;
    RETURN attached;
END
$$;

-- How far each consumer has read each lane: all Facts up to (position, fact_id). `reached` is the furthest that it ever
-- was; after a rewind, Facts up to there are dealt with in silence.
CREATE TABLE fact_checkpoints (
    consumer text NOT NULL,
    lane smallint NOT NULL,
    position bigint NOT NULL,
    fact_id bigint NOT NULL,
    reached_position bigint NOT NULL,
    reached_fact_id bigint NOT NULL,
    PRIMARY KEY (consumer, lane)
) WITH (fillfactor = 25, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- Which worker reads a lane, so that two do not do the same work. A checkpoint is what makes it exact.
CREATE TABLE fact_leases (
    consumer text NOT NULL,
    lane smallint NOT NULL,
    worker text,
    leased_until timestamptz,
    PRIMARY KEY (consumer, lane)
) WITH (fillfactor = 25, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- Running workers, to share the lanes among them, and the Facts that each consumer reacts to.
CREATE TABLE fact_workers (
    worker text PRIMARY KEY,
    seen_until timestamptz NOT NULL
);

CREATE TABLE fact_consumers (
    consumer text PRIMARY KEY,
    fact_names text[] NOT NULL
);

-- Facts that a consumer has given up on.
CREATE TABLE parked_facts (
    consumer text NOT NULL,
    fact_id bigint NOT NULL,
    name text NOT NULL,
    payload jsonb NOT NULL,
    error text NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT now(),
    replay_asked_at timestamptz,
    PRIMARY KEY (consumer, fact_id)
);

CREATE INDEX parked_facts_replay_idx ON parked_facts (consumer) WHERE replay_asked_at IS NOT NULL;

-- Drops the partitions of days before the last `keep_days` that every consumer has read, and deletes up to 50,000 Facts
-- of these days from the default partition; answers how many partitions went. A partition whose lock is not free is
-- dropped another time.
CREATE FUNCTION drop_fact_days(keep_days integer) RETURNS integer
    LANGUAGE plpgsql
AS $$
DECLARE
    kept_from timestamptz := ((now() AT TIME ZONE 'UTC')::date - keep_days)::timestamp AT TIME ZONE 'UTC';
    partition text;
    is_unread boolean;
    dropped integer := 0;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('facts'), 1) THEN
        RETURN 0;
    END IF;
    PERFORM set_config('lock_timeout', '100ms', true);
    -- First, since a dropped partition leaves all of facts locked to the end. In parts, since it may be weeks of Facts.
    BEGIN
        DELETE FROM facts_default
        WHERE ctid = ANY(ARRAY(
            SELECT f.ctid
            FROM facts_default f
            WHERE
                f.created_at < kept_from
                AND NOT EXISTS (
                    SELECT FROM fact_checkpoints c WHERE c.lane = f.lane AND (f.position, f.id) > (c.position, c.fact_id)
                )
            LIMIT 50000
        ));
    EXCEPTION
        WHEN lock_not_available THEN NULL;
    END;
    FOR partition IN
        SELECT c.relname
        FROM pg_inherits i
        JOIN pg_class c ON c.oid = i.inhrelid
        WHERE
            i.inhparent = 'facts'::regclass
            AND c.relname ~ '^facts_\d{8}$'
            AND to_date(right(c.relname, 8), 'YYYYMMDD') < (kept_from AT TIME ZONE 'UTC')::date
    LOOP
        EXECUTE format(
            'SELECT EXISTS (SELECT FROM fact_checkpoints c WHERE EXISTS ('
            'SELECT FROM %I f WHERE f.lane = c.lane AND (f.position, f.id) > (c.position, c.fact_id)))',
            partition
        ) INTO is_unread;
        CONTINUE WHEN is_unread;
        BEGIN
            EXECUTE format('DROP TABLE %I', partition);
            dropped := dropped + 1;
        EXCEPTION
            WHEN lock_not_available THEN NULL;
        END;
    END LOOP;
    RETURN dropped;
END
$$;

SELECT attach_fact_days(14);

-- migrate: rollback
