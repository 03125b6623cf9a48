CREATE TABLE uploads (
  id           uuid PRIMARY KEY,
  user_id      uuid NOT NULL REFERENCES users ON DELETE CASCADE,
  key          text NOT NULL UNIQUE,
  filename     text NOT NULL,
  content_type text NOT NULL,
  size         integer NOT NULL,
  status       text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'stored', 'ready', 'rejected')),
  created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX uploads_user ON uploads (user_id);
