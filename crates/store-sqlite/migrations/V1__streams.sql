-- Marks the file as dogwatch's ("dogw") and names the schema's version, so that a file can be judged before any table is read.
PRAGMA application_id = 1685022583;
PRAGMA user_version = 1;

-- The log. `position` is the order of commits over all streams; the line is what was hashed, the other columns only find it.
CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    stream   TEXT    NOT NULL,
    seq      INTEGER NOT NULL CHECK (seq >= 1),
    id       TEXT    NOT NULL UNIQUE,
    kind     TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    project  TEXT    NOT NULL,
    job      TEXT,
    run      TEXT,
    line     BLOB    NOT NULL,
    UNIQUE (stream, seq)
) STRICT;

CREATE TRIGGER events_are_never_changed BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER events_are_never_deleted BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;

-- The server's copy of every journal, byte for byte.
CREATE TABLE run_lines (
    position INTEGER PRIMARY KEY,
    run      TEXT    NOT NULL,
    seq      INTEGER NOT NULL CHECK (seq >= 1),
    line     BLOB    NOT NULL,
    UNIQUE (run, seq)
) STRICT;

CREATE TRIGGER run_lines_are_never_changed BEFORE UPDATE ON run_lines
BEGIN SELECT RAISE(ABORT, 'run lines are append-only'); END;
CREATE TRIGGER run_lines_are_never_deleted BEFORE DELETE ON run_lines
BEGIN SELECT RAISE(ABORT, 'run lines are append-only'); END;

-- Payloads and requests: not derived from anything, so no rebuild touches them.
CREATE TABLE contracts (
    hash  TEXT NOT NULL PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT;

CREATE TABLE idempotency (
    project    TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    request    TEXT    NOT NULL,
    job        TEXT    NOT NULL,
    reply      TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    -- NULL: lives as long as the job.
    expires_at INTEGER,
    PRIMARY KEY (project, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE renewals (
    lease TEXT    NOT NULL PRIMARY KEY,
    count INTEGER NOT NULL CHECK (count >= 1)
) STRICT, WITHOUT ROWID;

-- Projections: everything below can be made again from the tables above.
CREATE TABLE jobs (
    id         TEXT    NOT NULL PRIMARY KEY,
    project    TEXT    NOT NULL,
    status     TEXT    NOT NULL CHECK (status IN (
        'queued', 'awaiting_approval', 'leased', 'running', 'parked', 'blocked',
        'succeeded', 'failed', 'timed_out', 'cancelled', 'denied', 'expired')),
    priority   INTEGER NOT NULL,
    deadline   INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    epoch      INTEGER NOT NULL CHECK (epoch >= 0),
    -- The last event of the stream and the link that the next one carries.
    version    INTEGER NOT NULL CHECK (version >= 1),
    head       TEXT    NOT NULL CHECK (length(head) = 64),
    state      TEXT    NOT NULL
) STRICT;

CREATE INDEX jobs_by_age ON jobs (created_at, id);
CREATE INDEX jobs_by_project ON jobs (project, created_at, id);
CREATE INDEX jobs_by_status ON jobs (status, created_at, id);

CREATE TRIGGER terminal_is_final BEFORE UPDATE OF status ON jobs
WHEN OLD.status <> NEW.status
    AND OLD.status IN ('succeeded', 'failed', 'timed_out', 'cancelled', 'denied', 'expired')
BEGIN SELECT RAISE(ABORT, 'a terminal job stays as it is'); END;
CREATE TRIGGER epochs_only_grow BEFORE UPDATE OF epoch ON jobs WHEN NEW.epoch < OLD.epoch
BEGIN SELECT RAISE(ABORT, 'epochs only grow'); END;

-- The ready index. `due` is no fact but a place: jobs that may start now are in the two orders that a claim seeks in, the others
-- wait in the third, and the claim that finds their time has come moves them.
CREATE TABLE ready (
    job        TEXT    NOT NULL PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    project    TEXT    NOT NULL,
    rank       INTEGER NOT NULL,
    not_before INTEGER,
    created_at INTEGER NOT NULL,
    due        INTEGER NOT NULL CHECK (due IN (0, 1) AND (due = 1 OR not_before IS NOT NULL))
) STRICT;

CREATE INDEX ready_in_order ON ready (rank, created_at, job) WHERE due = 1;
CREATE INDEX ready_in_project ON ready (project, rank, created_at, job) WHERE due = 1;
CREATE INDEX ready_later ON ready (not_before) WHERE due = 0;

CREATE TABLE active_leases (
    job   TEXT NOT NULL PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    lease TEXT NOT NULL UNIQUE,
    body  TEXT NOT NULL
) STRICT;

CREATE TABLE runs (
    id         TEXT    NOT NULL PRIMARY KEY,
    job        TEXT    NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    project    TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    header     TEXT    NOT NULL,
    -- The last stored line of the journal and the link that the next one carries.
    lines      INTEGER NOT NULL CHECK (lines >= 0),
    head       TEXT    NOT NULL CHECK (length(head) = 64),
    state      TEXT    NOT NULL
) STRICT;

CREATE INDEX runs_by_age ON runs (created_at, id);
CREATE INDEX runs_by_project ON runs (project, created_at, id);
CREATE INDEX runs_by_job ON runs (job, created_at, id);

-- Ids of jobs and runs back to front, so that the last digits, which people type, are a prefix.
CREATE TABLE short_ids (
    reversed TEXT NOT NULL,
    id       TEXT NOT NULL,
    PRIMARY KEY (reversed, id)
) STRICT, WITHOUT ROWID;
