"""Print what the tracker script weighs, part by part, against its budgets. `tests/tracker/test_size.py` holds them."""

import gzip

import brotli

from proxy.collector.compose import CORE, CORE_BUDGET, WHOLE_BUDGET, compose, file_of, minified, source, strip, told
from proxy.config.modules import Banner, Module, Part
from proxy.config.tracker import TrackerSettings


def row(name: str, text: str, budget: int) -> None:
    raw = text.encode()
    zipped, brotlied = len(gzip.compress(raw, 9)), len(brotli.compress(raw))
    print(f"{name:24} {len(raw):7,} B  gzip {zipped:5,} B of {budget:5,}  brotli {brotlied:5,} B")


built = minified(CORE) is not None
print("tracker script,", "minified" if built else "without comments (no build here; `scripts/setup test` makes one)")
row(CORE, minified(CORE) or strip(source(CORE)), CORE_BUDGET)
for piece in (*Part, *Module, *Banner):
    row(file_of(piece), minified(file_of(piece)) or strip(source(file_of(piece))), piece.budget)
modules = {module: told(TrackerSettings(), module) for module in Module}
modules[Module.BANNERS] |= {"names": [max(Banner, key=lambda banner: len(source(file_of(banner))))]}
row("everything, one banner", compose({"global": "firsthand"}, modules), WHOLE_BUDGET)
