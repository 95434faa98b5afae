-- Epochs begin right after a promotion, and old days go in parts
-- depends: 0005_fact_log 0011_bulk

-- migrate: apply

-- Begins a new epoch where the history is another one; answers whether it did. Called on every new connection. The
-- timeline is the one that the log is written on: pg_control_checkpoint() names the old one until the first checkpoint
-- after a promotion has ended, which takes minutes.
CREATE OR REPLACE FUNCTION note_epoch() RETURNS boolean
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
    SET epoch = e.epoch + 1, system_identifier = system_now, timeline_id = timeline_now
    WHERE e.system_identifier <> system_now OR e.timeline_id <> timeline_now;
    RETURN found;
END
$$;

-- Drops the partitions of days before the last `keep_days` that every consumer has read, and deletes up to 50,000 Facts
-- of these days from the default partition; answers how many partitions went. A partition whose lock is not free is
-- dropped another time.
CREATE OR REPLACE FUNCTION drop_fact_days(keep_days integer) RETURNS integer
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

-- migrate: rollback
