-- What visitors decided, and when: the proof of consent (proxy/privacy/proof.py). Rows are added when a decision changes
-- and never changed but by erasure, which takes network and browser out of them. `visitor` is the keyed digest of an
-- event's visitor id, `body` is sealed. The index grows at its end, as the one of events does.
CREATE TABLE consent (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    visitor INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX consent_at ON consent (at_ms, visitor);

-- Visitors who were erased: their cookie is revoked and nothing is made of what still comes from them.
CREATE TABLE erased (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    visitor INTEGER NOT NULL UNIQUE
);

-- The last time retention was enforced.
CREATE TABLE purge (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    at_ms INTEGER NOT NULL,
    events INTEGER NOT NULL,
    dead INTEGER NOT NULL,
    consents INTEGER NOT NULL
);
