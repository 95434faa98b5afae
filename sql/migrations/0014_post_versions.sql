-- Earlier texts of posts
-- depends: 0004_posts

-- migrate: apply

-- A text that somebody could see and that an edit has replaced; it goes with its post. No text of a time at which nobody
-- but the author could ever have seen the post.
CREATE TABLE post_versions (
    post_id bigint NOT NULL REFERENCES posts ON DELETE CASCADE,
    version integer NOT NULL,
    text text NOT NULL,
    replaced_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (post_id, version)
);

-- migrate: rollback
