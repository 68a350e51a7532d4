"""Page addresses as they may leave the house: the address as it was, minus e-mail addresses and credentials in it.

Sites put them there (`?email=ann%40shop.example`, newsletter links), and every platform forbids sending them. All other
bytes stay as they were: platforms compare addresses with what their pixel saw.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote

_ADDRESS = re.compile(
    r"(?P<start>[a-z][a-z0-9+.-]*://)(?P<host>[^/?#]+)(?P<path>[^?#]*)(?P<rest>.*)", re.IGNORECASE | re.DOTALL
)
_EMAIL = re.compile(r"[^\s@/]+@[^\s@/?&=#:;,]+\.[^\s@/?&=#:;,.]{2,}")
_BLANKED = "redacted"
SCHEMES = ("http://", "https://")


def holds_email(text: str) -> bool:
    """True when an e-mail address stands in the text, percent-encoded up to twice."""
    if "@" not in text and "%" not in text:
        return False  # most texts; the search below costs a hundred times as much
    return any(_EMAIL.search(form) for form in (text, unquote(text), unquote(unquote(text))))


def shareable(url: str, schemes: tuple[str, ...] = SCHEMES) -> str | None:
    """`url` without user and password, and with every parameter or path part that holds an e-mail address blanked.

    None when it is no absolute address of one of `schemes`.
    """
    match = _ADDRESS.fullmatch(url)
    if match is None or not url.lower().startswith(schemes):
        return None
    if "@" not in url and "%" not in url:
        return url
    return _with_blanks(match, holds_email)


def blanked(url: str, is_personal: Callable[[str], bool]) -> str:
    """As `shareable`, of any address: what `is_personal` says of a part of the path or of `name=value` decides."""
    match = _ADDRESS.fullmatch(url)
    if match is None:
        return _BLANKED if is_personal(url) else url
    return _with_blanks(match, is_personal)


def _with_blanks(match: re.Match[str], is_personal: Callable[[str], bool]) -> str:
    host = match["host"].rpartition("@")[2]
    path = "/".join(_BLANKED if is_personal(part) else part for part in match["path"].split("/"))
    return f"{match['start']}{host}{path}{_parameters(match['rest'], is_personal)}"


def _parameters(rest: str, is_personal: Callable[[str], bool]) -> str:
    """Query and fragment: `a=1&email=x%40y.z#top` with the value of `email` blanked."""
    if not rest:
        return rest
    parts = re.split(r"([?&;#])", rest)
    return "".join(_blank(part, is_personal) if is_personal(part) else part for part in parts)


def _blank(parameter: str, is_personal: Callable[[str], bool]) -> str:
    name, equals, _ = parameter.partition("=")
    return f"{name}={_BLANKED}" if equals and not is_personal(name) else _BLANKED
