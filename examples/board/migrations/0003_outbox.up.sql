-- Work that must survive is written in the transaction that causes it, and handed to the queue afterwards.
CREATE TABLE outbox (
  id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  topic           text NOT NULL,
  payload         jsonb NOT NULL,
  -- The same key twice is the same work: the second one is not written.
  dedupe_key      text UNIQUE,
  attempts        integer NOT NULL DEFAULT 0,
  next_attempt_at timestamptz NOT NULL DEFAULT now(),
  -- A lease: whoever holds it may die, and another takes the row when it runs out.
  locked_until    timestamptz,
  sent_at         timestamptz,
  dead_at         timestamptz,
  last_error      text,
  created_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX outbox_due ON outbox (next_attempt_at, id) WHERE sent_at IS NULL AND dead_at IS NULL;
CREATE INDEX outbox_dead ON outbox (dead_at) WHERE dead_at IS NOT NULL;
CREATE INDEX outbox_sent ON outbox (sent_at) WHERE sent_at IS NOT NULL;

CREATE TABLE webhook_events (
  idempotency_key text PRIMARY KEY,
  received_at     timestamptz NOT NULL DEFAULT now()
);
