"""Print what the tracker script weighs as it is served, against its budget."""

import gzip

import brotli

from proxy.collector.script import source, strip

BUDGET = 4_000  # gzip bytes; tests/tracker/test_size.py holds it

text = strip(source()).encode()
zipped = len(gzip.compress(text, 9))
print(f"tracker.js: {len(text):,} B, gzip {zipped:,} B of {BUDGET:,}, brotli {len(brotli.compress(text)):,} B")
