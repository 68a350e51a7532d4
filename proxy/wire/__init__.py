"""The wire form: bytes of `POST /e` (or an EVENT.json) become Events, or a refusal that says what and where.

    text.py      bytes -> JSON values; repairs what page code and odd encoders break
    readers.py   one JSON value -> one typed value, or `Unreadable`
    sections.py  the fields of page, user, data, …: names, limits, aliases
    parse.py     body -> envelope -> events; whom to believe
    usual.py     the same for the body our own tracker sends, in one go
    times.py     what a sender's clock means on ours

Pure: no clock, no randomness, no I/O. docs/http.md is the manual page of this package.
"""

from proxy.wire.parse import parse
from proxy.wire.parsed import MAX_EVENTS, Landing, Parsed, RefusedEvent
from proxy.wire.readers import Reason
from proxy.wire.sections import field_label

__all__ = ["MAX_EVENTS", "Landing", "Parsed", "Reason", "RefusedEvent", "field_label", "parse"]
