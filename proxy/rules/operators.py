"""What a field can be compared with: `{at_least: 100}`, `{starts_with: /checkout}`, and what each means per kind.

Each operator becomes one closure over a typed value, made at load. Comparisons with an absent field are false, except
`absent: true` and `present: false`. Text is compared exactly; names of events and hosts without regard to case.
Patterns are RE2: linear in the text, bounded in memory, so no value a sender chooses can make them slow.
"""

from __future__ import annotations

import operator
import socket
from collections.abc import Callable, Sequence
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

import msgspec

from proxy.rules.fields import Field
from proxy.rules.values import Kind, Unfit, event_name, is_absent, number, parse, scalars

Test = Callable[[Any], bool]


class Compared(msgspec.Struct, frozen=True):
    """One operator on one field: `test(subject)`, and `say`, what is wanted, in words ("at least 100")."""

    test: Test
    say: str
    names: frozenset[str] | None = None  # the only event names it can hold for; None: any


TEXTUAL = frozenset({Kind.NAME, Kind.TEXT, Kind.FREE})
ORDERED = frozenset({Kind.NUMBER, Kind.WHOLE, Kind.FREE})
COMPARABLE = frozenset(Kind) - {Kind.ITEMS}

ALLOWED: dict[str, frozenset[Kind]] = {
    "equals": COMPARABLE,
    "one_of": COMPARABLE,
    "at_least": ORDERED,
    "at_most": ORDERED,
    "above": ORDERED,
    "below": ORDERED,
    "starts_with": TEXTUAL,
    "ends_with": TEXTUAL,
    "contains": TEXTUAL,
    "matches": TEXTUAL,
    "in_network": frozenset({Kind.ADDRESS}),
    "present": frozenset(Kind),
    "absent": frozenset(Kind),
}
"""Operator -> the kinds of field it can be asked of."""

LISTS = frozenset({"equals", "one_of", "starts_with", "ends_with", "contains", "matches", "in_network"})
"""Operators that take a list, meaning "one of these"."""

ORDERING: dict[str, tuple[Callable[[Decimal, Decimal], bool], str]] = {
    "at_least": (operator.ge, "at least"),
    "at_most": (operator.le, "at most"),
    "above": (operator.gt, "above"),
    "below": (operator.lt, "below"),
}


def argument(field: Field, name: str, raw: Any) -> Any:
    """One (non-list) argument of operator `name`, typed; raises `Unfit`."""
    if name in ("present", "absent"):
        if not isinstance(raw, bool):
            raise Unfit("true or false")
        return raw
    if name in ORDERING:
        return parse(Kind.NUMBER, raw)
    if name == "in_network":
        return _network(raw)
    if name == "matches":
        return _pattern(raw, fold=field.fold)
    if name in ("equals", "one_of"):
        if field.kind is Kind.NAME:
            return event_name(parse(field.kind, raw))
        value = parse(field.kind, raw, field.choices)
        return value.lower() if field.fold else value
    value = parse(Kind.TEXT, raw)
    return value.lower() if field.fold else value


def compare(field: Field, name: str, wanted: Sequence[Any], said: Sequence[str]) -> Compared:
    """The closure for operator `name` with its typed arguments; `said` is how the operator wrote them."""
    if name in ("present", "absent"):
        is_present = _present(field)
        if wanted[0] == (name == "present"):
            return Compared(is_present, "present")
        return Compared(lambda subject: not is_present(subject), "absent")
    words = " or ".join(said)
    if name in ("equals", "one_of"):
        names = frozenset(wanted) if field.kind is Kind.NAME else None
        return Compared(_equal(field, wanted), words, names)
    if name in ORDERING:
        holds, verb = ORDERING[name]
        return Compared(_ordered(field, holds, wanted[0]), f"{verb} {words}")
    if name == "in_network":
        return Compared(_in_network(field, wanted), f"in {words}")
    if name == "matches":
        return Compared(_each(field, _searcher(wanted)), f"matching {words}")
    if name == "contains":
        parts = tuple(wanted)
        return Compared(_each(field, lambda value: any(part in value for part in parts)), f"containing {words}")
    ends = tuple(wanted)
    if name == "starts_with":
        return Compared(_each(field, lambda value: value.startswith(ends)), f"starting with {words}")
    return Compared(_each(field, lambda value: value.endswith(ends)), f"ending with {words}")


def _present(field: Field) -> Test:
    get = field.get
    return lambda subject: not is_absent(get(subject))


def _equal(field: Field, wanted: Sequence[Any]) -> Test:
    get, options = field.get, frozenset(wanted)
    if field.kind is Kind.FREE:
        return lambda subject: not options.isdisjoint(scalars(get(subject)))
    if field.many:
        return lambda subject: not options.isdisjoint(get(subject))
    if len(options) == 1:
        (only,) = options
        return lambda subject: bool(get(subject) == only)
    return lambda subject: get(subject) in options


def _ordered(field: Field, holds: Callable[[Decimal, Decimal], bool], bound: Decimal) -> Test:
    get = field.get
    if field.kind is Kind.FREE:

        def free(subject: Any) -> bool:
            value = get(subject)
            many = value if isinstance(value, (list, tuple)) else (value,)
            return any(holds(found, bound) for found in map(number, many) if found is not None)

        return free

    def known(subject: Any) -> bool:
        value = get(subject)
        return value is not None and holds(value, bound)

    return known


def _each(field: Field, check: Callable[[str], bool]) -> Test:
    """`check` on the text, or on any text of several."""
    get = field.get
    if field.kind is Kind.FREE:
        return lambda subject: any(map(check, scalars(get(subject))))
    if field.many:
        return lambda subject: any(map(check, get(subject)))

    def one(subject: Any) -> bool:
        value = get(subject)
        return value is not None and check(value)

    return one


def _pattern(raw: Any, *, fold: bool) -> Any:
    source = parse(Kind.TEXT, raw)
    import re2  # type: ignore[import-untyped]  # noqa: PLC0415 - no stubs; 20 ms that only patterns cost

    options = re2.Options()
    options.log_errors = False
    options.max_mem = PATTERN_BYTES
    options.case_sensitive = not fold
    try:
        return re2.compile(source, options)
    except re2.error as error:
        said = error.args[0] if error.args else ""
        reason = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise Unfit(f"an RE2 pattern ({reason})") from None


PATTERN_BYTES = 1 << 20
"""Memory one pattern may take; a larger one is refused at load."""


def _searcher(patterns: Sequence[Any]) -> Callable[[str], bool]:
    def found(value: str) -> bool:
        try:
            return any(pattern.search(value) is not None for pattern in patterns)
        except UnicodeEncodeError:  # half a surrogate pair, from a sender that cut a text: matches nothing
            return False

    return found


def _network(raw: Any) -> IPv4Network | IPv6Network:
    written = parse(Kind.TEXT, raw)
    try:
        return ip_network(written)
    except ValueError:
        pass
    try:
        meant = ip_network(written, strict=False)
    except ValueError:
        raise Unfit("a network such as 203.0.113.0/24") from None
    raise Unfit("a network without bits set behind its prefix", f"did you mean '{meant}'?")


def _in_network(field: Field, wanted: Sequence[IPv4Network | IPv6Network]) -> Test:
    get = field.get
    nets = tuple((net.version, int(net.netmask), int(net.network_address)) for net in wanted)

    def inside(subject: Any) -> bool:
        address = _address(get(subject))
        if address is None:
            return False
        version, bits = address
        return any(version == of and bits & mask == base for of, mask, base in nets)

    return inside


def _address(raw: str | None) -> tuple[int, int] | None:
    """(4 or 6, the address as a number); an IPv4 address in IPv6 clothes counts as IPv4; None when it is none."""
    if not raw:
        return None
    family = socket.AF_INET6 if ":" in raw else socket.AF_INET
    try:
        packed = socket.inet_pton(family, raw)
    except (OSError, ValueError):
        return None
    packed = packed.removeprefix(_MAPPED)
    return (6 if len(packed) > _V4_BYTES else 4, int.from_bytes(packed))


_MAPPED = bytes(10) + b"\xff\xff"
_V4_BYTES = 4


def describe(field: Field, subject: Any, wanted: str) -> str:
    """Why the field is not what was wanted, in words; personal values are not shown."""
    value = field.get(subject)
    if is_absent(value):
        return f"{field.path} is absent" + ("" if wanted == "present" else f", not {wanted}")
    if field.personal:
        return f"{field.path} is not {wanted}"
    if field.kind is Kind.ITEMS:
        return f"{field.path} holds {len(value)} item(s), not {wanted}"
    return f"{field.path} is {', '.join(scalars(value)) or 'a mapping'}, not {wanted}"
