-- Time-ordered 64-bit ids, made by the database
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

-- migrate: rollback
