"""One purchase and one lead of a real browser, as each of the seven platforms receives them, to the field."""

import hashlib
from datetime import UTC, datetime
from operator import itemgetter

import pytest

from tests.e2e.conftest import ADDRESS, BROWSER

pytestmark = pytest.mark.e2e

KINDS = ("ga4", "google_ads", "meta", "pinterest", "snapchat", "tiktok", "webhook")
CLICKS = {"fbclid": "IwAR_C", "gclid": "Cj0KC_C", "ttclid": "E.C.P.C", "ScCid": "1f0c-c", "epik": "dj0yC"}
TTP, SCID = "01ARZ3NDEKTSV4RRFFQ69G5FAV_.tt.1", "7f1a0e52-9a0c-4c0b-8e8e-0d6a4b1c2d3e"
TAGS = {
    "_ttp": TTP,
    "_scid": SCID,
    "_ga": "GA1.1.1234567890.1700000000",
    "_ga_TEST12345": "GS2.1.s1700000500$o3$g1$t1700000600$j60$l0$h0",
}


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
async def arrived(world, visitor):
    """What every platform accepted after a visit that clicked ads of five of them: {kind: {"purchase": …, "lead": …}}.

    Beside it the facts a test cannot know: the webhook's copy of the events, which is our own form of them.
    """
    await visitor.add_cookies(
        [{"name": name, "value": value, "domain": ".shop.example", "path": "/"} for name, value in TAGS.items()]
    )
    page = await visitor.new_page()
    await page.goto(f"{world.shop}/?" + "&".join(f"{name}={value}" for name, value in CLICKS.items()))
    await page.click("#accept")
    await page.click("text=Blue mug")
    await page.click("#add")
    await page.click("text=To the cart")
    await page.click("#checkout")
    await page.click("#form button")
    await page.click("text=Contact")
    await page.click("#form button")
    await world.until(lambda: all(len(world.rows(kind)) >= 2 for kind in KINDS if kind != "meta"))
    await world.until(lambda: "Lead" in [row["event_name"] for row in world.rows("meta")])
    found = {kind: world.rows(kind) for kind in KINDS}
    found["meta"] = [row for row in found["meta"] if row["event_name"] in ("Purchase", "Lead")]
    return {kind: dict(zip(("purchase", "lead"), rows, strict=True)) for kind, rows in found.items()}


def user_of(email):
    """The match keys most platforms share, hashed."""
    return {
        "em": [sha256(email)],
        "ph": [sha256("4930123456")],
        "fn": [sha256("ann")],
        "ln": [sha256("example")],
        "ct": [sha256("berlin")],
        "zp": [sha256("10115")],
        "country": [sha256("de")],
        "client_ip_address": ADDRESS,
        "client_user_agent": BROWSER,
    }


def facts(event):
    """Of our own copy: id, Unix seconds, address of the page, referrer, fbc, fbp."""
    page, ids = event["page"], event["browser_ids"]
    return event["id"], event["time"] // 1000, page["url"], page["referrer"], ids["fbc"], ids["fbp"]


def expected(purchase, lead):
    """Whole rows per kind; `purchase` and `lead` are the webhook's copies."""
    order, bought_s, pay_url, pay_from, fbc, fbp = facts(purchase)
    lead_id, asked_s, ask_url, ask_from, _, _ = facts(lead)
    ann, bob = user_of("ann@example.com"), user_of("bob@example.com")
    meta_ids = {"fbc": fbc, "fbp": fbp}
    snap_ids = {"sc_click_id": "1f0c-c", "sc_cookie1": SCID}
    return {
        "meta": {
            "purchase": {
                "event_name": "Purchase",
                "event_time": bought_s,
                "event_id": order,
                "action_source": "website",
                "event_source_url": pay_url,
                "referrer_url": pay_from,
                "user_data": {**ann, **meta_ids},
                "custom_data": {
                    "value": 12.5,
                    "currency": "EUR",
                    "order_id": order,
                    "content_ids": ["mug-blue"],
                    "num_items": 1,
                    "contents": [{"id": "mug-blue", "quantity": 1, "item_price": 12.5, "title": "Blue mug"}],
                },
            },
            "lead": {
                "event_name": "Lead",
                "event_time": asked_s,
                "event_id": lead_id,
                "action_source": "website",
                "event_source_url": ask_url,
                "referrer_url": ask_from,
                "user_data": {**bob, **meta_ids},
                "custom_data": {"value": 5, "currency": "EUR"},
            },
        },
        "snapchat": {
            "purchase": {
                "event_name": "PURCHASE",
                "event_time": bought_s,
                "event_id": order,
                "action_source": "WEB",
                "event_source_url": pay_url,
                "user_data": {**ann, **snap_ids},
                "custom_data": {
                    "currency": "EUR",
                    "value": 12.5,
                    "order_id": order,
                    "num_items": 1,
                    "content_ids": ["mug-blue"],
                    "content_name": "Blue mug",
                    "contents": [{"id": "mug-blue", "quantity": "1", "item_price": "12.5"}],
                },
            },
            "lead": {
                "event_name": "SIGN_UP",
                "event_time": asked_s,
                "event_id": lead_id,
                "action_source": "WEB",
                "event_source_url": ask_url,
                "user_data": {**bob, **snap_ids},
                "custom_data": {"currency": "EUR", "value": 5},
            },
        },
        "pinterest": {
            "purchase": {
                "event_name": "checkout",
                "event_time": bought_s,
                "event_id": order,
                "action_source": "web",
                "event_source_url": pay_url,
                "language": "en",
                "user_data": {**ann, "click_id": "dj0yC"},
                "custom_data": {
                    "currency": "EUR",
                    "value": "12.5",
                    "content_ids": ["mug-blue"],
                    "num_items": 1,
                    "order_id": order,
                    "contents": [{"id": "mug-blue", "item_name": "Blue mug", "item_price": "12.5", "quantity": 1}],
                },
            },
            "lead": {
                "event_name": "lead",
                "event_time": asked_s,
                "event_id": lead_id,
                "action_source": "web",
                "event_source_url": ask_url,
                "language": "en",
                "user_data": {**bob, "click_id": "dj0yC"},
                "custom_data": {"currency": "EUR", "value": "5"},
            },
        },
        "tiktok": {
            "purchase": {
                "event": "Purchase",
                "event_time": bought_s,
                "event_id": order,
                "user": tiktok_user("ann@example.com"),
                "page": {"url": pay_url, "referrer": pay_from},
                "properties": {
                    "currency": "EUR",
                    "value": 12.5,
                    "order_id": order,
                    "num_items": 1,
                    "content_type": "product",
                    "content_ids": ["mug-blue"],
                    "contents": [{"content_id": "mug-blue", "content_name": "Blue mug", "price": 12.5, "quantity": 1}],
                },
            },
            "lead": {
                "event": "Lead",
                "event_time": asked_s,
                "event_id": lead_id,
                "user": tiktok_user("bob@example.com"),
                "page": {"url": ask_url, "referrer": ask_from},
                "properties": {"currency": "EUR", "value": 5},
            },
        },
        "google_ads": {
            "purchase": google_row(purchase, "ann@example.com", "987654321", 12.5),
            "lead": google_row(lead, "bob@example.com", "987654322", 5),
        },
        "ga4": {
            "purchase": ga4_row(
                *(purchase, "purchase"),
                value=12.5,
                currency="EUR",
                transaction_id=order,
                items=[{"item_id": "mug-blue", "item_name": "Blue mug", "price": 12.5, "quantity": 1}],
            ),
            "lead": ga4_row(lead, "generate_lead", value=5, currency="EUR"),
        },
    }


def tiktok_user(email):
    return {
        "email": sha256(email),
        "phone": sha256("+4930123456"),
        "ttclid": "E.C.P.C",
        "ttp": TTP,
        "ip": ADDRESS,
        "user_agent": BROWSER,
        "locale": "en-US",
        "first_name": sha256("ann"),
        "last_name": sha256("example"),
        "zip_code": sha256("10115"),
        "city": "berlin",
        "country": "de",
    }


def google_row(event, email, action, value):
    at = datetime.fromtimestamp(event["time"] / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    address = {"givenName": sha256("ann"), "familyName": sha256("example"), "regionCode": "DE", "postalCode": "10115"}
    keys = [{"emailAddress": sha256(email)}, {"phoneNumber": sha256("+4930123456")}, {"address": address}]
    return {
        "destinationReferences": [action],
        "transactionId": event["id"],
        "eventTimestamp": at,
        "eventSource": "WEB",
        "currency": "EUR",
        "conversionValue": value,
        "adIdentifiers": {"gclid": "Cj0KC_C"},
        "userData": {"userIdentifiers": keys},
        "consent": {"adUserData": "CONSENT_GRANTED", "adPersonalization": "CONSENT_DENIED"},
        # No address of the network: this customer is in the EEA.
        "eventDeviceInfo": {"userAgent": BROWSER, "languageCode": "en", "screenWidth": 1280, "screenHeight": 720},
    }


def ga4_row(event, name, **params):
    page = event["page"]
    return {
        "client_id": "1234567890.1700000000",
        "consent": {"ad_user_data": "GRANTED", "ad_personalization": "DENIED"},
        "ip_override": ADDRESS,
        "user_agent": BROWSER,
        "events": [
            {
                "name": name,
                "params": {
                    "session_id": "1700000500",
                    "engagement_time_msec": 100,
                    "page_location": page["url"],
                    "page_referrer": page["referrer"],
                    "page_title": page["title"],
                    **params,
                },
                "timestamp_micros": event["time"] * 1000,
            }
        ],
    }


async def test_every_platform_receives_the_purchase_and_the_lead_to_the_field(arrived):
    events = arrived["webhook"]
    wanted = expected(events["purchase"], events["lead"])
    for kind, rows in wanted.items():
        assert arrived[kind] == rows, kind


async def test_our_own_receiver_gets_the_event_hashed_with_its_history(arrived):
    purchase = arrived["webhook"]["purchase"]
    assert itemgetter("name", "source", "action_source")(purchase) == ("purchase", "browser", "website")
    assert purchase["user"]["email"] == [sha256("ann@example.com")]
    assert purchase["client"] == {"ip": ADDRESS, "user_agent": BROWSER}
    assert {name: click["value"] for name, click in purchase["click_ids"].items()} == {
        name.lower(): value for name, value in CLICKS.items()
    }
    assert purchase["data"] == {
        "value": 12.5,
        "currency": "EUR",
        "order_id": purchase["id"],
        "items": [{"id": "mug-blue", "name": "Blue mug", "price": 12.5, "quantity": 1}],
    }
    assert purchase["consent"]["marketing"] == "granted"
