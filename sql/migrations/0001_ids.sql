-- Time-ordered 64-bit ids and stamps of changes, made by the database
-- depends:

-- migrate: apply

CREATE SEQUENCE id_sequence AS bigint CYCLE CACHE 1;

-- This database is shard 0; the database of another shard replaces the function. There are 256 shards.
CREATE FUNCTION id_shard() RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN 0::bigint;

-- The smallest id of a moment. 1704067200000 is 2024-01-01 UTC.
CREATE FUNCTION id_floor(moment timestamptz) RETURNS bigint
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (floor(extract(epoch FROM moment) * 1000)::bigint - 1704067200000) << 22;

-- 14 bits of sequence: a bulk insert on a fast machine makes more than 4,096 ids in a millisecond.
CREATE FUNCTION id_at(moment timestamptz) RETURNS bigint
    LANGUAGE sql VOLATILE
    RETURN id_floor(moment) | (id_shard() << 14) | (nextval('id_sequence') & 16383);

-- When an id was made, in whole milliseconds. A row whose creation is shown has no column for it, so that the times of
-- rows never contradict the order of their ids.
CREATE FUNCTION id_moment(id bigint) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN to_timestamp(((id >> 22) + 1704067200000) / 1000.0);

CREATE FUNCTION make_id() RETURNS bigint
    LANGUAGE sql VOLATILE
    RETURN id_at(clock_timestamp());

-- `made`, or where that is not above `previous`, an id of the millisecond after it. Rows that are numbered under a lock so
-- have rising ids: also where the clock has gone back, or the sequence has begun anew in the same millisecond.
CREATE FUNCTION id_above(previous bigint, made bigint) RETURNS bigint
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
    RETURN CASE WHEN made > previous THEN made ELSE ((previous >> 22) + 1) << 22 | (made & 4194303) END;
END
$$;

-- A new id above `previous`.
CREATE FUNCTION id_after(previous bigint) RETURNS bigint
    LANGUAGE sql VOLATILE
    RETURN id_above(previous, make_id());

-- One row. The pair identifies the history that transaction ids count: a dump in another cluster, a recovery to a point
-- in time and a promotion begin another one, which may give the same ids again.
CREATE TABLE epochs (
    is_current boolean PRIMARY KEY DEFAULT true CHECK (is_current),
    epoch bigint NOT NULL,
    -- Of chance, so that two restores of one dump are told apart. The lower 32 bits are 0.
    history bigint NOT NULL,
    system_identifier bigint NOT NULL,
    timeline_id integer NOT NULL
);

CREATE FUNCTION random_history() RETURNS bigint
    LANGUAGE sql VOLATILE
    RETURN floor(random() * 2147483648)::bigint << 32;

INSERT INTO epochs (epoch, history, system_identifier, timeline_id)
SELECT 1, random_history(), s.system_identifier, ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer
FROM pg_control_system() s;

-- Begins a new epoch where the history is another one; answers whether it did. Called on every new connection. The
-- timeline is the one that the log is written on: pg_control_checkpoint() names the old one until the first checkpoint
-- after a promotion has ended, which takes minutes.
CREATE FUNCTION note_epoch() RETURNS boolean
    LANGUAGE plpgsql
AS $$
DECLARE
    system_now bigint := (SELECT s.system_identifier FROM pg_control_system() s);
    timeline_now integer;
BEGIN
    IF pg_is_in_recovery() THEN
        RETURN false;
    END IF;
    timeline_now := ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer;
    IF EXISTS (SELECT FROM epochs e WHERE e.system_identifier = system_now AND e.timeline_id = timeline_now) THEN
        RETURN false;
    END IF;
    -- Waits for every transaction that has a stamp of the old epoch: a reader that has seen the new one has passed them.
    LOCK TABLE epochs IN ACCESS EXCLUSIVE MODE;
    UPDATE epochs e
    SET epoch = e.epoch + 1, history = random_history(), system_identifier = system_now, timeline_id = timeline_now
    WHERE e.system_identifier <> system_now OR e.timeline_id <> timeline_now;
    RETURN found;
END
$$;

-- When a durable thing changed last: the epoch in the upper 16 bits, the number of the transaction in the others. A
-- plpgsql function keeps its plan for the whole session.
CREATE FUNCTION change_stamp() RETURNS bigint
    LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    RETURN (SELECT e.epoch FROM epochs e) << 48 | pg_current_xact_id()::text::bigint;
END
$$;

-- The stamp below which nothing can appear any more: every transaction with a lower one has ended. Transactions at or
-- above it may be open, also in other databases of the cluster. A query calls it once, below `OFFSET 0`: without it the
-- planner has it called for every row.
CREATE FUNCTION stamp_horizon() RETURNS bigint
    LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN (SELECT e.epoch << 48 | pg_snapshot_xmin(pg_current_snapshot())::text::bigint FROM epochs e);
END
$$;

-- migrate: rollback
