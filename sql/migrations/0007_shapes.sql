-- The columns of users, posts, comments, conversations and messages that queries return, each list written once
-- depends: 0004_posts 0006_chat

-- migrate: apply

-- Each function is one SELECT, not STRICT and not VOLATILE: so the planner inlines it, and a field of a whole row that
-- is passed to it becomes the plain column. The columns are the fields of the row types in sql/*.py, in the same order.

-- A user as a viewer with this relation sees them: their posts are counted as far as the viewer may see them, as
-- may_see_content says.
CREATE FUNCTION user_row(person users, is_self boolean, follows boolean, blocks boolean, blocked_by boolean)
    RETURNS TABLE (
        id bigint,
        version integer,
        username text,
        display_name text,
        bio text,
        follower_count integer,
        following_count integer,
        post_count integer,
        is_private boolean
    )
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT
        person.id,
        person.version,
        person.username,
        person.display_name,
        person.bio,
        person.follower_count,
        person.following_count,
        CASE
            WHEN is_self THEN person.post_count
            WHEN blocks OR blocked_by THEN 0
            WHEN follows THEN person.followers_post_count
            WHEN person.is_private THEN 0
            ELSE person.public_post_count
        END,
        person.is_private
$$;

-- The columns that only the user themselves may see.
CREATE FUNCTION own_user_row(person users)
    RETURNS TABLE (
        email text,
        phone text,
        profile jsonb,
        settings jsonb,
        role text,
        created_at timestamptz
    )
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT person.email, person.phone, person.profile, person.settings, person.role, person.created_at
$$;

-- A user inside of another object, the same for every reader.
CREATE FUNCTION card(user_id bigint)
    RETURNS TABLE (id bigint, username text, display_name text, version integer)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT u.id, u.username, u.display_name, u.version
    FROM users u
    WHERE u.id = user_id
$$;

-- The card as one viewer gets it: only id and username of a user who blocks the viewer, or is hidden.
CREATE FUNCTION card_for(viewer_id bigint, user_id bigint)
    RETURNS TABLE (id bigint, username text, display_name text, version integer, is_gone boolean)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT u.id, u.username, shown.display_name, shown.version, u.is_hidden
    FROM users u
    LEFT JOIN LATERAL (SELECT u.display_name, u.version) shown
        ON NOT u.is_hidden
        AND (
            u.id = viewer_id
            OR NOT EXISTS (SELECT FROM blocks b WHERE b.blocker_id = u.id AND b.blocked_id = viewer_id OFFSET 0)
        )
    WHERE u.id = user_id
$$;

CREATE FUNCTION post_row(post posts)
    RETURNS TABLE (
        id bigint,
        version integer,
        kind text,
        text text,
        link text,
        entities jsonb,
        visibility text,
        hidden_by text,
        visibility_if_shown text,
        replies text,
        sensitive boolean,
        poll_options text[],
        poll_multiple boolean,
        poll_closes_at timestamptz,
        poll_counts integer[],
        poll_voter_count integer,
        poll_is_closed boolean,
        shared_id bigint,
        like_count integer,
        comment_count integer,
        share_count integer,
        client_id text,
        created_at timestamptz,
        edited_at timestamptz,
        changed bigint
    )
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT
        post.id,
        post.version,
        post.kind,
        post.text,
        post.link,
        post.entities,
        post.visibility,
        post.hidden_by,
        post.visibility_if_shown,
        post.replies,
        post.sensitive,
        post.poll_options,
        post.poll_multiple,
        post.poll_closes_at,
        post.poll_counts,
        post.poll_voter_count,
        post.poll_closes_at <= now(),
        post.shared_id,
        post.like_count,
        post.comment_count,
        post.share_count,
        post.client_id,
        id_moment(post.id),
        post.edited_at,
        post.changed
$$;

-- The card of a post's author, and in which state it is: the stamp of its last change, as it is in no other history of the
-- database.
CREATE FUNCTION post_author(user_id bigint)
    RETURNS TABLE (id bigint, username text, display_name text, version integer, author_changed bigint)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT u.id, u.username, u.display_name, u.version, u.changed # (SELECT e.history FROM epochs e)
    FROM users u
    WHERE u.id = user_id
$$;

-- What a viewer has done with a post, and may do with it where they see it. Whether they may comment is decided here alone.
CREATE FUNCTION post_viewer(viewer_id bigint, post posts)
    RETURNS TABLE (viewer_liked boolean, viewer_bookmarked boolean, viewer_may_comment boolean)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT
        EXISTS (SELECT FROM post_likes l WHERE l.post_id = post.id AND l.user_id = viewer_id OFFSET 0),
        EXISTS (
            SELECT
            FROM bookmarks b
            WHERE b.user_id = viewer_id AND b.post_id = post.id AND b.removed_at IS NULL
            OFFSET 0
        ),
        post.author_id = viewer_id OR CASE post.replies
            WHEN 'everyone' THEN true
            WHEN 'followers' THEN EXISTS (
                SELECT FROM follows f WHERE f.follower_id = viewer_id AND f.followed_id = post.author_id OFFSET 0
            )
            WHEN 'mentioned' THEN post.entities
                @> jsonb_build_object('mentions', jsonb_build_array(jsonb_build_object('id', viewer_id)))
            ELSE false
        END
$$;

-- Which state a post is in, by the stamps of the last changes of it and of its author, with what is no part of that.
CREATE FUNCTION post_state(viewer_id bigint, post posts)
    RETURNS TABLE (
        id bigint,
        changed bigint,
        author_changed bigint,
        is_poll boolean,
        shared_id bigint,
        like_count integer,
        comment_count integer,
        share_count integer,
        viewer_liked boolean,
        viewer_bookmarked boolean,
        viewer_may_comment boolean
    )
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT
        post.id,
        post.changed,
        author.changed # (SELECT e.history FROM epochs e),
        post.poll_options IS NOT NULL,
        post.shared_id,
        post.like_count,
        post.comment_count,
        post.share_count,
        viewer.*
    FROM users author
    CROSS JOIN LATERAL post_viewer(viewer_id, post) viewer
    WHERE author.id = post.author_id
$$;

CREATE FUNCTION comment_row(comment comments)
    RETURNS TABLE (
        id bigint,
        version integer,
        post_id bigint,
        parent_id bigint,
        text text,
        like_count integer,
        reply_count integer,
        client_id text,
        created_at timestamptz,
        edited_at timestamptz,
        is_deleted boolean,
        is_by_hidden boolean
    )
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT
        comment.id,
        comment.version,
        comment.post_id,
        comment.parent_id,
        -- A deleted comment has no text for anybody, and neither has one of a hidden user.
        CASE WHEN comment.deleted_at IS NULL AND NOT by_hidden THEN comment.text ELSE '' END,
        comment.like_count,
        comment.reply_count,
        comment.client_id,
        id_moment(comment.id),
        comment.edited_at,
        comment.deleted_at IS NOT NULL OR by_hidden,
        by_hidden
    FROM (SELECT is_hidden(comment.author_id)) AS author (by_hidden)
$$;

-- Whether a viewer with this relation to its author sees a comment in a list: a deleted one, and one of a hidden user, only
-- while others have replied to it.
CREATE FUNCTION may_see_comment(
    reply_count integer, is_deleted boolean, is_by_hidden boolean, blocks boolean, blocked_by boolean
) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (NOT is_deleted OR reply_count > 0) AND NOT blocks AND (NOT blocked_by OR is_by_hidden);

-- What a viewer has done with a comment.
CREATE FUNCTION comment_viewer(viewer_id bigint, comment_id bigint)
    RETURNS TABLE (viewer_liked boolean)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT
        EXISTS (
            SELECT
            FROM comment_likes l
            WHERE l.comment_id = comment_viewer.comment_id AND l.user_id = viewer_id
            OFFSET 0
        )
$$;

-- The users who see neither in lists nor live what this user says below this comment (NULL: below the post): those with a
-- block in either direction between them and the author, or the author of a comment above it.
CREATE FUNCTION hidden_from(author_id bigint, parent_id bigint)
    RETURNS TABLE (id bigint)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 10
AS $$
    WITH RECURSIVE thread AS (
        SELECT hidden_from.parent_id, hidden_from.author_id
        UNION ALL
        SELECT c.parent_id, c.author_id
        FROM thread
        JOIN comments c ON c.id = thread.parent_id
    )
    SELECT DISTINCT other.id
    FROM thread
    CROSS JOIN LATERAL (
        SELECT b.blocked_id AS id
        FROM blocks b
        WHERE b.blocker_id = thread.author_id
        UNION ALL
        SELECT b.blocker_id
        FROM blocks b
        WHERE b.blocked_id = thread.author_id
    ) other
$$;

-- A message as one viewer gets it.
CREATE FUNCTION message_for(viewer_id bigint, message messages)
    RETURNS TABLE (
        conversation_id bigint, seq bigint, rev bigint, id bigint, text text, reply_to_seq bigint, client_id text,
        created_at timestamptz, edited_at timestamptz, is_deleted boolean,
        sender_id bigint, sender_username text, sender_display_name text, sender_version integer, sender_is_gone boolean
    )
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT
        message.conversation_id, message.seq, message.rev, message.id, message.text, message.reply_to_seq, message.client_id,
        message.created_at, message.edited_at, message.deleted_at IS NOT NULL, sender.*
    FROM card_for(viewer_id, message.sender_id) sender
$$;

-- A conversation and its last message as the member `mine` gets them.
CREATE FUNCTION conversation_for(mine conversation_members)
    RETURNS TABLE (
        id bigint, kind text, title text, last_seq bigint, rev bigint, last_activity_id bigint,
        viewer_read_seq bigint, viewer_muted boolean, unread_count bigint,
        conversation_id bigint, seq bigint, last_message_rev bigint, last_message_id bigint, text text, reply_to_seq bigint, client_id text,
        created_at timestamptz, edited_at timestamptz, is_deleted boolean,
        sender_id bigint, sender_username text, sender_display_name text, sender_version integer, sender_is_gone boolean
    )
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT
        c.id, c.kind, c.title, c.last_seq, c.rev, c.last_activity_id, mine.read_seq, mine.muted, c.last_seq - mine.read_seq,
        last_message.*
    FROM conversations c
    LEFT JOIN messages m ON m.conversation_id = c.id AND m.seq = c.last_seq
    LEFT JOIN LATERAL message_for(mine.user_id, m) last_message ON true
    WHERE c.id = mine.conversation_id
$$;

-- A member of a conversation as one viewer gets them: without positions where one of the two blocks the other.
CREATE FUNCTION member_for(viewer_id bigint, member conversation_members)
    RETURNS TABLE (
        role text, delivered_seq bigint, read_seq bigint, user_id bigint, username text, display_name text, version integer,
        is_gone boolean
    )
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT
        member.role,
        CASE WHEN NOT r.viewer_blocks AND NOT r.viewer_blocked_by THEN member.delivered_seq END,
        CASE WHEN NOT r.viewer_blocks AND NOT r.viewer_blocked_by THEN member.read_seq END,
        person.*
    FROM card_for(viewer_id, member.user_id) person
    CROSS JOIN LATERAL relation(viewer_id, member.user_id) r
$$;

-- Who may hear of a member of a conversation, where a block keeps others from it. No row where all members may.
CREATE FUNCTION hearers(conversation_id bigint, user_id bigint)
    RETURNS TABLE (user_ids bigint[])
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT array_agg(other.user_id) FILTER (WHERE NOT r.viewer_blocks AND NOT r.viewer_blocked_by)
    FROM conversation_members other
    CROSS JOIN LATERAL relation(hearers.user_id, other.user_id) r
    WHERE other.conversation_id = hearers.conversation_id
    HAVING bool_or(r.viewer_blocks OR r.viewer_blocked_by)
$$;

-- migrate: rollback
