-- Whose order it is (`log.find_orders`): `key` is the keyed digest of an order's number, `seq` the first event of a browser
-- that named it, `visitor` that event's. An order that another visitor names, too, is nobody's (`is_shared`). A row goes
-- with its event.
CREATE TABLE known_order (
    key INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL,
    visitor INTEGER NOT NULL,
    is_shared INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX known_order_seq ON known_order (seq);
