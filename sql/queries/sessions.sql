-- name: backend_id()$
-- The process at the server that serves this connection now. One row.
SELECT pg_backend_pid();

-- name: store_settings(names, settings, lock_key)$
-- Stores settings for all new sessions of this user in this database. One row: whether any was another one before.
SELECT store_session_settings(:names::text[], :settings::text[], :lock_key);

-- name: end_sessions(began_before)^
-- Ends the product's idle sessions in this database that began up to that time (None: now), so that they begin anew with
-- the stored settings; a pooler keeps sessions for hours. One row. Reads all sessions of the server.
WITH asked AS (
    SELECT coalesce(:began_before::timestamptz, clock_timestamp()) AS began_before
), older AS (
    SELECT s.pid, s.state = 'idle' AND s.application_name = 'rookery' AS is_idle
    FROM pg_stat_activity s
    CROSS JOIN asked
    WHERE s.datname = current_database() AND s.usename = current_user AND s.backend_start <= asked.began_before
        AND (
            s.application_name = 'rookery'
            -- A pooler names its session after a client only when the client first uses it.
            OR (s.application_name = '' AND s.backend_start > asked.began_before - interval '5 s')
        )
)
SELECT
    (SELECT began_before FROM asked) AS began_before,
    count(o.pid) FILTER (WHERE o.pid = pg_backend_pid()) > 0 AS is_own_older,
    count(o.pid) FILTER (WHERE o.pid <> pg_backend_pid() AND NOT o.is_idle) AS busy,
    count(pg_terminate_backend(o.pid)) FILTER (WHERE o.pid <> pg_backend_pid() AND o.is_idle) AS ended
FROM older o;

-- name: end_own_session()$
-- Ends the session that runs this. No row: the connection is lost.
SELECT pg_terminate_backend(pg_backend_pid());

-- name: lift_timeouts()$
-- Lets this transaction take as long as it needs. One row.
SELECT count(set_config(name, '0', true))
FROM unnest(ARRAY['statement_timeout', 'idle_in_transaction_session_timeout']) AS name;

-- name: note_epoch()$
-- Begins a new epoch of stamps where the database's history is another one. epochs; one row, whether it did.
SELECT note_epoch();
