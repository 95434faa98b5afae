-- name: backend_id()$
-- The process at the server that serves this connection now. One row.
SELECT pg_backend_pid();

-- name: store_settings(names, settings, lock_key)$
-- Stores settings for all new sessions of this user in this database. One row: whether any was another one before.
SELECT store_session_settings(:names::text[], :settings::text[], :lock_key);

-- name: end_sessions()$
-- Ends the product's idle sessions in this database, and last the one that runs this, so that they begin anew with the
-- stored settings. A pooler keeps sessions for hours. No row: the connection is lost. Reads all sessions of the server.
SELECT count(pg_terminate_backend(ended.pid))
FROM (
    SELECT s.pid
    FROM pg_stat_activity s
    WHERE s.datname = current_database() AND s.usename = current_user AND s.application_name = 'rookery'
        AND (s.state = 'idle' OR s.pid = pg_backend_pid())
    ORDER BY s.pid = pg_backend_pid()
) AS ended;

-- name: lift_timeouts()$
-- Lets this transaction take as long as it needs. One row.
SELECT count(set_config(name, '0', true))
FROM unnest(ARRAY['statement_timeout', 'idle_in_transaction_session_timeout']) AS name;

-- name: note_epoch()$
-- Begins a new epoch of stamps where the database's history is another one. epochs; one row, whether it did.
SELECT note_epoch();
