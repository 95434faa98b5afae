-- Settings that every new session of the product's user finds in the database
-- depends: 0001_ids

-- migrate: apply

-- What is stored for the sessions of this user in this database, each as `name=value`.
CREATE FUNCTION stored_session_settings() RETURNS text[]
    LANGUAGE sql STABLE
    RETURN coalesce(
        (
            SELECT s.setconfig
            FROM pg_db_role_setting s
            JOIN pg_database d ON d.oid = s.setdatabase AND d.datname = current_database()
            JOIN pg_roles r ON r.oid = s.setrole AND r.rolname = current_user
        ),
        '{}'
    );

-- Stores settings for them; answers whether that changed any. Sessions that run keep what they have. Only where there is
-- something to change it takes the migration lock, and waits for it.
CREATE FUNCTION store_session_settings(names text[], settings text[], lock_key bigint) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
DECLARE
    wanted text[] := ARRAY(SELECT w.name || '=' || w.value FROM unnest(names, settings) AS w (name, value));
BEGIN
    IF stored_session_settings() @> wanted THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(lock_key);
    IF stored_session_settings() @> wanted THEN
        RETURN false;
    END IF;
    FOR place IN 1..cardinality(names) LOOP
        EXECUTE format(
            'ALTER ROLE %I IN DATABASE %I SET %I = %L', current_user, current_database(), names[place], settings[place]
        );
    END LOOP;
    RETURN true;
END
$$;

-- migrate: rollback
