-- Events in order of arrival. `key` recognises a repeated (id, name), `visitor` finds a person's events: both are
-- keyed digests. `body` is the event as JSON, sealed. AUTOINCREMENT: a number is never given twice, so a cursor never
-- waits behind events it has not seen.
CREATE TABLE event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    stored_at_ms INTEGER NOT NULL,
    key BLOB NOT NULL,
    visitor INTEGER,
    body BLOB NOT NULL
);
-- Both indexes grow at their end (proxy/log/sealing.py says how keys are made), which keeps appends equally fast at
-- a thousand and at ten million events; an index on `visitor` alone would not.
CREATE UNIQUE INDEX event_key ON event (key);
CREATE INDEX event_stored ON event (stored_at_ms, visitor);

-- A destination's place: everything up to `cursor` is settled. `epoch` counts rewinds, `expired` events that retention
-- deleted before they were settled. `state` is a sealed ReaderState.
CREATE TABLE reader (
    name TEXT PRIMARY KEY,
    cursor INTEGER NOT NULL,
    epoch INTEGER NOT NULL DEFAULT 0,
    expired INTEGER NOT NULL DEFAULT 0,
    state BLOB NOT NULL
) WITHOUT ROWID;

-- The exceptions: settled although above the cursor, and dead letters to be tried again.
CREATE TABLE settled (
    reader TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (reader, seq)
) WITHOUT ROWID;
CREATE TABLE again (
    reader TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (reader, seq)
) WITHOUT ROWID;

-- What a destination will never get. `detail` holds a platform's own words, so it is sealed.
CREATE TABLE dead (
    reader TEXT NOT NULL,
    seq INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    why TEXT NOT NULL,
    detail BLOB NOT NULL,
    PRIMARY KEY (reader, seq)
) WITHOUT ROWID;
CREATE INDEX dead_at ON dead (at_ms);

-- Exceptions below a cursor mean nothing any more.
CREATE TRIGGER reader_moved AFTER UPDATE OF cursor ON reader WHEN new.cursor > old.cursor
BEGIN
    DELETE FROM settled WHERE reader = new.name AND seq <= new.cursor;
END;

-- What digests hang on, sealed (Keyring.rooted): they survive every change of keys, and keys that are not this log's
-- are found out at start-up.
CREATE TABLE root (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    sealed BLOB NOT NULL
);
