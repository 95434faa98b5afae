-- Conversations, their members and their numbered messages
-- depends: 0002_accounts

-- migrate: apply

-- `rev` numbers the durable changes of a conversation, as every member sees them; it is given under the lock of its row, so
-- in the order of commits. That the second of two joins a direct conversation is none: it shows nowhere but in their list.
CREATE TABLE conversations (
    id bigint PRIMARY KEY DEFAULT make_id(),
    kind text NOT NULL CHECK (kind IN ('direct', 'group')),
    direct_low bigint REFERENCES users ON DELETE CASCADE,
    direct_high bigint REFERENCES users ON DELETE CASCADE,
    title text,
    last_seq bigint NOT NULL DEFAULT 0,
    rev bigint NOT NULL DEFAULT 0,
    last_activity_id bigint NOT NULL DEFAULT make_id(),
    created_at timestamptz NOT NULL DEFAULT now(),
    changed bigint NOT NULL DEFAULT change_stamp(),
    CONSTRAINT conversations_direct_key UNIQUE (direct_low, direct_high),
    CHECK ((kind = 'direct') = (direct_low IS NOT NULL AND direct_high IS NOT NULL)),
    CHECK (direct_low < direct_high)
) WITH (fillfactor = 70);

-- `changed` is set with what the member alone sees change: their own read position, mute and membership;
-- `membership_changed` with the membership.
CREATE TABLE conversation_members (
    conversation_id bigint NOT NULL REFERENCES conversations ON DELETE CASCADE,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    role text NOT NULL DEFAULT 'member' CHECK (role IN ('owner', 'admin', 'member')),
    read_seq bigint NOT NULL DEFAULT 0,
    delivered_seq bigint NOT NULL DEFAULT 0,
    muted boolean NOT NULL DEFAULT false,
    joined_at timestamptz DEFAULT now(), -- NULL: the other one opened the conversation, and nothing was said in it yet
    changed bigint NOT NULL DEFAULT change_stamp(),
    membership_changed bigint NOT NULL DEFAULT change_stamp(),
    PRIMARY KEY (conversation_id, user_id),
    CHECK (read_seq <= delivered_seq)
) WITH (fillfactor = 70);

CREATE INDEX conversation_members_user_idx ON conversation_members (user_id, conversation_id) INCLUDE (joined_at);

-- A message keeps the rev and the stamp of its last change. Every update sets both, under the lock of the conversation.
CREATE TABLE messages (
    conversation_id bigint NOT NULL REFERENCES conversations ON DELETE CASCADE,
    seq bigint NOT NULL CHECK (seq > 0),
    rev bigint NOT NULL CHECK (rev > 0),
    id bigint NOT NULL DEFAULT make_id(),
    sender_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    text text NOT NULL,
    reply_to_seq bigint,
    client_id text,
    created_at timestamptz NOT NULL DEFAULT now(),
    edited_at timestamptz,
    deleted_at timestamptz,
    changed bigint NOT NULL DEFAULT change_stamp(),
    PRIMARY KEY (conversation_id, seq)
) PARTITION BY HASH (conversation_id);

CREATE UNIQUE INDEX messages_client_id_key ON messages (conversation_id, sender_id, client_id)
WHERE client_id IS NOT NULL;

-- The changes of a conversation in their order; read backwards, up to the last one that a position lies above.
CREATE INDEX messages_rev_idx ON messages (conversation_id, rev);

-- The conversations of a viewer of which anything is stamped at or above `since`: what all members see, or what only they do.
-- conversation_members_user_idx, conversations_pkey; it looks at every conversation that they have.
CREATE FUNCTION changed_conversations(viewer_id bigint, since bigint)
    RETURNS TABLE (mine conversation_members, last_seq bigint, changed bigint)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 20
AS $$
    SELECT mine, c.last_seq, c.changed
    FROM conversation_members mine
    JOIN conversations c ON c.id = mine.conversation_id
    WHERE
        mine.user_id = viewer_id AND mine.joined_at IS NOT NULL
        AND (c.changed >= since OR mine.changed >= since)
$$;

-- All messages of a conversation are in one partition. A query names the conversation, and so touches no other one.
DO $$
BEGIN
    FOR place IN 0..15 LOOP
        EXECUTE format(
            'CREATE TABLE messages_%s PARTITION OF messages FOR VALUES WITH (MODULUS 16, REMAINDER %s)',
            lpad(place::text, 2, '0'), place
        );
    END LOOP;
END
$$;

-- migrate: rollback
