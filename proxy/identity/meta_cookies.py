"""Meta's two cookie values: `_fbc` (which ad was clicked) and `_fbp` (which browser).

Shape `fb.<subdomain index>.<created, Unix ms>.<payload>`, with an optional fifth part that Meta's own libraries append
and we only pass on. Values are case-sensitive and never trimmed, lower-cased or cut.
Source: Meta, "ClickID and the fbp and fbc Parameters" (checked 2026-11).
"""

from __future__ import annotations

import re

_SUFFIX = r"(?:\.(?:AQ|Ag|Aw|BA|BQ|Bg|[A-Za-z0-9_-]{8}))?"
_FBC = re.compile(rf"fb\.\d{{1,2}}\.\d{{10,14}}\.([A-Za-z0-9_-]{{1,500}}){_SUFFIX}", re.ASCII)
_FBP = re.compile(rf"fb\.\d{{1,2}}\.\d{{10,14}}\.(\d{{1,20}}){_SUFFIX}", re.ASCII)
_FBCLID = re.compile(r"[A-Za-z0-9_-]{1,500}")


def valid_fbc(value: str) -> bool:
    """False for what Meta refuses with error 100/2804001; one such value costs the whole batch."""
    return _FBC.fullmatch(value) is not None


def valid_fbp(value: str) -> bool:
    return _FBP.fullmatch(value) is not None


def valid_fbclid(value: str) -> bool:
    """The alphabet seen in the wild; anything else risks the whole batch."""
    return _FBCLID.fullmatch(value) is not None


def fbc(fbclid: str, clicked_at_ms: int, subdomain_index: int = 1) -> str:
    """The value that carries a click id; case is kept. Index 1 is Meta's word for "sent without a cookie"."""
    return f"fb.{subdomain_index}.{clicked_at_ms}.{fbclid}"
