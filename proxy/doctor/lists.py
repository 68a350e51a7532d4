"""Asks block lists in the Adblock Plus syntax (EasyPrivacy, AdGuard, uBlock) about an address. Pure; reads no file.

Only what can block a first-party request is read: network rules and their exceptions with `domain=`, party and type
options. Rules in regular expressions run in RE2, so none can hang. What is not understood is left out, and counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

_TYPES = {  # the options' names -> ours
    "script": "script",
    "xmlhttprequest": "events",
    "xhr": "events",
    "ping": "events",
    "beacon": "events",
    "image": "image",
}
_OTHER_TYPES = frozenset(
    "stylesheet css object subdocument frame websocket webrtc font media popup document doc other elemhide generichide "
    "ghide ehide specifichide shide genericblock inline-script inline-font popunder object-subrequest".split()
)
_HARMLESS = frozenset({"important", "match-case", "all", "~third-party", "~3p", "first-party", "1p", "strict1p"})
_COSMETIC = re.compile(r"#[@?$%]{0,3}#|\$\$")
_LITERALS = re.compile(r"[^*^|]+")
_SHORTEST_RULE = 3


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    text: str
    pattern: str  # a regular expression
    literal: str  # lower case; what every address it hits contains
    is_exception: bool
    kinds: frozenset[str]
    on: tuple[str, ...] = ()  # page domains it is limited to
    not_on: tuple[str, ...] = ()


def rules(lines: Iterable[str]) -> Iterator[Rule]:
    """The rules that could hit a first-party script, event post or image."""
    for line in lines:
        rule = _rule(line.strip())
        if rule is not None:
            yield rule


def blocking(found: Iterable[Rule], url: str, kind: str, page_host: str) -> str | None:
    """The first rule that blocks `url` asked for as `kind` by a page of `page_host`, unless an exception covers it."""
    hits = [rule for rule in found if _applies(rule, url, kind, page_host)]
    if any(rule.is_exception for rule in hits):
        return None
    return next((rule.text for rule in hits), None)


def _rule(line: str) -> Rule | None:
    if len(line) < _SHORTEST_RULE or line[0] in "![" or _COSMETIC.search(line):
        return None
    body = line.removeprefix("@@")
    pattern, options = _split(body)
    read = _options(options)
    if read is None or not pattern.strip("*"):
        return None
    kinds, on, not_on = read
    if pattern.startswith("/") and pattern.endswith("/") and len(pattern) > 1:
        expression, literal = pattern[1:-1], ""
    else:
        expression = _expression(pattern)
        literal = max(_LITERALS.findall(pattern), key=len, default="").lower()
    return Rule(
        text=line,
        pattern=expression,
        literal=literal,
        is_exception=body != line,
        kinds=kinds,
        on=on,
        not_on=not_on,
    )


def _split(body: str) -> tuple[str, list[str]]:
    """Pattern and options; a `$` inside a regular expression belongs to it."""
    if body.startswith("/") and body.endswith("/"):
        return body, []
    pattern, dollar, options = body.rpartition("$")
    if not dollar or "/" in options.partition("=")[0]:
        return body, []
    return pattern, [option.strip().lower() for option in options.split(",")]


def _options(options: list[str]) -> tuple[frozenset[str], tuple[str, ...], tuple[str, ...]] | None:
    """Kinds, domains it is for, domains it is not for; None when the rule cannot concern us or is not understood."""
    every = frozenset(_TYPES.values())
    wanted: set[str] = set()
    unwanted: set[str] = set()
    on: list[str] = []
    not_on: list[str] = []
    names_types = False
    for option in options:
        name, _, value = option.partition("=")
        if name in ("domain", "from"):
            for domain in value.split("|"):
                (not_on if domain.startswith("~") else on).append(domain.removeprefix("~"))
        elif name in _TYPES:
            names_types = True
            wanted.add(_TYPES[name])
        elif name.startswith("~") and name[1:] in _TYPES:
            unwanted.add(_TYPES[name[1:]])
        elif name in _OTHER_TYPES:
            names_types = True
        elif name.startswith("~") and name[1:] in _OTHER_TYPES:
            continue
        elif name not in _HARMLESS:
            return None  # third-party only, removeparam, redirect, csp, … : does not block a first-party request
    kinds = (frozenset(wanted) if names_types else every) - unwanted
    return (kinds, tuple(on), tuple(not_on)) if kinds else None


def _expression(pattern: str) -> str:
    start = end = ""
    if pattern.startswith("||"):
        pattern, start = pattern[2:], r"^[a-z][a-z0-9+.-]*://(?:[^/?#]+\.)?"
    elif pattern.startswith("|"):
        pattern, start = pattern[1:], "^"
    if pattern.endswith("|"):
        pattern, end = pattern[:-1], "$"
    special = {"*": ".*", "^": r"(?:[^A-Za-z0-9_.%-]|$)"}
    return start + "".join(special.get(letter) or re.escape(letter) for letter in pattern) + end


def _applies(rule: Rule, url: str, kind: str, page_host: str) -> bool:
    if kind not in rule.kinds or rule.literal not in url.lower():
        return False
    if rule.on and not any(_is_under(page_host, domain) for domain in rule.on):
        return False
    if any(_is_under(page_host, domain) for domain in rule.not_on):
        return False
    return _search(rule.pattern, url)


def _is_under(host: str, domain: str) -> bool:
    return host == domain or host.endswith(f".{domain}")


def _search(pattern: str, url: str) -> bool:
    import re2  # type: ignore[import-untyped]  # noqa: PLC0415 - only when lists are asked, as with `matches:` in rules

    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    try:
        return re2.compile(pattern, options).search(url) is not None
    except re2.error:  # look-around and back-references: not ours to decide
        return False
