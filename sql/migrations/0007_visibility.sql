-- Whether a viewer sees what somebody published
-- depends: 0003_graph 0004_posts

-- migrate: apply

-- The same rule as handlers/access.py has for single objects; a test compares the two.
CREATE FUNCTION may_see_content(
    visibility text, is_self boolean, follows boolean, blocks boolean, blocked_by boolean
) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN is_self OR (
        NOT blocks AND NOT blocked_by AND (visibility = 'public' OR (visibility = 'followers' AND follows))
    );

-- migrate: rollback
