-- Events come in the order of time, and a good key begins with it. With the key first, new ones stand at the end of the
-- index, where they share a page; by record every one of them had a page of its own. A record's events are read through
-- for its story, which is seldom asked for.
CREATE TABLE inbox_by_time (
    id          INTEGER NOT NULL PRIMARY KEY, -- the order of arrival: pruning takes the lowest
    application TEXT NOT NULL,
    event_key   TEXT NOT NULL,
    record_id   TEXT NOT NULL,
    kind        TEXT,
    received_at INTEGER NOT NULL,
    UNIQUE (application, event_key, record_id)
) STRICT;
INSERT INTO inbox_by_time (id, application, event_key, record_id, kind, received_at)
    SELECT id, application, event_key, record_id, kind, received_at FROM inbox;
DROP TABLE inbox;
ALTER TABLE inbox_by_time RENAME TO inbox;
