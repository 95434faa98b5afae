-- Posts, likes and comments, with their counters on the counted row
-- depends: 0003_graph

-- migrate: apply

CREATE TABLE posts (
    id bigint PRIMARY KEY DEFAULT make_id(),
    -- Raised by each change of what the author wrote or chose, never by a counter.
    version integer NOT NULL DEFAULT 1,
    author_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    kind text NOT NULL DEFAULT 'text' CHECK (kind IN ('text', 'image', 'video', 'link', 'share')),
    text text NOT NULL,
    link text,
    visibility text NOT NULL DEFAULT 'public' CHECK (visibility IN ('public', 'followers', 'private')),
    like_count integer NOT NULL DEFAULT 0 CHECK (like_count >= 0),
    comment_count integer NOT NULL DEFAULT 0 CHECK (comment_count >= 0),
    share_count integer NOT NULL DEFAULT 0 CHECK (share_count >= 0),
    last_comment_id bigint NOT NULL DEFAULT 0,
    client_id text,
    edited_at timestamptz,
    deleted_at timestamptz
) WITH (fillfactor = 80);

-- It includes the visibility so that a feed page finds its ids without reading the rows.
CREATE INDEX posts_author_idx ON posts (author_id, id DESC) INCLUDE (visibility) WHERE deleted_at IS NULL;

CREATE UNIQUE INDEX posts_client_id_key ON posts (author_id, client_id) WHERE client_id IS NOT NULL;

CREATE TABLE post_likes (
    post_id bigint NOT NULL REFERENCES posts ON DELETE CASCADE,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    id bigint NOT NULL DEFAULT make_id(),
    PRIMARY KEY (post_id, user_id)
);

CREATE INDEX post_likes_newest_idx ON post_likes (post_id, id DESC) INCLUDE (user_id);

CREATE TABLE comments (
    id bigint PRIMARY KEY DEFAULT make_id(),
    post_id bigint NOT NULL REFERENCES posts ON DELETE CASCADE,
    parent_id bigint REFERENCES comments ON DELETE CASCADE,
    author_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    text text NOT NULL,
    like_count integer NOT NULL DEFAULT 0 CHECK (like_count >= 0),
    reply_count integer NOT NULL DEFAULT 0 CHECK (reply_count >= 0),
    client_id text,
    deleted_at timestamptz
) WITH (fillfactor = 80);

CREATE INDEX comments_post_idx ON comments (post_id, id DESC) WHERE parent_id IS NULL;

CREATE INDEX comments_parent_idx ON comments (parent_id, id DESC) WHERE parent_id IS NOT NULL;

CREATE UNIQUE INDEX comments_client_id_key ON comments (author_id, client_id) WHERE client_id IS NOT NULL;

-- migrate: rollback
