-- The id mapping, the ledger, and the embedded engine's inbox, hints and trash.
--
-- Many rows are written by one statement. With "OR ROLLBACK", and references that are checked at the commit, SQLite need
-- not keep a copy of each page it changes for the case that such a statement fails halfway: then all of it goes back.
--
-- Times are milliseconds since 1970. JSON is text. Every table is STRICT: a column holds what it says.
-- `{first,second}_*` are the two sides of a pair: first the record that was there before, then the one made or found.

-- What is true of the database as a whole: `start` counts the starts of the program, `creates` says whether
-- counterparts may be created.
CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Two records that are one, and what they last agreed on. Ids are given in the order the pairs are made.
CREATE TABLE pair (
    id                      INTEGER NOT NULL PRIMARY KEY,
    contract                TEXT NOT NULL,
    first_system            TEXT NOT NULL,
    first_id                TEXT NOT NULL,
    first_base              TEXT NOT NULL,    -- the last agreed values in this system's own fields, a JSON object
    first_inverse_written   INTEGER NOT NULL, -- whether the record is known to carry the other's id
    first_newest            TEXT,             -- the newest operation on this record
    first_created_by_us     INTEGER NOT NULL,
    second_system           TEXT NOT NULL,
    second_id               TEXT NOT NULL,
    second_base             TEXT NOT NULL,
    second_inverse_written  INTEGER NOT NULL,
    second_newest           TEXT,
    second_created_by_us    INTEGER NOT NULL,
    gone                    TEXT,             -- the system whose record is gone; null while the pair is in use
    gone_since              INTEGER,
    revision                INTEGER NOT NULL, -- counts its changes; a decision made on an older one is stale
    fresh                   INTEGER NOT NULL, -- nothing is known yet of what the sides agreed on
    created_at              INTEGER NOT NULL,
    created_by              TEXT NOT NULL,    -- the topology
    last_seen_at            INTEGER NOT NULL,
    -- A pair joins two systems.
    CHECK (first_system <> second_system),
    CHECK ((gone IS NULL) = (gone_since IS NULL))
) STRICT;

-- For the counts in `status` and in the metrics, without reading the pairs themselves.
CREATE INDEX pair_by_state ON pair (gone);
CREATE INDEX pair_inverse_pending ON pair (id)
    WHERE gone IS NULL AND (first_inverse_written = 0 OR second_inverse_written = 0);

-- The id mapping: two mirrored rows per pair. The one primary key guards both directions, so a record has at most one
-- counterpart in a system, whichever side is asked; and each direction is a read of one row. The triggers below write
-- it, so no code path can forget one of the two rows.
CREATE TABLE mapping (
    source_system       TEXT NOT NULL,
    source_id           TEXT NOT NULL,
    target_system       TEXT NOT NULL,
    target_id           TEXT NOT NULL,
    pair                INTEGER NOT NULL REFERENCES pair (id) DEFERRABLE INITIALLY DEFERRED,
    created_at          INTEGER NOT NULL,
    created_by_topology TEXT NOT NULL,
    last_seen_at        INTEGER NOT NULL,
    deactivated_at      INTEGER,
    PRIMARY KEY (source_system, source_id, target_system)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER pair_is_mapped AFTER INSERT ON pair BEGIN
    INSERT INTO mapping VALUES
        (NEW.first_system, NEW.first_id, NEW.second_system, NEW.second_id, NEW.id,
         NEW.created_at, NEW.created_by, NEW.last_seen_at, NEW.gone_since),
        (NEW.second_system, NEW.second_id, NEW.first_system, NEW.first_id, NEW.id,
         NEW.created_at, NEW.created_by, NEW.last_seen_at, NEW.gone_since);
END;

-- `pair` knows to the millisecond when it was last seen; here a minute is fine enough for a person, and saves two pages
-- of the log with every write.
CREATE TRIGGER pair_is_seen AFTER UPDATE OF last_seen_at, gone_since ON pair
WHEN NEW.last_seen_at / 60000 <> OLD.last_seen_at / 60000 OR NEW.gone_since IS NOT OLD.gone_since BEGIN
    UPDATE mapping SET last_seen_at = NEW.last_seen_at, deactivated_at = NEW.gone_since
    WHERE source_system = NEW.first_system AND source_id = NEW.first_id AND target_system = NEW.second_system;
    UPDATE mapping SET last_seen_at = NEW.last_seen_at, deactivated_at = NEW.gone_since
    WHERE source_system = NEW.second_system AND source_id = NEW.second_id AND target_system = NEW.first_system;
END;

-- A forgotten mapping is how a second copy is made. Not even a person with a database shell deletes one by accident.
CREATE TRIGGER mapping_is_kept BEFORE DELETE ON mapping BEGIN
    SELECT RAISE(ABORT, 'a mapping row is never deleted, only marked inactive');
END;
CREATE TRIGGER pair_is_kept BEFORE DELETE ON pair BEGIN
    SELECT RAISE(ABORT, 'a pair is never deleted, only marked inactive');
END;

-- A decision is made on a pair as it was read. One that was made on an older copy is refused here, whoever made it.
CREATE TRIGGER pair_moves_on BEFORE UPDATE OF revision ON pair WHEN NEW.revision <= OLD.revision BEGIN
    SELECT RAISE(ROLLBACK, 'a pair was changed by a decision on an older revision');
END;

-- The ledger: one row per outbound operation, committed before anything leaves the machine.
CREATE TABLE operation (
    id                 TEXT NOT NULL PRIMARY KEY, -- time-ordered, so rows and index grow at their end
    kind               TEXT NOT NULL CHECK (kind IN ('create', 'update')),
    state              TEXT NOT NULL
        CHECK (state IN ('pending', 'committed', 'failed', 'unknown', 'not-sent', 'superseded')),
    pair               INTEGER REFERENCES pair (id) DEFERRABLE INITIALLY DEFERRED, -- null for a create, until it is mapped
    contract           TEXT NOT NULL,
    source_system      TEXT NOT NULL,
    source_id          TEXT NOT NULL,
    target_system      TEXT NOT NULL,
    target_id          TEXT,
    method             TEXT NOT NULL,
    path               TEXT NOT NULL,
    body               TEXT NOT NULL,                -- sent again verbatim
    idempotency_key    TEXT,
    writes             TEXT NOT NULL,                -- per field: seen on both sides, sent, why
    inverse_field      TEXT,
    inverse_id         TEXT,
    answered           TEXT,                         -- what the target answered for the fields in the body
    first_sent_at      INTEGER NOT NULL,
    sent_at            INTEGER NOT NULL,
    ended_at           INTEGER,
    deadline_ms        INTEGER NOT NULL,
    request_life_ms    INTEGER NOT NULL,
    attempts           INTEGER NOT NULL,
    start              INTEGER NOT NULL,             -- the start of the program that sent it last
    reason             TEXT,
    correlation_id     TEXT NOT NULL,
    topology           TEXT NOT NULL,
    node               TEXT NOT NULL,
    CHECK ((inverse_field IS NULL) = (inverse_id IS NULL))
) STRICT;

-- A pair has at most one open operation: the second writer is refused by the database, not by a scheduler. Nulls are
-- distinct, so creates that are not mapped yet are in here too, and recovery finds every open operation in it.
CREATE UNIQUE INDEX operation_open ON operation (pair) WHERE state IN ('pending', 'unknown');
-- A record's story. Every operation of a pair has one of its two records as its source.
CREATE INDEX operation_by_source ON operation (source_system, source_id);
-- A record that a create made and nobody mapped. Few rows, for as long as that lasts.
CREATE INDEX operation_made ON operation (target_system, target_id) WHERE pair IS NULL AND target_id IS NOT NULL;
-- Pruning goes by the end.
CREATE INDEX operation_by_end ON operation (ended_at) WHERE ended_at IS NOT NULL;

-- Who may create a counterpart: one owner per source record and target system. The row goes once the mapping is
-- written, which guards the same key from then on; until then it says which create to wait for or to send again.
CREATE TABLE reservation (
    source_system TEXT NOT NULL,
    source_id     TEXT NOT NULL,
    target_system TEXT NOT NULL,
    incarnation   INTEGER NOT NULL, -- a refused create frees the reservation for the next one, with a new key
    operation     TEXT NOT NULL REFERENCES operation (id) DEFERRABLE INITIALLY DEFERRED,
    closed        INTEGER NOT NULL, -- the source record is gone: nothing is created for it
    PRIMARY KEY (source_system, source_id, target_system)
) STRICT, WITHOUT ROWID;
-- For the foreign key: pruning an operation asks whether a reservation holds it.
CREATE INDEX reservation_by_operation ON reservation (operation);

-- Decisions against a person's edit. Rows are kept.
CREATE TABLE note (
    id     INTEGER NOT NULL PRIMARY KEY,
    pair   INTEGER NOT NULL REFERENCES pair (id) DEFERRABLE INITIALLY DEFERRED,
    at     INTEGER NOT NULL,
    kind   TEXT NOT NULL CHECK (kind IN ('violation', 'conflict')),
    field  TEXT NOT NULL,
    system TEXT NOT NULL,
    lost   TEXT NOT NULL,
    kept   TEXT NOT NULL
) STRICT;
CREATE INDEX note_by_pair ON note (pair);

-- What only a person can decide. Rows are kept, closed or not.
CREATE TABLE cases (
    id        INTEGER NOT NULL PRIMARY KEY,
    kind      TEXT NOT NULL CHECK (kind IN ('copy', 'ambiguous', 'unknown-create', 'field', 'duplicate')),
    records   TEXT NOT NULL, -- a JSON list of system:id
    detail    TEXT NOT NULL,
    opened_at INTEGER NOT NULL,
    closed_at INTEGER
) STRICT;
-- The same question about the same records is open once.
CREATE UNIQUE INDEX cases_open ON cases (kind, records) WHERE closed_at IS NULL;

-- Events taken. The key is the application's own, so a redelivery finds its row.
CREATE TABLE inbox (
    id          INTEGER NOT NULL PRIMARY KEY, -- the order of arrival: pruning takes the lowest
    application TEXT NOT NULL,
    event_key   TEXT NOT NULL,
    record_id   TEXT NOT NULL,
    kind        TEXT,
    received_at INTEGER NOT NULL,
    -- An event is about one record. With the record first, this also finds a record's events, for its story.
    UNIQUE (application, record_id, event_key)
) STRICT;

-- Records to look at, at most one row each. No claim is written here: what is at work is known to the one process that
-- owns the database, and is handed out again by the next one.
CREATE TABLE hint (
    id             INTEGER NOT NULL PRIMARY KEY, -- the order of arrival
    system         TEXT NOT NULL,
    record_id      TEXT NOT NULL,
    facts          TEXT,             -- what the one event behind it claims; null when there is not exactly one
    received       TEXT NOT NULL,    -- when news of each field last reached us
    unfinished     TEXT,             -- the same for what is at work, once news has taken its place in this row
    since          INTEGER NOT NULL, -- when the oldest event behind it reached us
    ready_at       INTEGER NOT NULL, -- not handed out before
    hops           INTEGER NOT NULL,
    reason         TEXT,             -- why it waits, after a try
    correlation_id TEXT NOT NULL,
    revision       INTEGER NOT NULL, -- changes whenever the row does: a worker finishes only what it was given
    UNIQUE (system, record_id)
) STRICT;
-- The next ones, system by system, so that a paused system costs nothing however much it holds back.
CREATE INDEX hint_ready ON hint (system, ready_at);

-- What could not be delivered. Rows are kept: `state` says what a person decided.
CREATE TABLE trash (
    id         INTEGER NOT NULL PRIMARY KEY,
    system     TEXT NOT NULL,
    record_id  TEXT, -- null for something that could not be read
    topology   TEXT NOT NULL,
    node       TEXT NOT NULL,
    reason     TEXT NOT NULL,
    body       TEXT, -- only what could not be read; a record is read afresh
    count      INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    state      TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'approved', 'rejected')),
    decided_at INTEGER
) STRICT;
-- The same cause on the same record is one row that counts. (Nulls are distinct: unreadable things stay apart.)
CREATE UNIQUE INDEX trash_cause ON trash (system, record_id, topology, node, reason) WHERE state = 'open';
-- The open ones in their order, however many were decided before.
CREATE INDEX trash_open ON trash (id) WHERE state = 'open';

-- Where the changed-since listing of a system goes on; committed together with what it found.
CREATE TABLE cursor (
    system TEXT NOT NULL PRIMARY KEY,
    value  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Systems whose hints are held back.
CREATE TABLE paused (
    system TEXT NOT NULL PRIMARY KEY,
    reason TEXT NOT NULL,
    at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
