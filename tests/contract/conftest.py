"""Valid Events of every shape (what JSON can carry), as hypothesis makes them: what the log may hand to a destination."""

from decimal import Decimal

import pytest
from hypothesis import strategies as st

from proxy.event import ActionSource, ClickId, Client, Consent, ConsentState, Data, Event, Item, Page, User, Visitor
from proxy.identity.hashing import sha256_hex
from proxy.vocabulary import CANONICAL

NOW_MS = 1_790_000_000_000
CLICK_IDS = [
    "fbclid",
    "gclid",
    "gbraid",
    "wbraid",
    "ttclid",
    "sccid",
    "epik",
    "msclkid",
    "li_fat_id",
    "rdt_cid",
    "twclid",
]
BROWSER_IDS = ["fbp", "fbc", "ttp", "scid", "ga_client_id", "ga_session_id", "uetvid", "lead_id", "subscription_id"]

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
maybe_text = st.none() | text
emails = st.from_regex(r"\A[a-z0-9]{3,12}(\+[a-z]{1,5})?@[a-z0-9]{2,9}\.(example|test)\Z")
# The prefix stands in no other generated value, so finding one in a request means that it leaked.
phones = st.integers(10**6, 10**8).map(lambda number: f"+44 20 {number}")
times_ms = st.integers(NOW_MS - 6 * 86_400_000, NOW_MS + 86_400_000)
money = st.decimals(allow_nan=False, allow_infinity=False) | st.decimals(0, 10_000, places=2)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text
)
custom = st.dictionaries(
    text, scalars | st.lists(scalars, max_size=3) | st.dictionaries(text, scalars, max_size=2), max_size=4
)

pages = st.builds(
    Page,
    url=st.sampled_from(["https://shop.example/thanks?a=1#x", "https://shop.example/ü"]) | maybe_text,
    referrer=st.just("https://shop.example/pay") | maybe_text,
    title=maybe_text,
    language=st.just("en-GB") | maybe_text,
    screen=maybe_text,
    viewport=maybe_text,
)
users = st.builds(
    User,
    email=st.lists(emails | emails.map(str.upper) | emails.map(sha256_hex) | text, max_size=3).map(tuple),
    phone=st.lists(phones | phones.map(sha256_hex) | text, max_size=3).map(tuple),
    external_id=st.lists(text, max_size=2).map(tuple),
    **dict.fromkeys("first_name last_name street city state zip country gender birth_date".split(), maybe_text),
)
items = st.builds(
    Item,
    id=maybe_text,
    name=maybe_text,
    brand=maybe_text,
    category=maybe_text,
    variant=maybe_text,
    price=st.none() | money,
    quantity=st.none() | st.integers(-3, 2**40),
)
facts = st.builds(
    Data,
    value=st.none() | money,
    currency=st.just("EUR") | maybe_text,
    order_id=maybe_text,
    items=st.lists(items, max_size=3).map(tuple),
    search_term=maybe_text,
    coupon=maybe_text,
    shipping=st.none() | money,
    tax=st.none() | money,
    predicted_ltv=st.none() | money,
    net_revenue=st.none() | money,
    status=maybe_text,
    num_items=st.none() | st.integers(0, 1000),
    content_ids=st.lists(text, max_size=2).map(tuple),
    content_type=maybe_text,
    content_name=maybe_text,
    content_category=maybe_text,
    delivery_category=maybe_text,
    description=maybe_text,
)
clients = st.builds(
    Client,
    ip=st.sampled_from(["203.0.113.9", "2001:db8::1", "10.0.0.1"]) | maybe_text,
    user_agent=st.just("Mozilla/5.0") | maybe_text,
    mobile=st.none() | st.booleans(),
    platform=maybe_text,
)
clicks = st.builds(ClickId, value=st.from_regex(r"\A[A-Za-z0-9_-]{1,30}\Z") | text, clicked_at=st.integers(0, NOW_MS))
states = st.sampled_from(ConsentState)


@pytest.fixture(scope="session")
def now_ms():
    return NOW_MS


@pytest.fixture(scope="session")
def events():
    return st.builds(
        Event,
        id=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40),
        name=st.sampled_from(sorted(CANONICAL))
        | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40),
        time=times_ms,
        action_source=st.sampled_from([ActionSource.WEBSITE] * 4 + list(ActionSource)),
        page=pages,
        visitor=st.none() | st.builds(Visitor, id=text.filter(bool), first_seen=times_ms),
        click_ids=st.dictionaries(st.sampled_from(CLICK_IDS), clicks, max_size=3),
        browser_ids=st.dictionaries(st.sampled_from(BROWSER_IDS), st.just("fb.1.1790000000000.123") | text, max_size=3),
        user=users,
        data=facts,
        custom=custom,
        client=clients,
        consent=st.builds(Consent, marketing=states, analytics=states, personalization=states, sale=states),
    )


@pytest.fixture(scope="session")
def people():
    """Events that carry an e-mail address and a phone number to leak, and money, so that most are sent."""
    return st.builds(
        Event,
        id=st.uuids().map(str),
        name=st.sampled_from(sorted(CANONICAL)),
        time=times_ms,
        page=st.just(Page(url="https://shop.example/thanks")),
        user=st.builds(User, email=st.tuples(emails), phone=st.tuples(phones), first_name=st.just("Zebulon")),
        data=st.just(Data(value=Decimal("59.90"), currency="EUR", order_id="o-1")),
        client=st.just(Client(ip="203.0.113.9", user_agent="Mozilla/5.0")),
    )
