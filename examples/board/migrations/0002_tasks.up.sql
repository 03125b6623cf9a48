CREATE TABLE tasks (
  id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  title      text NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
  status     text NOT NULL DEFAULT 'todo' CHECK (status IN ('todo', 'doing', 'done')),
  -- Null: nobody of ours made it; it came in by webhook.
  owner_id   uuid REFERENCES users ON DELETE SET NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX tasks_newest ON tasks (created_at DESC);

CREATE TABLE notifications (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- One per piece of work, so that a job that runs twice tells once.
  event_id   text NOT NULL UNIQUE,
  user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
  task_id    uuid NOT NULL,
  kind       text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE daily_summaries (
  day        date PRIMARY KEY,
  todo       integer NOT NULL,
  doing      integer NOT NULL,
  done       integer NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
