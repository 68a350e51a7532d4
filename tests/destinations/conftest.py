"""The one purchase whose body on TikTok, Snapchat and Pinterest is known to the field (tests/vectors)."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from proxy.event import Client, Data, Event, Item, Page, User
from proxy.identity.click_ids import harvest

VECTORS = Path(__file__).parents[1] / "vectors" / "tiktok-snap-pinterest-vectors.json"
COOKIES = {"_ttp": "ttp", "_scid": "scid"}


@pytest.fixture(scope="session")
def golden():
    """kind -> the body it must get, and under "event" what it is made from."""
    given = json.loads(VECTORS.read_text(), parse_float=Decimal)["golden"]
    one = given["canonical"]
    user, order, time_ms = one["user"], one["order"], one["time"] * 1000
    return given | {
        "event": Event(
            id=one["event_id"],
            name=one["name"],
            time=time_ms,
            page=Page(url=one["page"]["url"], referrer=one["page"]["referrer"], language=one["client"]["language"]),
            click_ids=harvest(one["page"]["url"], time_ms),
            browser_ids={COOKIES[name]: value for name, value in one["cookies"].items()},
            user=User(
                email=(user["email"],),
                phone=(user["phone"],),
                external_id=(user["external_id"],),
                first_name=user["first_name"],
                last_name=user["last_name"],
                city=user["city"],
                state=user["region"],
                zip=user["postal_code"],
                country=user["country"],
            ),
            data=Data(
                value=order["value"],
                currency=order["currency"],
                order_id=order["order_id"],
                items=tuple(Item(**item) for item in order["items"]),
            ),
            client=Client(ip=one["client"]["ip"], user_agent=one["client"]["user_agent"]),
        )
    }
