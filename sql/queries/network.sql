-- name: has_people()$
-- Whether there is any user. One row; reads at most one.
SELECT EXISTS (SELECT FROM users);

-- name: postpone_foreign_keys()
-- Drops the foreign keys of tables that are about to be filled, and returns what restores them: they are checked all at
-- once then, which takes a fraction of the time. It locks the tables. Reads the catalog; a row for each foreign key.
SELECT * FROM unnest(postpone_foreign_keys(
    ARRAY['follows', 'posts', 'post_likes', 'comments', 'conversations', 'conversation_members', 'messages']
)) AS restoring (statement);

-- name: restore_foreign_keys(statements)!
-- Makes the foreign keys again and checks every row, in the transaction that dropped them. Reads the tables whole.
CALL restore_foreign_keys(:statements::text[]);

-- name: change_stamp()$
-- The stamp of the transaction, for all rows that it copies. One row.
SELECT change_stamp();

-- name: analyze_tables()!
-- Updates the planner's statistics after a copy. No row.
ANALYZE users, follows, posts, post_likes, comments, conversations, conversation_members, messages;
