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
    project  TEXT,
    job      TEXT,
    run      TEXT,
    line     BLOB    NOT NULL,
    UNIQUE (stream, seq)
) STRICT;

CREATE INDEX events_of_job ON events (job, position) WHERE job IS NOT NULL;
CREATE INDEX events_of_project ON events (project, position) WHERE project IS NOT NULL;

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

CREATE INDEX idempotency_by_expiry ON idempotency (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE renewals (
    lease TEXT    NOT NULL PRIMARY KEY,
    count INTEGER NOT NULL CHECK (count >= 1)
) STRICT, WITHOUT ROWID;

-- What each runner said last, whole; its digest stands in the server's stream.
CREATE TABLE runners (
    machine TEXT NOT NULL PRIMARY KEY,
    bytes   BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- The files of each run's bundle, as a JSON object from path to digest.
CREATE TABLE bundles (
    run   TEXT NOT NULL PRIMARY KEY,
    files TEXT NOT NULL
) STRICT;

CREATE TRIGGER a_run_has_one_bundle BEFORE UPDATE ON bundles
BEGIN SELECT RAISE(ABORT, 'a run has one bundle'); END;

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

-- The ready index: queued jobs that wait for nobody's clock but the wall's, and parked runs that may go on. `due` is no fact but a
-- place: jobs that may start now are in the orders that a claim seeks in, the others wait in the last, and the claim that finds their
-- time has come moves them. A parked run is due from the start, and only its own machine looks for it.
CREATE TABLE ready (
    job        TEXT    NOT NULL PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    project    TEXT    NOT NULL,
    machine    TEXT,
    rank       INTEGER NOT NULL,
    schedule   INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    not_before INTEGER,
    due        INTEGER NOT NULL CHECK (due IN (0, 1) AND (due = 1 OR (not_before IS NOT NULL AND machine IS NULL)))
) STRICT;

CREATE INDEX ready_in_order ON ready (rank, schedule, created_at, job) WHERE due = 1 AND machine IS NULL;
CREATE INDEX ready_in_project ON ready (project, rank, schedule, created_at, job) WHERE due = 1 AND machine IS NULL;
CREATE INDEX ready_on_machine ON ready (machine, rank, schedule, created_at, job) WHERE machine IS NOT NULL;
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

CREATE TABLE approvals (
    id           TEXT    NOT NULL PRIMARY KEY,
    job          TEXT    NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    project      TEXT    NOT NULL,
    title        TEXT    NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN (
        'pending', 'approved', 'used', 'rejected', 'expired', 'superseded')),
    requested_at INTEGER NOT NULL,
    body         TEXT    NOT NULL
) STRICT;

CREATE INDEX approvals_by_age ON approvals (requested_at, id);
CREATE INDEX approvals_by_project ON approvals (project, requested_at, id);
CREATE INDEX approvals_by_state ON approvals (state, requested_at, id);
CREATE INDEX approvals_by_job ON approvals (job);

-- What jobs wait for that only time brings: `at` is the instant of what waits for the wall clock, the rest waits by a steady one.
CREATE TABLE timers (
    job  TEXT    NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    at   INTEGER,
    body TEXT    NOT NULL,
    PRIMARY KEY (job, body)
) STRICT, WITHOUT ROWID;

CREATE INDEX timers_by_instant ON timers (at, job, body);

-- The one row of the server's own stream, once it has an event.
CREATE TABLE server (
    id      TEXT    NOT NULL PRIMARY KEY CHECK (id = 'server'),
    version INTEGER NOT NULL CHECK (version >= 1),
    head    TEXT    NOT NULL CHECK (length(head) = 64),
    state   TEXT    NOT NULL
) STRICT;

-- Ids of jobs, runs and approvals back to front, so that the last digits, which people type, are a prefix.
CREATE TABLE short_ids (
    reversed TEXT NOT NULL,
    id       TEXT NOT NULL,
    PRIMARY KEY (reversed, id)
) STRICT, WITHOUT ROWID;
