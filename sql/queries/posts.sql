-- name: insert_post(author_ids, kinds, texts, links, entity_sets, visibilitys, replies_froms, sensitives, polls, client_ids, patient)
-- Stores a post with its tags, counts it on its author for those who see it, with a Fact where others than its author see it, and
-- returns it as the author gets it. users_pkey, posts_client_id_key, posts_pkey; 0 or 1 row a call, none for a repeated
-- client_id.
SELECT made.place, made.skipped, post.*, author.*, r.*, viewer.*
FROM create_posts(
    :author_ids::bigint[],
    :kinds::text[],
    :texts::text[],
    :links::text[],
    :entity_sets::jsonb[],
    :visibilitys::text[],
    :replies_froms::text[],
    :sensitives::boolean[],
    :polls::jsonb[],
    :client_ids::text[],
    :patient::boolean
) made
LEFT JOIN LATERAL post_row(made.post) post ON true
LEFT JOIN LATERAL post_author(made.author_id) author ON true
LEFT JOIN LATERAL relation(made.author_id, made.author_id) r ON true
LEFT JOIN LATERAL post_viewer(made.author_id, made.post) viewer ON true;

-- name: find_post(author_id, client_id)$
-- The post of an earlier try with this client_id, also if it was deleted since. posts_client_id_key; 0 or 1 row.
SELECT p.id
FROM posts p
WHERE p.author_id = :author_id AND p.client_id = :client_id;

-- name: read_post(viewer_ids, post_ids)
-- One post that is not deleted. The caller checks access.
-- posts_pkey, users_pkey, follows_pkey, blocks_pkey, post_likes_pkey; 0 or 1 row a call.
SELECT call.place, post.*, author.*, r.*, viewer.*
FROM unnest(:viewer_ids::bigint[], :post_ids::bigint[]) WITH ORDINALITY AS call (viewer_id, post_id, place)
JOIN posts p ON p.id = call.post_id AND p.deleted_at IS NULL
CROSS JOIN LATERAL post_row(p) post
CROSS JOIN LATERAL post_author(p.author_id) author
CROSS JOIN LATERAL relation(call.viewer_id, p.author_id) r
CROSS JOIN LATERAL post_viewer(call.viewer_id, p) viewer;

-- name: read_posts(post_ids, viewer_ids, post_ids_firsts, post_ids_lasts)
-- Those of many posts that are not deleted. The caller checks access.
-- posts_pkey, users_pkey, follows_pkey, blocks_pkey, post_likes_pkey; at most one row for each id of a call.
SELECT call.place, post.*, author.*, r.*, viewer.*
FROM unnest(:viewer_ids::bigint[], :post_ids_firsts::integer[], :post_ids_lasts::integer[])
    WITH ORDINALITY AS call (viewer_id, first, last, place)
CROSS JOIN LATERAL unnest((:post_ids::bigint[])[call.first : call.last]) AS asked (id)
JOIN posts p ON p.id = asked.id AND p.deleted_at IS NULL
CROSS JOIN LATERAL post_row(p) post
CROSS JOIN LATERAL post_author(p.author_id) author
CROSS JOIN LATERAL relation(call.viewer_id, p.author_id) r
CROSS JOIN LATERAL post_viewer(call.viewer_id, p) viewer;

-- name: list_posts(viewer_ids, author_ids, befores, skips, page_sizes)
-- A page of one author's posts that the viewer may see, newest first. posts_author_idx, users_pkey, post_likes_pkey; at
-- most page_size rows a call, after the skipped ones.
SELECT call.place, page.*
FROM unnest(
    :viewer_ids::bigint[],
    :author_ids::bigint[],
    :befores::bigint[],
    :skips::bigint[],
    :page_sizes::bigint[]
) WITH ORDINALITY AS call (viewer_id, author_id, before, skip, page_size, place)
CROSS JOIN LATERAL (
    SELECT state.*
    FROM posts p
    CROSS JOIN LATERAL post_state(call.viewer_id, p) state
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
ORDER BY 1, 2 DESC;

-- name: update_post(post_id, author_id, text, entities, visibility, replies, sensitive)^
-- Changes the given columns (NULL: not given) of the author's own post, with its tags; a text that others could see is kept
-- as an earlier version. It is edited, and gets another version and stamp, only if a value differs. Another visibility moves the counts of the author: call it after lock_users of them, a
-- statement that locks and changes one row counts on from before the lock. posts_pkey, post_tags_pkey, users_pkey; 0 or 1
-- row.
WITH earlier AS (
    SELECT
        p.id,
        p.author_id,
        p.visibility,
        p.version,
        p.text,
        p.was_shown AND (:text <> p.text) IS TRUE AS is_replaced,
        (
            :text <> p.text OR :visibility <> coalesce(p.visibility_if_shown, p.visibility) OR :replies <> p.replies OR :sensitive <> p.sensitive
        ) IS TRUE AS differs
    FROM posts p
    WHERE p.id = :post_id AND p.author_id = :author_id AND p.deleted_at IS NULL
    FOR NO KEY UPDATE OF p
), edited AS (
    UPDATE posts
    SET
        text = coalesce(:text, posts.text),
        entities = CASE WHEN earlier.differs THEN coalesce(:entities::jsonb, posts.entities) ELSE posts.entities END,
        -- Of a hidden post the one that it gets when it is shown again.
        visibility = CASE WHEN posts.hidden_by IS NULL THEN coalesce(:visibility, posts.visibility) ELSE 'private' END,
        visibility_if_shown = CASE
            WHEN posts.hidden_by IS NOT NULL THEN coalesce(:visibility, posts.visibility_if_shown)
        END,
        replies = coalesce(:replies, posts.replies),
        sensitive = coalesce(:sensitive, posts.sensitive),
        was_shown = posts.was_shown
            OR (posts.hidden_by IS NULL AND coalesce(:visibility, posts.visibility) <> 'private'),
        version = posts.version + earlier.differs::integer,
        changed = CASE WHEN earlier.differs THEN change_stamp() ELSE posts.changed END,
        edited_at = CASE WHEN earlier.differs THEN now() ELSE posts.edited_at END
    FROM earlier
    WHERE posts.id = earlier.id
    RETURNING
        posts.id, posts.version, posts.visibility, posts.entities, earlier.author_id,
        earlier.visibility AS earlier_visibility, earlier.differs
), kept AS (
    INSERT INTO post_versions (post_id, version, text)
    SELECT earlier.id, earlier.version, earlier.text
    FROM earlier
    WHERE earlier.is_replaced
), tag AS (
    SELECT edited.id AS post_id, found.tag ->> 'folded' AS folded
    FROM edited
    CROSS JOIN LATERAL jsonb_array_elements(edited.entities -> 'tags') AS found (tag)
), untagged AS (
    DELETE FROM post_tags t
    USING edited
    WHERE t.post_id = edited.id AND edited.differs AND t.tag NOT IN (SELECT tag.folded FROM tag)
), tagged AS (
    INSERT INTO post_tags (tag, post_id)
    SELECT tag.folded, tag.post_id
    FROM tag
    ON CONFLICT (tag, post_id) DO NOTHING
), counted AS (
    UPDATE users
    SET
        followers_post_count = followers_post_count
            + (edited.visibility <> 'private')::integer - (edited.earlier_visibility <> 'private')::integer,
        public_post_count = public_post_count
            + (edited.visibility = 'public')::integer - (edited.earlier_visibility = 'public')::integer
    FROM edited
    WHERE users.id = edited.author_id AND edited.visibility <> edited.earlier_visibility
)
SELECT edited.version, edited.differs AS changed, edited.earlier_visibility
FROM edited;

-- name: hide_post(post_id, author_id, hidden)^
-- Hides the author's own post from all others, or shows it again to whom they chose; what a moderator has hidden stays so.
-- The counts of the author move: call it after lock_users of them, as update_post. posts_pkey, users_pkey; 0 or 1 row.
WITH earlier AS (
    SELECT
        p.id,
        p.visibility,
        p.hidden_by,
        (CASE WHEN :hidden THEN p.hidden_by IS NULL ELSE p.hidden_by = 'author' END) IS TRUE AS differs
    FROM posts p
    WHERE p.id = :post_id AND p.author_id = :author_id AND p.deleted_at IS NULL
    FOR NO KEY UPDATE OF p
), moved AS (
    UPDATE posts
    SET
        hidden_by = CASE WHEN :hidden THEN 'author' END,
        visibility_if_shown = CASE WHEN :hidden THEN posts.visibility END,
        visibility = CASE WHEN :hidden THEN 'private' ELSE posts.visibility_if_shown END,
        was_shown = posts.was_shown OR (NOT :hidden AND posts.visibility_if_shown <> 'private'),
        version = posts.version + 1,
        changed = change_stamp()
    FROM earlier
    WHERE posts.id = earlier.id AND earlier.differs
    RETURNING posts.author_id, posts.visibility, earlier.visibility AS earlier_visibility
), counted AS (
    UPDATE users
    SET
        followers_post_count = followers_post_count
            + (moved.visibility <> 'private')::integer - (moved.earlier_visibility <> 'private')::integer,
        public_post_count = public_post_count
            + (moved.visibility = 'public')::integer - (moved.earlier_visibility = 'public')::integer
    FROM moved
    WHERE users.id = moved.author_id AND moved.visibility <> moved.earlier_visibility
)
SELECT
    earlier.differs AS changed,
    earlier.visibility AS earlier_visibility,
    NOT :hidden AND (earlier.hidden_by = 'moderator') IS TRUE AS is_refused
FROM earlier;

-- name: delete_post(post_id, author_id)^
-- Deletes the author's own post: nothing that they wrote is left in its row. Decrements their counts, and that of the post
-- that it shares: call it after lock_users of them, as update_post, and after lock_with_shared.
-- posts_pkey, post_tags_post_idx, post_versions_pkey, users_pkey; one row, with the visibility the first time; none when the post is another author's.
WITH gone AS (
    UPDATE posts
    SET
        deleted_at = now(), text = '', link = NULL, entities = '{}',
        poll_options = NULL, poll_multiple = NULL, poll_closes_at = NULL, poll_counts = NULL, poll_voter_count = NULL,
        version = posts.version + 1, changed = change_stamp()
    WHERE id = :post_id AND author_id = :author_id AND deleted_at IS NULL
    RETURNING posts.id, posts.author_id, posts.visibility, posts.shared_id
), untagged AS (
    DELETE FROM post_tags t
    USING gone
    WHERE t.post_id = gone.id
), forgotten AS (
    DELETE FROM post_versions v
    USING gone
    WHERE v.post_id = gone.id
), unshared AS (
    UPDATE posts
    SET share_count = posts.share_count - 1
    FROM gone
    WHERE posts.id = gone.shared_id
), counted AS (
    UPDATE users
    SET
        post_count = post_count - 1,
        followers_post_count = followers_post_count - (gone.visibility <> 'private')::integer,
        public_post_count = public_post_count - (gone.visibility = 'public')::integer
    FROM gone
    WHERE users.id = gone.author_id
)
SELECT gone.visibility
FROM posts p
LEFT JOIN gone ON true
WHERE p.id = :post_id AND p.author_id = :author_id;

-- name: list_versions(post_ids, befores, page_sizes)
-- A page of the earlier texts of a post, the latest first, each with the time of the edit before it, or of the post. The
-- caller checks access. post_versions_pkey; at most page_size rows a call.
SELECT call.place, page.*
FROM unnest(:post_ids::bigint[], :befores::bigint[], :page_sizes::bigint[])
    WITH ORDINALITY AS call (post_id, before, page_size, place)
CROSS JOIN LATERAL (
    SELECT
        v.version,
        v.text,
        coalesce(
            (
                SELECT e.replaced_at
                FROM post_versions e
                WHERE e.post_id = v.post_id AND e.version < v.version
                ORDER BY e.version DESC
                LIMIT 1
            ),
            id_moment(v.post_id)
        ) AS written_at
    FROM post_versions v
    WHERE v.post_id = call.post_id AND v.version < call.before
    ORDER BY v.version DESC
    LIMIT call.page_size
) page
ORDER BY 1, 2 DESC;

-- name: delete_old_posts(deleted_before, row_limit)$
-- Removes a part of the posts that were deleted before a moment, with their likes, bookmarks and comments.
-- posts_deleted_idx, post_likes_pkey, bookmarks_post_idx, comments_post_idx, comments_parent_idx; one row, the number of removed rows.
SELECT delete_old_posts(:deleted_before, :row_limit);

-- name: lock_post(post_id)$
-- Locks a post, deleted or not, until the transaction ends, so that changes of its comments are serialized.
-- posts_pkey; 0 or 1 row.
SELECT p.id
FROM posts p
WHERE p.id = :post_id
FOR NO KEY UPDATE;

-- name: set_like(post_ids, user_ids, wanteds, patient)
-- Sets whether a user likes a post, and changes the counter by the rows that were really added or removed. Likes of a
-- deleted post can only be removed. posts_pkey, post_likes_pkey; 0 or 1 row a call, none where there is no such post.
SELECT done.*
FROM set_likes(:post_ids::bigint[], :user_ids::bigint[], :wanteds::boolean[], :patient::boolean) done;

-- name: list_likers(viewer_ids, post_ids, befores, page_sizes)
-- A page of the users who like a post, the latest like first, without a block in either direction.
-- post_likes_newest_idx, users_pkey, blocks_pkey; at most page_size rows a call.
SELECT call.place, page.*
FROM unnest(:viewer_ids::bigint[], :post_ids::bigint[], :befores::bigint[], :page_sizes::bigint[])
    WITH ORDINALITY AS call (viewer_id, post_id, before, page_size, place)
CROSS JOIN LATERAL (
    SELECT l.id AS like_id, person.*, r.*
    FROM post_likes l
    JOIN users u ON u.id = l.user_id
    CROSS JOIN LATERAL relation(call.viewer_id, l.user_id) r
    CROSS JOIN LATERAL user_row(u, r.viewer_is_self, r.viewer_follows, r.viewer_blocks, r.viewer_blocked_by) person
    WHERE l.post_id = call.post_id AND l.id < call.before AND NOT r.viewer_blocks AND NOT r.viewer_blocked_by
    ORDER BY l.id DESC
    LIMIT call.page_size
) page
ORDER BY 1, 2 DESC;
