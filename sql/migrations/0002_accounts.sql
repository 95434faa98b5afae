-- Users, their login sessions and refresh tokens
-- depends: 0001_ids

-- migrate: apply

CREATE TABLE users (
    id bigint PRIMARY KEY DEFAULT make_id(),
    username text NOT NULL,
    username_folded text NOT NULL,
    email text,
    email_folded text,
    phone text,
    password_hash text NOT NULL,
    display_name text NOT NULL DEFAULT '',
    bio text NOT NULL DEFAULT '',
    profile jsonb NOT NULL DEFAULT '{}',
    settings jsonb NOT NULL DEFAULT '{}',
    -- Raised by each change of what the user chose, also of what only they see; never by a counter.
    version integer NOT NULL DEFAULT 1,
    -- The stamp of the last of these changes.
    changed bigint NOT NULL DEFAULT change_stamp(),
    follower_count integer NOT NULL DEFAULT 0 CHECK (follower_count >= 0),
    following_count integer NOT NULL DEFAULT 0 CHECK (following_count >= 0),
    -- How often this user began to follow somebody: a list of their home feed that was built before lacks posts.
    follow_version bigint NOT NULL DEFAULT 0,
    -- All posts; those that followers see, the public ones among them; the public ones.
    post_count integer NOT NULL DEFAULT 0,
    followers_post_count integer NOT NULL DEFAULT 0,
    public_post_count integer NOT NULL DEFAULT 0 CHECK (public_post_count >= 0),
    is_private boolean NOT NULL DEFAULT false,
    is_broadcaster boolean NOT NULL DEFAULT false,
    -- The stamp of the last change of whose posts this user gets to see: they follow or unfollow somebody, or a block
    -- between them and somebody begins or ends. 0: never.
    audience_changed bigint NOT NULL DEFAULT 0,
    -- The stamp of the last change of who sees any of this user's posts: they go private, or their account ends. 0: never.
    published_changed bigint NOT NULL DEFAULT 0,
    role text NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'moderator', 'admin')),
    -- Since when a moderator has suspended the user; until it is lifted.
    suspended_at timestamptz,
    -- Since when the account is to be deleted: the user takes it back by logging in, until what they had is erased.
    deletion_asked_at timestamptz,
    erased_at timestamptz,
    -- For all others this user does not exist, and neither does what they published.
    is_hidden boolean NOT NULL GENERATED ALWAYS AS (suspended_at IS NOT NULL OR deletion_asked_at IS NOT NULL) STORED,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_active_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT users_reachable CHECK (email IS NOT NULL OR phone IS NOT NULL OR erased_at IS NOT NULL),
    CONSTRAINT users_erased_stay_deleted CHECK (erased_at IS NULL OR deletion_asked_at IS NOT NULL),
    CONSTRAINT users_email_is_folded CHECK ((email IS NULL) = (email_folded IS NULL)),
    CHECK (public_post_count <= followers_post_count AND followers_post_count <= post_count)
) WITH (fillfactor = 80);

-- Folded by handlers/case_folding.py: what lower() answers depends on the locale of the database.
CREATE UNIQUE INDEX users_username_key ON users (username_folded);

CREATE UNIQUE INDEX users_email_key ON users (email_folded) WHERE email_folded IS NOT NULL;

CREATE UNIQUE INDEX users_phone_key ON users (phone) WHERE phone IS NOT NULL;

-- There are few broadcasters: a feed page finds those that its viewer follows among them, not among the followed users.
CREATE INDEX users_broadcaster_idx ON users (id) WHERE is_broadcaster;

-- Few users ever go private or end: the followed users of a viewer are looked up among those of a time, not the other way.
CREATE INDEX users_published_changed_idx ON users (published_changed) WHERE published_changed > 0;

-- Few users are hidden: whether one is, is asked at nearly each read.
CREATE INDEX users_hidden_idx ON users (id) WHERE is_hidden;

CREATE INDEX users_deletion_idx ON users (deletion_asked_at) WHERE deletion_asked_at IS NOT NULL AND erased_at IS NULL;

CREATE TABLE login_sessions (
    id bigint PRIMARY KEY DEFAULT make_id(),
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    user_agent text NOT NULL DEFAULT '',
    address text NOT NULL DEFAULT '',
    last_used_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    revoked_at timestamptz
);

CREATE INDEX login_sessions_user_idx ON login_sessions (user_id, id DESC) WHERE revoked_at IS NULL;

-- All of a user who is erased.
CREATE INDEX login_sessions_owner_idx ON login_sessions (user_id);

CREATE INDEX login_sessions_revoked_idx ON login_sessions (revoked_at) WHERE revoked_at IS NOT NULL;

-- The networks from which a user logged in or refreshed a login: a limit of wrong passwords lets them pass.
CREATE TABLE user_networks (
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    network text NOT NULL,
    last_used_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, network)
);

CREATE INDEX user_networks_last_used_idx ON user_networks (last_used_at);

CREATE TABLE refresh_tokens (
    token_hash bytea PRIMARY KEY,
    session_id bigint NOT NULL REFERENCES login_sessions ON DELETE CASCADE,
    issued_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    successor_hash bytea
);

CREATE INDEX refresh_tokens_session_idx ON refresh_tokens (session_id);

CREATE INDEX refresh_tokens_expiry_idx ON refresh_tokens (expires_at);

-- migrate: rollback
