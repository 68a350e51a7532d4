-- What visitors took back: their events up to `upto` are sent no further than that allows. `visitor` is the keyed digest
-- of an event's visitor id, `refused` has a letter per purpose. A row goes when the events it is about are gone.
CREATE TABLE refusal (
    id INTEGER PRIMARY KEY,
    upto INTEGER NOT NULL,
    visitor INTEGER NOT NULL,
    refused TEXT NOT NULL
);
CREATE INDEX refusal_of ON refusal (visitor, upto);
