"""The rules, read as naively as possible: no compiling, no index, no structs. Slow on purpose.

An event is a flat dict {path: value} here, changed in place on a copy. Judges the compiled rules in
`test_against_reference.py` and stands beside them in `tests/bench/rules.py`. Knows the valid language only.
"""

from __future__ import annotations

import copy
import hashlib
import ipaddress
import re
from decimal import Decimal
from urllib.parse import parse_qsl, urlsplit

import msgspec

from proxy.event import Event
from proxy.vocabulary import canonical

DATA = {
    "value", "currency", "order_id", "items", "search_term", "coupon", "shipping", "tax", "status", "num_items",
    "content_ids", "content_type",
}  # fmt: skip
NUMBERS = {"data.value", "data.shipping", "data.tax", "data.num_items", "price", "quantity"}
LISTS = {"user.email", "user.phone", "user.external_id", "data.content_ids"}
ALWAYS = ("id", "event", "time", "source", "action_source", "debug", "consent.")


def flatten(event: Event) -> dict:
    flat = {"event": event.name, "id": event.id, "time": event.time}
    flat |= {"source": event.source, "action_source": event.action_source, "debug": event.debug}
    for section in ("page", "user", "data", "client", "consent", "visitor"):
        struct = getattr(event, section)
        if struct is not None:
            flat |= {f"{section}.{key}": value for key, value in msgspec.structs.asdict(struct).items()}
    flat.pop("visitor.first_seen", None)
    flat |= {f"custom.{key}": value for key, value in event.custom.items()}
    flat |= {f"browser_ids.{key}": value for key, value in event.browser_ids.items()}
    flat |= {f"click_ids.{key}": click.value for key, click in event.click_ids.items()}
    return {key: value for key, value in flat.items() if value not in (None, "", (), [])}


def full(name: str) -> str:
    return f"data.{name}" if name in DATA else name


def read(flat: dict, name: str):
    path = full(name)
    url = flat.get("page.url", "")
    if path == "page.host":
        return urlsplit(url).hostname
    if path == "page.path":
        return (urlsplit(url).path or "/") if url else None
    if path.startswith("page.query."):
        wanted = path.removeprefix("page.query.")
        pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True)
        return next((value for key, value in pairs if key == wanted), None)
    return flat.get(path)


def word(value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float, Decimal)):
        text = format(Decimal(str(value)), "f")
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return "0" if text == "-0" else text
    return str(value)


def holds(flat: dict, when: dict, item: bool = False) -> bool:
    for key, given in when.items():
        wanted = given
        if key == "any":
            good = any(holds(flat, one, item) for one in wanted)
        elif key == "all":
            good = all(holds(flat, one, item) for one in wanted)
        elif key == "not":
            good = not holds(flat, wanted, item)
        elif key == "any_item":
            items = [msgspec.structs.asdict(one) for one in flat.get("data.items", ())]
            good = any(holds({k: v for k, v in one.items() if v is not None}, wanted, True) for one in items)
        else:
            if not isinstance(wanted, dict):
                wanted = {"one_of" if isinstance(wanted, list) else "equals": wanted}
            value = flat.get(key) if item else read(flat, key)
            good = all(compare(key if item else full(key), value, name, argument) for name, argument in wanted.items())
        if not good:
            return False
    return True


def compare(path: str, value, name: str, argument) -> bool:
    there = value not in (None, "", (), [])
    if name in ("present", "absent"):
        return there == (argument == (name == "present"))
    if not there:
        return False
    arguments = argument if isinstance(argument, list) else [argument]
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    return any(one(path, each, name, single) for each in values for single in arguments)


def one(path: str, value, name: str, argument) -> bool:
    if isinstance(value, dict):
        return False
    if name in ("at_least", "at_most", "above", "below"):
        number = numeric(value)
        if number is None:
            return False
        bound = Decimal(str(argument))
        return {
            "at_least": number >= bound,
            "at_most": number <= bound,
            "above": number > bound,
            "below": number < bound,
        }[name]
    if name == "in_network":
        try:
            address = ipaddress.ip_address(value)
        except ValueError:
            return False
        return address in ipaddress.ip_network(argument)
    if path in NUMBERS:
        return numeric(value) == Decimal(str(argument))
    left, right = word(value), word(argument)
    if path == "event" and name in ("equals", "one_of"):
        left, right = canonical(left).lower(), canonical(right).lower()
    elif path in ("event", "page.host"):
        left, right = left.lower(), right.lower()
    elif path == "data.currency":
        right = right.upper()
    return {
        "equals": left == right,
        "one_of": left == right,
        "starts_with": left.startswith(right),
        "ends_with": left.endswith(right),
        "contains": right in left,
        "matches": name == "matches" and re.search(right, left) is not None,
    }[name]


def numeric(value):
    try:
        return None if isinstance(value, bool) else Decimal(str(value))
    except ArithmeticError:
        return None


def matches_name(path: str, pattern: str) -> bool:
    return path.startswith(pattern[:-1]) if pattern.endswith("*") else path == full(pattern)


def typed(path: str, value):
    if path in NUMBERS:
        return Decimal(str(value))
    if path in LISTS:
        return tuple(map(word, value if isinstance(value, list) else [value]))
    if path == "data.currency":
        return value.upper()
    if path == "event":
        return canonical(value)
    return value if path.startswith("custom.") else word(value)


def change(flat: dict, rule: dict) -> dict:
    before, after = flat, copy.copy(flat)
    if "only" in rule:
        for path in flat:
            if not path.startswith(ALWAYS) and not any(matches_name(path, name) for name in rule["only"]):
                del after[path]
    moved = {}
    for old, new in rule.get("rename", {}).items():
        value = before.get(full(old))
        if value is not None:
            after.pop(full(old), None)
            moved[full(new)] = value
    for name in rule.get("remove", []):
        for path in list(after):
            if matches_name(path, name):
                del after[path]
    after |= moved
    for name, value in rule.get("set", {}).items():
        filled = fill(before, value) if isinstance(value, str) and "${" in value else value
        if filled is not None:
            after[full(name)] = typed(full(name), filled)
    for name, value in rule.get("default", {}).items():
        filled = fill(before, value) if isinstance(value, str) and "${" in value else value
        if filled is not None and full(name) not in after:
            after[full(name)] = typed(full(name), filled)
    return after


def fill(flat: dict, template: str):
    names = re.findall(r"\$\{(.*?)\}", template)
    found = {name: read(flat, name) for name in names}
    if any(part in (None, "", (), []) or isinstance(part, dict) for part in found.values()):
        return None
    if template == f"${{{names[0]}}}":
        return found[names[0]]
    for name, part in found.items():
        template = template.replace(f"${{{name}}}", word(part[0] if isinstance(part, (tuple, list)) else part))
    return template


def share(flat: dict) -> float:
    key = flat.get("visitor.id", flat["id"])
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big") / 2**64


def decide(rules: list[dict], event: Event):
    """(routes, dropped_by): routes are (destination, flat event, names of rules, (once, rule, whose)), in order."""
    flat = flatten(event)
    routes: dict[tuple[str, str], tuple[dict, list[str], tuple | None]] = {}
    for rule in rules:
        if not holds(flat, rule.get("when", {})):
            continue
        if rule.get("drop"):
            return [], rule["name"]
        if share(flat) >= rule.get("sample", 1.1):
            return listed(routes), None if routes else rule["name"]
        came, flat = flat, change(flat, rule)
        for given in rule.get("send_to", []):
            target = {"destination": given} if isinstance(given, str) else given
            key = (target["destination"], target.get("as", flat["event"]))
            if key in routes:
                routes[key][1].extend([rule["name"]] if rule["name"] not in routes[key][1] else [])
            elif share(flat) < target.get("sample", 1.1):
                shaped = {**change(flat, target), "event": key[1]}
                per = target.get("once", rule.get("once"))
                path = {"per_order": "data.order_id", "per_visitor": "visitor.id"}.get(per)
                whose = flat.get(path) or came.get(path)
                routes[key] = (shaped, [rule["name"]], (per, rule["name"], whose) if whose else None)
    return listed(routes), None


def listed(routes) -> list:
    return [(destination, flat, tuple(names), once) for (destination, _), (flat, names, once) in routes.items()]
