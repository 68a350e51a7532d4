-- Of all events with one `key` a reader is to be sent one: `seq` was sent. The key is a keyed digest of reader, rule and
-- order or visitor. A claim goes when its event goes; the index is for that.
CREATE TABLE claim (
    reader TEXT NOT NULL,
    key INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (reader, key)
) WITHOUT ROWID;
CREATE INDEX claim_seq ON claim (seq);
