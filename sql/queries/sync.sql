-- name: peek(viewer_ids, afters)
-- The horizon of stamps, the history that they are of, and for each Collection whether anything in it can have changed
-- at or above a stamp.
-- users_pkey, relation_changes_changed_idx, users_published_changed_idx, posts_last_changed_idx, follows_pkey,
-- follows_follower_idx, posts_changed_idx, bookmarks_pkey, bookmarks_changed_idx, bookmarks_newest_idx,
-- conversation_members_user_idx, conversations_pkey; 0 or 1 row a call.
SELECT
    call.place,
    horizon.position,
    horizon.history,
    u.changed >= call.after AS me,
    relations.relations_changed AS relations,
    feed.feed_changed AS feed,
    EXISTS (SELECT FROM changed_conversations(call.viewer_id, call.after)) AS conversations,
    bookmarks.bookmarks_changed AS bookmarks
FROM unnest(:viewer_ids::bigint[], :afters::bigint[]) WITH ORDINALITY AS call (viewer_id, after, place)
JOIN users u ON u.id = call.viewer_id
CROSS JOIN LATERAL relations_changed(call.viewer_id, call.after) relations
CROSS JOIN LATERAL feed_changed(call.viewer_id, call.after) feed
CROSS JOIN LATERAL bookmarks_changed(call.viewer_id, call.after) bookmarks
CROSS JOIN (SELECT stamp_horizon() AS position, (SELECT e.history FROM epochs e) AS history OFFSET 0) horizon;
