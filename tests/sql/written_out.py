"""Queries without the shapes of `0007_shapes.sql`, with the same parameters."""

WRITTEN_OUT = {
    "posts.list_posts": """
        SELECT call.place, page.*
        FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
            WITH ORDINALITY AS call (viewer_id, author_id, before, skip, page_size, place)
        CROSS JOIN LATERAL (
            SELECT
                p.id, p.changed, u.changed # (SELECT e.history FROM epochs e),
                p.shared_id, p.like_count, p.comment_count, p.share_count,
                EXISTS (SELECT FROM post_likes l WHERE l.post_id = p.id AND l.user_id = call.viewer_id OFFSET 0),
                EXISTS (
                    SELECT
                    FROM bookmarks b
                    WHERE b.user_id = call.viewer_id AND b.post_id = p.id AND b.removed_at IS NULL
                    OFFSET 0
                ),
                p.author_id = call.viewer_id OR CASE p.replies
                    WHEN 'everyone' THEN true
                    WHEN 'followers' THEN EXISTS (
                        SELECT FROM follows f
                        WHERE f.follower_id = call.viewer_id AND f.followed_id = p.author_id
                        OFFSET 0
                    )
                    WHEN 'mentioned' THEN p.entities
                        @> jsonb_build_object('mentions', jsonb_build_array(jsonb_build_object('id', call.viewer_id)))
                    ELSE false
                END
            FROM posts p
            JOIN users u ON u.id = p.author_id
            CROSS JOIN LATERAL relation(call.viewer_id, p.author_id) r
            WHERE
                p.author_id = call.author_id
                AND p.id < call.before
                AND p.deleted_at IS NULL
                AND may_see_content(
                    p.visibility, r.viewer_is_self, r.viewer_follows, r.viewer_blocks, r.viewer_blocked_by,
                    r.followers_only
                )
            ORDER BY p.id DESC
            OFFSET call.skip
            LIMIT call.page_size
        ) page
        ORDER BY 1, 2 DESC
    """,
    "comments.list_comments": """
        SELECT call.place, page.*
        FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])
            WITH ORDINALITY AS call (viewer_id, post_id, before, page_size, place)
        CROSS JOIN LATERAL (
            SELECT
                c.id, c.version, c.post_id, c.parent_id,
                CASE WHEN c.deleted_at IS NULL THEN c.text ELSE '' END, c.like_count,
                c.reply_count, c.client_id, id_moment(c.id), c.edited_at,
                c.deleted_at IS NOT NULL, u.id, u.username, u.display_name, u.version,
                r.viewer_is_self, r.viewer_follows,
                r.viewer_followed_by, r.viewer_blocks, r.viewer_blocked_by,
                r.viewer_mutes, r.viewer_requested, r.followers_only,
                EXISTS (
                    SELECT
                    FROM comment_likes l
                    WHERE l.comment_id = c.id AND l.user_id = call.viewer_id
                    OFFSET 0
                )
            FROM comments c
            JOIN users u ON u.id = c.author_id
            CROSS JOIN LATERAL relation(call.viewer_id, c.author_id) r
            WHERE
                c.post_id = call.post_id
                AND c.parent_id IS NULL
                AND c.id < call.before
                AND (c.deleted_at IS NULL OR c.reply_count > 0)
                AND NOT r.viewer_blocks
                AND NOT r.viewer_blocked_by
                AND (
                    c.deleted_at IS NOT NULL
                    OR NOT (SELECT says.is_hidden FROM says_filtered(call.viewer_id, c.author_id, c.text) says)
                )
            ORDER BY c.id DESC
            LIMIT call.page_size
        ) page
        ORDER BY 1, 2 DESC
    """,
    "graph.list_followers": """
        SELECT call.place, page.*
        FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])
            WITH ORDINALITY AS call (viewer_id, user_id, before, page_size, place)
        CROSS JOIN LATERAL (
            SELECT
                f.id, u.id, u.version, u.username, u.display_name, u.bio, u.follower_count, u.following_count,
                CASE
                    WHEN r.viewer_is_self THEN u.post_count
                    WHEN r.viewer_blocks OR r.viewer_blocked_by THEN 0
                    WHEN r.viewer_follows THEN u.followers_post_count
                    WHEN u.is_private THEN 0
                    ELSE u.public_post_count
                END,
                u.is_private, r.viewer_is_self, r.viewer_follows, r.viewer_followed_by, r.viewer_blocks,
                r.viewer_blocked_by, r.viewer_mutes, r.viewer_requested, r.followers_only
            FROM follows f
            JOIN users u ON u.id = f.follower_id
            CROSS JOIN LATERAL relation(call.viewer_id, f.follower_id) r
            WHERE
                f.followed_id = call.user_id
                AND f.id < call.before
                AND NOT r.viewer_blocks
                AND NOT r.viewer_blocked_by
            ORDER BY f.id DESC
            LIMIT call.page_size
        ) page
        ORDER BY 1, 2 DESC
    """,
    "chat.list_messages_before": """
        SELECT call.place, page.*
        FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])
            WITH ORDINALITY AS call (viewer_id, conversation_id, before_seq, page_size, place)
        CROSS JOIN LATERAL (
            SELECT
                m.conversation_id, m.seq, m.id, m.text, m.reply_to_seq, m.client_id, m.created_at, m.edited_at,
                m.deleted_at IS NOT NULL, u.id, u.username,
                shown.display_name, shown.version
            FROM conversation_members mine
            JOIN messages m ON m.conversation_id = mine.conversation_id
            JOIN users u ON u.id = m.sender_id
            LEFT JOIN LATERAL (SELECT u.display_name, u.version) shown
                ON u.id = call.viewer_id
                OR NOT EXISTS (
                    SELECT FROM blocks b WHERE b.blocker_id = u.id AND b.blocked_id = call.viewer_id OFFSET 0
                )
            WHERE
                mine.user_id = call.viewer_id AND mine.conversation_id = call.conversation_id
                AND m.seq < call.before_seq
            ORDER BY m.seq DESC LIMIT call.page_size
        ) page
        ORDER BY call.place, page.seq DESC
    """,
}
