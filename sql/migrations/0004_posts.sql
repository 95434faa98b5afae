-- Posts, likes and comments, with their counters on the counted row
-- depends: 0003_graph

-- migrate: apply

CREATE TABLE posts (
    id bigint PRIMARY KEY DEFAULT make_id(),
    -- Raised by each change of what the author wrote or chose, never by a counter.
    version integer NOT NULL DEFAULT 1,
    -- The stamp of the last such change, the deletion too.
    changed bigint NOT NULL DEFAULT change_stamp(),
    author_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    kind text NOT NULL DEFAULT 'text' CHECK (kind IN ('text', 'image', 'video', 'link', 'poll', 'share')),
    text text NOT NULL,
    link text,
    -- The tags, mentions and links in the text, as handlers/posts/entities.py finds them.
    entities jsonb NOT NULL DEFAULT '{}',
    visibility text NOT NULL DEFAULT 'public' CHECK (visibility IN ('public', 'followers', 'private')),
    -- Who has hidden the post from all but its author. Its visibility is private then, and the one that its author chose
    -- is kept for the time when it is shown again.
    hidden_by text CHECK (hidden_by IN ('author', 'moderator')),
    visibility_if_shown text CHECK (visibility_if_shown IN ('public', 'followers', 'private')),
    -- Who may comment; the author always may.
    replies text NOT NULL DEFAULT 'everyone' CHECK (replies IN ('everyone', 'followers', 'mentioned', 'nobody')),
    -- Whether readers are warned before they see it.
    sensitive boolean NOT NULL DEFAULT false,
    -- The post that a share shows, never a share itself. It may be gone.
    shared_id bigint,
    -- Whether anybody but the author could ever see it. What nobody could see is not told to be gone.
    was_shown boolean NOT NULL DEFAULT true,
    -- What a poll asks; all NULL where there is none. The end is told by a sweeper, and readers compare the time.
    poll_options text[],
    poll_multiple boolean,
    poll_closes_at timestamptz,
    poll_end_told boolean NOT NULL DEFAULT false,
    -- Votes for each option, and people who have voted.
    poll_counts integer[],
    poll_voter_count integer CHECK (poll_voter_count >= 0),
    like_count integer NOT NULL DEFAULT 0 CHECK (like_count >= 0),
    comment_count integer NOT NULL DEFAULT 0 CHECK (comment_count >= 0),
    share_count integer NOT NULL DEFAULT 0 CHECK (share_count >= 0),
    last_comment_id bigint NOT NULL DEFAULT 0,
    client_id text,
    edited_at timestamptz,
    deleted_at timestamptz,
    -- What is left of a deleted post tells readers that it is gone, until delete_old_posts removes it.
    CONSTRAINT posts_deleted_are_empty CHECK (
        deleted_at IS NULL OR (text = '' AND link IS NULL AND entities = '{}' AND poll_options IS NULL)
    ),
    CHECK ((poll_options IS NULL) = (poll_closes_at IS NULL) AND (poll_options IS NULL) = (poll_counts IS NULL)),
    CHECK (was_shown OR visibility = 'private'),
    CHECK (hidden_by IS NULL OR visibility = 'private'),
    CHECK ((hidden_by IS NULL) = (visibility_if_shown IS NULL)),
    CHECK ((kind = 'share') = (shared_id IS NOT NULL))
) WITH (fillfactor = 80);

CREATE INDEX posts_poll_end_idx ON posts (poll_closes_at)
    WHERE poll_closes_at IS NOT NULL AND NOT poll_end_told AND deleted_at IS NULL;

CREATE TABLE poll_votes (
    post_id bigint NOT NULL REFERENCES posts ON DELETE CASCADE,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    -- Places of options, counted from 0.
    choices integer[] NOT NULL CHECK (cardinality(choices) > 0),
    PRIMARY KEY (post_id, user_id)
);

-- It includes the visibility so that a feed page finds its ids without reading the rows.
CREATE INDEX posts_author_idx ON posts (author_id, id DESC) INCLUDE (visibility) WHERE deleted_at IS NULL;

-- Deleted posts too: readers are told that they are gone.
CREATE INDEX posts_changed_idx ON posts (author_id, changed) WHERE was_shown;

-- The same for all authors: where little has changed at all, nobody asks for each followed user, or each bookmark.
-- Authors may have bookmarked what nobody else could ever see.
CREATE INDEX posts_last_changed_idx ON posts (changed) INCLUDE (author_id, was_shown);

CREATE INDEX posts_deleted_idx ON posts (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE INDEX posts_shared_idx ON posts (shared_id, id) WHERE shared_id IS NOT NULL AND deleted_at IS NULL;

-- A share without a text is made once.
CREATE UNIQUE INDEX posts_plain_share_key ON posts (author_id, shared_id)
WHERE shared_id IS NOT NULL AND text = '' AND deleted_at IS NULL;

CREATE UNIQUE INDEX posts_client_id_key ON posts (author_id, client_id) WHERE client_id IS NOT NULL;

-- The posts with a tag, which is folded by handlers/case_folding.py; also those that only their authors see. The key has
-- the order of a page.
CREATE TABLE post_tags (
    tag text NOT NULL,
    post_id bigint NOT NULL REFERENCES posts ON DELETE CASCADE,
    PRIMARY KEY (tag, post_id)
);

CREATE INDEX post_tags_post_idx ON post_tags (post_id);

CREATE TABLE post_likes (
    post_id bigint NOT NULL REFERENCES posts ON DELETE CASCADE,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    id bigint NOT NULL DEFAULT make_id(),
    PRIMARY KEY (post_id, user_id)
);

CREATE INDEX post_likes_newest_idx ON post_likes (post_id, id DESC) INCLUDE (user_id);

-- What a user wants to find again. A removed one tells their other devices so, until delete_old_bookmarks removes it.
CREATE TABLE bookmarks (
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    post_id bigint NOT NULL REFERENCES posts ON DELETE CASCADE,
    -- Of the post: a change of who sees this author is found by it.
    author_id bigint NOT NULL,
    -- Made anew when a removed bookmark is set again, so that it is the newest.
    id bigint NOT NULL DEFAULT make_id(),
    changed bigint NOT NULL DEFAULT change_stamp(),
    removed_at timestamptz,
    -- With all that tells whether a post is bookmarked: else the planner may read all bookmarks of the user for it.
    PRIMARY KEY (user_id, post_id) INCLUDE (removed_at)
);

CREATE INDEX bookmarks_newest_idx ON bookmarks (user_id, id DESC) WHERE removed_at IS NULL;

CREATE INDEX bookmarks_changed_idx ON bookmarks (user_id, changed);

CREATE INDEX bookmarks_author_idx ON bookmarks (user_id, author_id) WHERE removed_at IS NULL;

-- All that goes when a post goes.
CREATE INDEX bookmarks_post_idx ON bookmarks (post_id);

CREATE INDEX bookmarks_removed_idx ON bookmarks (removed_at) WHERE removed_at IS NOT NULL;

-- What a user who is erased liked.
CREATE INDEX post_likes_user_idx ON post_likes (user_id);

CREATE TABLE comments (
    id bigint PRIMARY KEY DEFAULT make_id(),
    post_id bigint NOT NULL REFERENCES posts ON DELETE CASCADE,
    parent_id bigint REFERENCES comments ON DELETE CASCADE,
    author_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    -- Raised by each change of what the author wrote, never by a counter.
    version integer NOT NULL DEFAULT 1,
    text text NOT NULL,
    like_count integer NOT NULL DEFAULT 0 CHECK (like_count >= 0),
    reply_count integer NOT NULL DEFAULT 0 CHECK (reply_count >= 0),
    client_id text,
    edited_at timestamptz,
    deleted_at timestamptz
) WITH (fillfactor = 80);

-- Comments of a post that are no replies, newest first; and all that goes when a post goes.
CREATE INDEX comments_post_idx ON comments (post_id, (parent_id IS NULL), id DESC);

CREATE INDEX comments_parent_idx ON comments (parent_id, id DESC) WHERE parent_id IS NOT NULL;

-- What a user who is erased wrote.
CREATE INDEX comments_author_idx ON comments (author_id, id);

CREATE UNIQUE INDEX comments_client_id_key ON comments (author_id, client_id) WHERE client_id IS NOT NULL;

CREATE TABLE comment_likes (
    comment_id bigint NOT NULL REFERENCES comments ON DELETE CASCADE,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    PRIMARY KEY (comment_id, user_id)
);

-- Whether anything has happened to a user's home feed since a position. Where few posts have changed at all, it is asked
-- of each whether its author is followed, else of each followed user whether a post of theirs has. Sorting and LIMIT
-- keep the planner from reading the table, since it does not know how few they are.
CREATE FUNCTION feed_changed(viewer_id bigint, since bigint)
    RETURNS TABLE (feed_changed boolean)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT
        anew.audience_changed
        OR CASE
            WHEN recent.amount < 50 THEN recent.is_followed
            ELSE EXISTS (
                SELECT
                FROM follows f
                CROSS JOIN LATERAL (
                    SELECT
                    FROM posts p
                    WHERE p.author_id = f.followed_id AND p.changed >= since AND p.was_shown
                    LIMIT 1
                ) one
                WHERE f.follower_id = viewer_id
                OFFSET 0
            )
        END
    FROM audience_changed(viewer_id, since) anew
    CROSS JOIN LATERAL (
        SELECT
            count(*) AS amount,
            coalesce(
                bool_or(EXISTS (
                    SELECT FROM follows f WHERE f.follower_id = viewer_id AND f.followed_id = p.author_id OFFSET 0
                )),
                false
            ) AS is_followed
        FROM (
            SELECT p.author_id FROM posts p WHERE p.changed >= since AND p.was_shown ORDER BY p.changed LIMIT 50
        ) p
    ) recent
$$;

-- Whether a viewer's bookmarks have to be read anew since a position: the viewer, or an author of what they have
-- bookmarked, sees or is seen by others than before.
CREATE FUNCTION bookmarks_hidden(viewer_id bigint, since bigint)
    RETURNS TABLE (bookmarks_hidden boolean)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT
        EXISTS (SELECT FROM users u WHERE u.id = viewer_id AND u.audience_changed >= since OFFSET 0)
        OR EXISTS (
            SELECT
            FROM users u
            WHERE
                u.published_changed > 0
                AND u.published_changed >= since
                AND EXISTS (
                    SELECT
                    FROM bookmarks b
                    WHERE b.user_id = viewer_id AND b.author_id = u.id AND b.removed_at IS NULL
                    OFFSET 0
                )
            OFFSET 0
        )
$$;

-- Whether anything has happened to a user's bookmarks or to the bookmarked posts since a position, asked as in
-- feed_changed. For users without bookmarks, who are most, nothing else is read.
CREATE FUNCTION bookmarks_changed(viewer_id bigint, since bigint)
    RETURNS TABLE (bookmarks_changed boolean)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT
        anew.bookmarks_hidden
        OR coalesce(newest.changed >= since, false)
        OR CASE
            WHEN recent.amount < 50 THEN recent.is_bookmarked
            ELSE EXISTS (
                SELECT
                FROM bookmarks b
                CROSS JOIN LATERAL (
                    SELECT FROM posts p WHERE p.id = b.post_id AND p.changed >= since OFFSET 0
                ) one
                WHERE b.user_id = viewer_id AND b.removed_at IS NULL
                OFFSET 0
            )
        END
    FROM bookmarks_hidden(viewer_id, since) anew
    CROSS JOIN LATERAL (
        SELECT
            (SELECT b.changed FROM bookmarks b WHERE b.user_id = viewer_id ORDER BY b.changed DESC LIMIT 1) AS changed
        OFFSET 0
    ) newest
    CROSS JOIN LATERAL (
        SELECT
            count(*) AS amount,
            coalesce(
                bool_or(EXISTS (
                    SELECT
                    FROM bookmarks b
                    WHERE b.user_id = viewer_id AND b.post_id = p.id AND b.removed_at IS NULL
                    OFFSET 0
                )),
                false
            ) AS is_bookmarked
        FROM (
            SELECT p.id
            FROM posts p
            WHERE newest.changed IS NOT NULL AND p.changed >= since
            ORDER BY p.changed
            LIMIT 50
        ) p
    ) recent
$$;

-- Removes posts that were deleted before a moment, with their likes, bookmarks and comments. A call removes at most 500
-- posts, and at most row_limit likes and as many bookmarks and comments, the newest first: a reply goes before what it replies to, so that no
-- cascade removes more. Posts that somebody else has locked are left out. Answers how many rows went; 0: none is left.
CREATE FUNCTION delete_old_posts(deleted_before timestamptz, row_limit integer) RETURNS integer
    LANGUAGE plpgsql
AS $$
DECLARE
    ids bigint[] := ARRAY(
        SELECT p.id
        FROM posts p
        WHERE p.deleted_at < deleted_before
        ORDER BY p.deleted_at
        LIMIT 500
        FOR UPDATE SKIP LOCKED
    );
    comment_ids bigint[] := ARRAY(
        SELECT newest.id
        FROM unnest(ids) AS post (id)
        CROSS JOIN LATERAL (
            SELECT c.id
            FROM comments c
            WHERE c.post_id = post.id
            ORDER BY (c.parent_id IS NULL), c.id DESC
            LIMIT row_limit
        ) newest
        LIMIT row_limit
    );
    like_count integer;
    bookmark_count integer;
    vote_count integer;
    comment_like_count integer;
    comment_count integer := 0;
    post_count integer := 0;
BEGIN
    DELETE FROM post_likes
    WHERE ctid = ANY(ARRAY(
        SELECT part.ctid
        FROM unnest(ids) AS post (id)
        CROSS JOIN LATERAL (SELECT l.ctid FROM post_likes l WHERE l.post_id = post.id LIMIT row_limit) part
        LIMIT row_limit
    ));
    GET DIAGNOSTICS like_count = ROW_COUNT;
    DELETE FROM bookmarks
    WHERE ctid = ANY(ARRAY(
        SELECT part.ctid
        FROM unnest(ids) AS post (id)
        CROSS JOIN LATERAL (SELECT b.ctid FROM bookmarks b WHERE b.post_id = post.id LIMIT row_limit) part
        LIMIT row_limit
    ));
    GET DIAGNOSTICS bookmark_count = ROW_COUNT;
    DELETE FROM poll_votes
    WHERE ctid = ANY(ARRAY(
        SELECT part.ctid
        FROM unnest(ids) AS post (id)
        CROSS JOIN LATERAL (SELECT v.ctid FROM poll_votes v WHERE v.post_id = post.id LIMIT row_limit) part
        LIMIT row_limit
    ));
    GET DIAGNOSTICS vote_count = ROW_COUNT;
    DELETE FROM comment_likes
    WHERE ctid = ANY(ARRAY(
        SELECT part.ctid
        FROM unnest(comment_ids) AS comment (id)
        CROSS JOIN LATERAL (
            SELECT l.ctid FROM comment_likes l WHERE l.comment_id = comment.id LIMIT row_limit
        ) part
        LIMIT row_limit
    ));
    GET DIAGNOSTICS comment_like_count = ROW_COUNT;
    IF comment_like_count < row_limit THEN
        DELETE FROM comments WHERE id = ANY(comment_ids);
        GET DIAGNOSTICS comment_count = ROW_COUNT;
    END IF;
    IF
        like_count < row_limit
        AND bookmark_count < row_limit
        AND vote_count < row_limit
        AND comment_like_count < row_limit
        AND comment_count < row_limit
    THEN
        DELETE FROM posts WHERE id = ANY(ids);
        GET DIAGNOSTICS post_count = ROW_COUNT;
    END IF;
    RETURN like_count + bookmark_count + vote_count + comment_like_count + comment_count + post_count;
END
$$;

-- migrate: rollback
