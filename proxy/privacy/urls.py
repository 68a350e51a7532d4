"""URLs with only those parameters that tell a campaign, or that the operator named: tokens never reach the disk.

Sites put session ids, reset tokens and whole addresses into query strings, and every platform would be sent them. Kept
are the parameters in `CAMPAIGN`, click ids (consent takes those out where it must) and what `privacy.url_parameters`
names; of a fragment the same, and its route (`#/cart`), which is a page. Pure; never raises on any text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from urllib.parse import unquote

from proxy.identity import page_url
from proxy.identity.click_ids import is_click_parameter
from proxy.privacy.detector import holds_personal, is_phone_under, may_hold_personal

CAMPAIGN = (
    "utm_*",
    "mtm_*",  # Matomo
    "gad_source",  # Google Ads
    "gad_campaignid",
    "mc_cid",  # Mailchimp's campaign; mc_eid is a person
    "wt_mc",
    "cmpid",
)
"""Always kept; a `*` at the end stands for anything."""

_SEPARATORS = re.compile(r"[&;]")
_ROUTE_END = re.compile(r"[&;=#]")
_SESSION = re.compile(r";(?:jsessionid|phpsessid|sessionid|sid)=[^/?#;]*", re.IGNORECASE)


def parameters_kept(named: Iterable[str]) -> Callable[[str], bool]:
    """Is a parameter of that name kept? `named`: those of the operator; names are compared without regard to case."""
    patterns = [name.lower() for name in (*CAMPAIGN, *named)]
    exact = frozenset(name for name in patterns if not name.endswith("*"))
    beginnings = tuple(name[:-1] for name in patterns if name.endswith("*"))

    @lru_cache(maxsize=4096)
    def is_kept(name: str) -> bool:
        plain = name.lower()
        return plain in exact or plain.startswith(beginnings) or is_click_parameter(name)

    return is_kept


def without_other_parameters(url: str, is_kept: Callable[[str], bool]) -> str:
    """The URL with the parameters kept, in their order and to the byte."""
    if "?" not in url and "#" not in url and ";" not in url:
        return url
    before, hash_sign, fragment = url.partition("#")
    address, _, query = before.partition("?")
    if ";" in address:
        address = _SESSION.sub("", address)
    query = _pairs(query, is_kept)
    if hash_sign:
        fragment = _fragment(fragment, is_kept)
    return address + (f"?{query}" if query else "") + (f"#{fragment}" if fragment else "")


def without_personal(url: str) -> str:
    """The URL without user and password, every part that holds an e-mail address or telephone number blanked."""
    return page_url.blanked(url, _is_personal) if may_hold_personal(url) else url


def _is_personal(part: str) -> bool:
    """`part`: a step of the path, or `name=value`; both of a click id are what they are."""
    if not may_hold_personal(part):
        return False
    name, equals, value = part.partition("=")
    if not equals:
        return holds_personal(part)
    if is_click_parameter(name):
        return False
    return holds_personal(value) or holds_personal(name) or is_phone_under(unquote(name), unquote(value))


def _fragment(fragment: str, is_kept: Callable[[str], bool]) -> str:
    if not fragment.startswith(("/", "!/")):
        return _pairs(fragment, is_kept)
    route, _, query = fragment.partition("?")
    query = _pairs(query, is_kept)
    return _ROUTE_END.split(route, maxsplit=1)[0] + (f"?{query}" if query else "")


def _pairs(query: str, is_kept: Callable[[str], bool]) -> str:
    if not query:
        return ""
    pieces = _SEPARATORS.split(query)
    return "&".join([piece for piece in pieces if is_kept(unquote(piece.partition("=")[0]))])
