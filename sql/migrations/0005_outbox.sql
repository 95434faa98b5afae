-- Facts that wait for their consumers, and which consumer has handled which
-- depends: 0001_ids

-- migrate: apply

CREATE TABLE outbox (
    id bigint PRIMARY KEY DEFAULT make_id(),
    fact text NOT NULL,
    payload jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    sent_at timestamptz
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

CREATE INDEX outbox_unsent_idx ON outbox (id) WHERE sent_at IS NULL;

CREATE INDEX outbox_sent_idx ON outbox (sent_at) WHERE sent_at IS NOT NULL;

CREATE TABLE fact_done (
    fact_id bigint NOT NULL REFERENCES outbox ON DELETE CASCADE,
    consumer text NOT NULL,
    done_at timestamptz NOT NULL DEFAULT now(),
    error text,
    PRIMARY KEY (fact_id, consumer)
);

CREATE INDEX fact_done_parked_idx ON fact_done (fact_id DESC, consumer) WHERE error IS NOT NULL;

-- migrate: rollback
