-- name: peek(viewer_ids, afters)
-- The horizon of stamps, and for each Collection whether anything in it can have changed at or above a stamp.
-- users_pkey; 0 or 1 row a call.
SELECT call.place, horizon.position, u.changed >= call.after AS me
FROM unnest(:viewer_ids::bigint[], :afters::bigint[]) WITH ORDINALITY AS call (viewer_id, after, place)
JOIN users u ON u.id = call.viewer_id
CROSS JOIN (SELECT stamp_horizon() AS position) horizon;
