-- Storing many rows at once
-- depends: 0010_posts_comments_follows

-- migrate: apply

-- Drops the foreign keys of these tables; answers with the statements that make them again.
CREATE FUNCTION postpone_foreign_keys(tables text[]) RETURNS text[]
    LANGUAGE plpgsql
AS $$
DECLARE
    key record;
    statements text[] := '{}';
BEGIN
    FOR key IN
        SELECT c.conrelid::regclass::text AS relation, c.conname AS name, pg_get_constraintdef(c.oid) AS definition
        FROM pg_constraint c
        WHERE c.contype = 'f' AND c.conparentid = 0 AND c.conrelid = ANY(tables::regclass[])
        ORDER BY c.conrelid, c.conname
    LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', key.relation, key.name);
        statements := statements
            || format('ALTER TABLE %s ADD CONSTRAINT %I %s', key.relation, key.name, key.definition);
    END LOOP;
    RETURN statements;
END
$$;

CREATE PROCEDURE restore_foreign_keys(statements text[])
    LANGUAGE plpgsql
AS $$
DECLARE
    statement text;
BEGIN
    FOREACH statement IN ARRAY statements LOOP
        EXECUTE statement;
    END LOOP;
END
$$;

-- migrate: rollback
