-- name: try_lock(lock_key)$
-- Takes the migration lock until the end of this transaction. One row; false while another process has it.
SELECT pg_try_advisory_xact_lock(:lock_key);

-- name: create_ledger()!
-- Creates the table of the contents of migrations, before the first migration runs.
CREATE TABLE IF NOT EXISTS migration_contents (
    migration_id text PRIMARY KEY,
    content_hash bytea NOT NULL
);

-- name: has_ledger()$
-- Whether this database was ever migrated. One row.
SELECT to_regclass('migration_contents') IS NOT NULL AND to_regclass('_pogo_migration') IS NOT NULL;

-- name: list_applied()
-- Every applied migration with the hash of its file. A row for each, some tens; reads the whole tables.
SELECT p.migration_id::text, c.content_hash
FROM _pogo_migration p
JOIN migration_contents c ON c.migration_id = p.migration_id
WHERE p.schema_name = 'public'
ORDER BY p.migration_id;

-- name: record_content(migration_id, content_hash)!
-- Records the hash of an applied file.
INSERT INTO migration_contents (migration_id, content_hash) VALUES (:migration_id, :content_hash);
