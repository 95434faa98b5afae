-- Time-ordered 64-bit ids, made by the database
-- depends:

-- migrate: apply

CREATE SEQUENCE id_sequence AS bigint CYCLE CACHE 1;

-- One database is shard 0; another one replaces this function.
CREATE FUNCTION id_shard() RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN 0::bigint;

-- The smallest id of a moment. 1704067200000 is 2024-01-01 UTC.
CREATE FUNCTION id_floor(moment timestamptz) RETURNS bigint
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN (floor(extract(epoch FROM moment) * 1000)::bigint - 1704067200000) << 22;

CREATE FUNCTION make_id() RETURNS bigint
    LANGUAGE sql VOLATILE
    RETURN id_floor(clock_timestamp()) | (id_shard() << 12) | (nextval('id_sequence') & 4095);

-- migrate: rollback
