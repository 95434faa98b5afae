-- Words that hide: what a user does not want to read in the feed and below posts
-- depends: 0010_posts_comments_follows

-- migrate: apply

-- The words of a text, each between spaces, in a form that is the same without regard to case: `strpos` finds whole words and
-- phrases in it. Any other character but space is a word of its own, and so is each one of a script without spaces between
-- words. Texts are stored in NFC. upper() before lower() makes one letter of those that have two small forms.
CREATE FUNCTION words_of(written text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ' ' || btrim(regexp_replace(
        regexp_replace(
            replace(lower(upper(translate(written, '’ẞ', '''ß'))), 'ß', 'ss'),
            '([^[:alnum:][:space:]]|[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff])',
            ' \1 ',
            'g'
        ),
        '\s+',
        ' ',
        'g'
    )) || ' ';

-- `words` is words_of(phrase); `first_word` finds the filters that a text may match. A filter with an end counts until then:
-- readers compare the time, and a worker ends it as a change.
CREATE TABLE word_filters (
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    words text NOT NULL,
    phrase text NOT NULL,
    first_word text NOT NULL GENERATED ALWAYS AS (split_part(words, ' ', 2)) STORED,
    ends_at timestamptz,
    PRIMARY KEY (user_id, words)
);

CREATE INDEX word_filters_first_word_idx ON word_filters (first_word, user_id);

CREATE INDEX word_filters_ending_idx ON word_filters (ends_at) WHERE ends_at IS NOT NULL;

-- Whether a filter of a viewer hides a text of somebody else. For a viewer without filters it is one probe.
CREATE FUNCTION says_filtered(viewer_id bigint, author_id bigint, written text)
    RETURNS TABLE (is_hidden boolean)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT
        viewer_id <> author_id
        AND EXISTS (SELECT FROM word_filters f WHERE f.user_id = viewer_id OFFSET 0)
        AND EXISTS (
            SELECT
            FROM (SELECT words_of(written) AS words OFFSET 0) said
            JOIN word_filters f ON f.user_id = viewer_id
            WHERE strpos(said.words, f.words) > 0 AND (f.ends_at IS NULL OR f.ends_at > now())
            OFFSET 0
        )
$$;

-- The users from whom a filter hides what somebody says below this comment (NULL: below the post), since it hides that
-- text or a comment above it by somebody else than them.
CREATE FUNCTION filtered_from(author_id bigint, parent_id bigint, written text)
    RETURNS TABLE (id bigint)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 10
AS $$
    WITH RECURSIVE thread AS (
        SELECT filtered_from.parent_id, filtered_from.author_id, filtered_from.written
        UNION ALL
        SELECT c.parent_id, c.author_id, c.text
        FROM thread
        JOIN comments c ON c.id = thread.parent_id
    )
    SELECT f.user_id
    FROM thread
    CROSS JOIN LATERAL (SELECT words_of(thread.written) AS words OFFSET 0) said
    JOIN word_filters f ON f.first_word = ANY(string_to_array(btrim(said.words), ' '))
    WHERE
        strpos(said.words, f.words) > 0
        AND f.user_id <> thread.author_id
        AND (f.ends_at IS NULL OR f.ends_at > now())
$$;

-- migrate: rollback
