"""The compiled rules decide like the naive reading of the same YAML, for rules and events nobody thought of."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings, strategies as st

from proxy.errors import ConfigError
from proxy.event import ClickId, Client, Data, Event, Item, Page, User, Visitor, encode_json
from proxy.rules.compile import compile_rules

DESTINATIONS = ("a", "b", "c")
NAMES = ("page_view", "purchase", "lead", "MyOwn", "Order Completed")
WORDS = ("x", "y", "xy", "de", "1", "42")
CUSTOM = ("custom.k", "custom.l")
URLS = (None, "https://shop.example/x", "https://WWW.shop.example/xy/?q=x&p=y", "https://shop.example?q=de#x")

words, names = st.sampled_from(WORDS), st.sampled_from(NAMES)
amounts = st.sampled_from([0, 1, 42, 99.5, 100, "100.00"])
free = st.one_of(
    words, st.sampled_from([1, 42, 0.5, True]), st.lists(st.sampled_from(["x", 42]), min_size=1, max_size=2)
)
maybe_amounts = st.none() | st.sampled_from(list(map(Decimal, ("0", "1", "42", "99.5", "100", "100.00"))))


def lists_of(strategy):
    return strategy | st.lists(strategy, min_size=1, max_size=2, unique=True)


texts = st.one_of(
    lists_of(words),
    st.builds(
        lambda name, arg: {name: arg}, st.sampled_from(["starts_with", "ends_with", "contains"]), lists_of(words)
    ),
    st.builds(lambda arg: {"matches": f"^{arg}"}, words),
    st.sampled_from([{"present": True}, {"present": False}, {"absent": True}, {"absent": False}]),
)
orders = st.builds(
    lambda name, bound: {name: bound}, st.sampled_from(["at_least", "at_most", "above", "below"]), amounts
)
flat_conditions = st.fixed_dictionaries(
    {},
    optional={
        "event": lists_of(names) | st.builds(lambda arg: {"starts_with": arg}, st.sampled_from(["P", "my", "l"])),
        "value": lists_of(amounts.filter(lambda amount: amount != 100)) | orders,
        "currency": st.sampled_from(["EUR", "usd"]),
        "user.email": texts,
        "custom.k": texts | orders | st.sampled_from([1, True]),
        "page.path": texts,
        "page.host": st.sampled_from(["shop.example", "WWW.shop.example"]),
        "page.query.q": texts,
        "client.ip": st.sampled_from([{"in_network": "203.0.113.0/24"}, {"in_network": ["2001:db8::/32"]}]),
        "any_item": st.fixed_dictionaries({}, optional={"id": texts, "price": orders}).filter(bool),
    },
).filter(bool)
conditions = st.recursive(
    flat_conditions,
    lambda inner: st.one_of(
        st.builds(
            lambda name, parts: {name: parts}, st.sampled_from(["any", "all"]), st.lists(inner, min_size=1, max_size=2)
        ),
        st.builds(lambda part: {"not": part}, inner),
        st.builds(lambda part, more: {**more, "not": part}, inner, flat_conditions),
    ),
    max_leaves=4,
)
puts = st.fixed_dictionaries(
    {},
    optional={
        "custom.k": st.one_of(
            words, st.just("${custom.l}"), st.just("${value}"), st.just("<${page.host}>-${custom.l}")
        ),
        "custom.l": st.sampled_from([7, "de"]),
        "currency": st.just("chf"),
        "user.email": st.sampled_from(["e@x.example", ["e@x.example", "x"]]),
        "page.title": st.sampled_from(["x", "${order_id}"]),
        "value": st.sampled_from([5, "5.5", "${tax}"]),
    },
).filter(bool)
fills = st.fixed_dictionaries(
    {}, optional={"custom.k": words | st.just("${custom.l}"), "currency": st.just("chf"), "value": amounts}
).filter(bool)
removable = ["custom.k", "custom.*", "user.*", "value", "currency", "user.email", "page.*", "click_ids.*", "visitor.id"]
picks = st.lists(st.sampled_from(removable), min_size=1, max_size=3, unique=True)
changes = {
    "set": puts,
    "default": fills,
    "remove": picks,
    "only": picks,
    "rename": st.sampled_from([{"custom.k": "custom.l"}, {"custom.k": "custom.l", "custom.l": "custom.k"}]),
}
shares = st.sampled_from([0.2, 0.5, 1])
pers = st.sampled_from(["per_order", "per_visitor"])
targets = st.sampled_from(DESTINATIONS) | st.fixed_dictionaries(
    {"destination": st.sampled_from(DESTINATIONS)},
    optional={"as": st.sampled_from(["Big", "purchase", "MyOwn"]), "sample": shares, "once": pers, **changes},
)


def is_unique(entries):
    keys = [(e, None) if isinstance(e, str) else (e["destination"], e.get("as")) for e in entries]
    return len(set(keys)) == len(keys)


sends = st.lists(targets, min_size=1, max_size=3).filter(is_unique)
event_sets = st.fixed_dictionaries({"event": st.sampled_from(["purchase", "Lead", "MyOwn", "brand new"])})
rules_lists = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {"send_to": sends}, optional={"when": conditions, "sample": shares, "once": pers, **changes}
        ),
        st.fixed_dictionaries({"set": event_sets}, optional={"when": conditions, "send_to": sends}),
        st.fixed_dictionaries({"drop": st.just(True), "when": conditions}),
    ),
    max_size=5,
).map(lambda rules: [{"name": f"r{at}", **rule} for at, rule in enumerate(rules)])

events = st.builds(
    Event,
    id=st.sampled_from(["1", "2", "3"]),
    name=st.sampled_from(["page_view", "purchase", "lead", "MyOwn", "myown", "other"]),
    time=st.just(1),
    page=st.builds(Page, url=st.sampled_from(URLS), title=st.none() | words),
    visitor=st.none() | st.builds(Visitor, id=st.sampled_from(["v", "w", "z"]), first_seen=st.just(1)),
    click_ids=st.sampled_from([{}, {"gclid": ClickId(value="x", clicked_at=1)}]),
    user=st.builds(User, email=st.lists(words, max_size=2).map(tuple), city=st.none() | words),
    data=st.builds(
        Data,
        value=maybe_amounts,
        tax=maybe_amounts,
        currency=st.sampled_from([None, "EUR", "USD"]),
        order_id=st.none() | words,
        items=st.lists(st.builds(Item, id=st.none() | words, price=maybe_amounts), max_size=2).map(tuple),
    ),
    custom=st.dictionaries(st.sampled_from(["k", "l"]), free, max_size=2),
    client=st.builds(Client, ip=st.sampled_from([None, "203.0.113.7", "2001:db8::7", "198.51.100.1"])),
)


CONTRADICTIONS = ("no event can have", "cannot be absent", "is already taken", "is between", "is set twice")


def possible(rules):
    """Compiled, or None: some random rules contradict themselves. Any other fault is a failure."""
    try:
        return compile_rules(rules, DESTINATIONS)
    except ConfigError as error:
        if all(any(words in fault.message for words in CONTRADICTIONS) for fault in error.faults):
            return None
        raise


@settings(max_examples=400)
@given(rules=rules_lists, events=st.lists(events, min_size=1, max_size=3))
def test_compiled_rules_decide_like_the_naive_reading(reference, rules, events):
    compiled = possible(rules)
    for event in events if compiled else ():
        before = encode_json(event)
        decision = compiled.decide(event)
        routes, dropped_by = reference.decide(rules, event)
        got = [(route.destination, reference.flatten(route.event), route.rules) for route in decision.routes]
        assert (got, decision.dropped_by) == ([route[:3] for route in routes], dropped_by)
        for route, (*_, once) in zip(decision.routes, routes, strict=True):
            assert (route.once and (route.once.per, route.once.rule)) == (once and once[:2])
            assert once is None or route.once.key.endswith(f"{route.event.name}{once[2]}")
        assert encode_json(event) == before, "a decision changed its event"
        traced = compiled.decide(event, trace=True)
        assert (traced.routes, traced.dropped_by) == (decision.routes, decision.dropped_by)
        assert compiled.decide(event) == decision
