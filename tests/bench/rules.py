"""CPU per event of the compiled rules beside the naive reading of the same YAML: `python tests/bench/rules.py`.

One in five rules matches the event, as in a shop's file; every matching rule sends to one of five destinations.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from decimal import Decimal
from pathlib import Path

from proxy.event import Client, Data, Event, Item, Page, User, Visitor
from proxy.rules.compile import compile_rules

DESTINATIONS = ("meta", "google", "tiktok", "snap", "pinterest")
NAMES = ("purchase", "page_view", "add_to_cart", "lead", "view_content")

EVENT = Event(
    id="o-1001",
    name="purchase",
    time=1_767_268_800_000,
    page=Page(url="https://www.shop.example/checkout/thanks?utm_source=news", title="Thank you"),
    visitor=Visitor(id="0123456789abcdef", first_seen=1_767_000_000_000),
    user=User(email=("ann@shop.example",), country="DE"),
    data=Data(value=Decimal("159.90"), currency="EUR", order_id="o-1001", items=(Item(id="sku-1"), Item(id="sku-2"))),
    custom={"shop": "de"},
    client=Client(ip="198.51.100.7", user_agent="Example/1.0"),
)


def rule(at: int) -> dict:
    extra = (
        {"value": {"at_least": 100}},
        {"currency": ["EUR", "CHF"]},
        {"page.path": {"starts_with": "/checkout"}},
        {"custom.shop": "de"},
        {"user.email": {"present": True}},
    )[at // 5 % 5]
    when = {"event": [NAMES[at % 5]], **extra}
    return {"name": f"rule {at}", "when": when, "send_to": [DESTINATIONS[at // 5 % 5]]}


def reference():
    path = Path(__file__).parent.parent / "rules" / "reference.py"
    spec = importlib.util.spec_from_file_location("rules_reference", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def us_per_call(call, seconds: float) -> float:
    """The quickest of many short batches: what the code costs, not what else the machine does."""
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        for _ in range(BATCH):
            call()
        best = min(best, (time.perf_counter() - start) / BATCH)
    return best * 1e6


BATCH = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="how long to measure each line (about)")
    seconds = parser.parse_args().seconds
    naive = reference()
    sys.stdout.write(f"{'':34}{'compiled':>12}{'naive':>12}{'factor':>9}\n")
    for count in (10, 50):
        listed = [rule(at) for at in range(count)]
        compiled = compile_rules(listed, DESTINATIONS)
        routes = len(compiled.decide(EVENT).routes)
        fast = us_per_call(lambda: compiled.decide(EVENT), seconds)  # noqa: B023 - called before the loop goes on
        slow = us_per_call(lambda: naive.decide(listed, EVENT), seconds)  # noqa: B023
        line(f"{count} rules, {count // 5} for it, {routes} routes", fast, slow)
    none = compile_rules([rule(at) for at in range(50) if at % 5], DESTINATIONS)
    line("40 rules for other events", us_per_call(lambda: none.decide(EVENT), seconds))
    everything = compile_rules(None, DESTINATIONS)
    line("no rules, 5 destinations", us_per_call(lambda: everything.decide(EVENT), seconds))
    shaped = compile_rules(
        [{"name": "r", "set": {"custom.total": "${value}"}, "remove": ["user.phone"], "send_to": ["meta"]}],
        DESTINATIONS,
    )
    line("1 rule with set and remove", us_per_call(lambda: shaped.decide(EVENT), seconds))


def line(what: str, fast: float, slow: float | None = None) -> None:
    more = f"{slow:>9.1f} µs{slow / fast:>8.0f}x" if slow else ""
    sys.stdout.write(f"{what:34}{fast:>9.2f} µs{more}\n")


if __name__ == "__main__":
    main()
