"""An event marked as a bot's goes nowhere but where a rule asks for bots."""

import pytest

from proxy.event import Consent, ConsentState, Event, replace
from proxy.log.base import Entry
from proxy.relay.plan import SkipReason, plan
from proxy.rules.compile import compile_rules

PERSON = Event(id="v-1", name="page_view", time=1_790_000_000_000, consent=Consent(marketing=ConsentState.GRANTED))
BOT = replace(PERSON, bot="crawler")


def sent(rules, event):
    routes = compile_rules(rules, ("meta", "crm")).decide(event).routes
    return [(route.destination, route.rules) for route in routes]


@pytest.mark.parametrize(
    "when",
    [
        {},
        {"event": "page_view"},
        {"not": {"bot": "automation"}},
        {"bot": {"absent": True}},
        {"any": [{"bot": "crawler"}, {"event": "page_view"}]},
    ],
)
def test_a_rule_that_would_send_a_person_does_not_ask_for_bots(when):
    rule = {"send_to": ["meta"], **({"when": when} if when else {})}
    assert sent([rule], BOT) == []


@pytest.mark.parametrize(
    "when",
    [
        {"bot": "crawler"},
        {"bot": {"present": True}},
        {"event": "page_view", "bot": ["automation", "crawler"]},
        {"not": {"bot": {"absent": True}}},
    ],
)
def test_a_rule_that_asks_gets_them_and_no_person(when):
    rules = [{"name": "all", "send_to": ["meta"]}, {"name": "bots", "when": when, "send_to": ["crm"]}]
    assert sent(rules, BOT) == [("crm", ("bots",))]
    assert sent(rules, PERSON) == [("meta", ("all",))]


def test_another_kind_of_bot_is_not_asked_for():
    assert sent([{"when": {"bot": "automation"}, "send_to": ["crm"]}], BOT) == []


def test_without_rules_bots_go_nowhere():
    assert sent(None, BOT) == []
    assert len(sent(None, PERSON)) == 2


def test_a_drop_still_drops():
    rules = [{"when": {"event": "page_view"}, "drop": True}, {"when": {"bot": "crawler"}, "send_to": ["crm"]}]
    assert sent(rules, BOT) == []


def test_the_plan_says_why(webhook):
    skipped = plan(webhook, [Entry(seq=1, stored_at_ms=0, event=BOT)], compile_rules(None, ("crm",)).decide, BOT.time)
    (skip,) = skipped.skips
    assert (skip.reason, skip.detail) == (SkipReason.BOT, "bot: crawler; no rule asks for it (`when: {bot: …}`)")


@pytest.fixture
def webhook():
    from proxy.destinations.webhook import Webhook

    settings = Webhook.Settings(kind="webhook", url="https://crm.example/in", secret="s3cret-s3cret")
    return Webhook("crm", settings)
