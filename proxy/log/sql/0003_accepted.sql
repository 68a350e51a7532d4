-- What a destination's platform has taken, so that a replay can leave it out (proxy/log/accepted.py): everything above
-- `run` up to the cursor, and the stretches in `runs` ("12-18,20-20,"), which are moved to the table when they are many.
-- What lies below the cursor when a log gets this step counts as taken: it was, or was not meant to be.
ALTER TABLE reader ADD COLUMN run INTEGER NOT NULL DEFAULT 0;
ALTER TABLE reader ADD COLUMN runs TEXT NOT NULL DEFAULT '';
CREATE TABLE accepted (
    reader TEXT NOT NULL,
    upto INTEGER NOT NULL,
    runs TEXT NOT NULL
);
CREATE INDEX accepted_upto ON accepted (upto);
