"""Meta's own Python libraries judge every golden Meta request of ours. `make oracles` runs this where they exist.

Where they disagree with us on purpose, `known_disagreements.json` says why; a disagreement that ceased to exist fails too.
"""

import json
import re
import warnings
from pathlib import Path

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("facebook_business", reason="make oracles")
    pytest.importorskip("capi_param_builder", reason="make oracles")
    from capi_param_builder import ParamBuilder
    from facebook_business.adobjects.serverside.action_source import ActionSource
    from facebook_business.adobjects.serverside.content import Content
    from facebook_business.adobjects.serverside.custom_data import CustomData
    from facebook_business.adobjects.serverside.delivery_category import DeliveryCategory
    from facebook_business.adobjects.serverside.event import Event
    from facebook_business.adobjects.serverside.event_request import EventRequest
    from facebook_business.adobjects.serverside.gender import Gender
    from facebook_business.adobjects.serverside.normalize import Normalize
    from facebook_business.adobjects.serverside.user_data import UserData
    from facebook_business.adobjects.serverside.util import Util

from proxy.identity.hashing import sha256_hex

GOLDEN = Path(__file__).parents[1] / "golden" / "meta"
KNOWN = json.loads((Path(__file__).parent / "known_disagreements.json").read_text())
LISTS = {
    "em": "emails",
    "ph": "phones",
    "fn": "first_names",
    "ln": "last_names",
    "db": "dates_of_birth",
    "ct": "cities",
    "st": "states",
    "zp": "zip_codes",
    "country": "country_codes",
    "external_id": "external_ids",
}
RAW = {
    "email": "em",
    "phone": "ph",
    "first_name": "fn",
    "last_name": "ln",
    "birth_date": "db",
    "gender": "ge",
    "city": "ct",
    "state": "st",
    "zip": "zp",
    "country": "country",
    "external_id": "external_id",
}
GENDERS = {sha256_hex(gender.value): gender for gender in Gender}
STANDARD = (
    "value net_revenue currency content_name content_category content_ids content_type order_id predicted_ltv num_items "
    "status search_string item_number".split()
)
LIBRARY_MARK = re.compile(r"\.(?:AQ|Ag|Aw|BA|BQ|Bg|[A-Za-z0-9_-]{8})$")


def cases():
    for file in sorted(GOLDEN.glob("*.txt")):
        upper, _, lower = file.read_text().partition("\n----------\n")
        lines = upper.splitlines()
        start = next(number for number, line in enumerate(lines) if line[:1] in "{[")
        given = json.loads("\n".join(lines[start:]))
        bodies = [json.loads(block) for block in re.findall(r"^\{\n.*?^\}$", lower, re.MULTILINE | re.DOTALL)]
        yield file.stem, given if isinstance(given, list) else [given], bodies


CASES = list(cases())
ROWS = [
    pytest.param(row, id=f"{name}-{row['event_id']}")
    for name, _, bodies in CASES
    for body in bodies
    for row in body["data"]
]
PAIRS = [
    pytest.param(event, row, id=f"{name}-{event['id']}")
    for name, events, bodies in CASES
    for event in events
    for body in bodies
    for row in body["data"]
    if row["event_id"] == event["id"]
]


def user_fields(event):
    for field, values in event.get("user", {}).items():
        listed = [values] if isinstance(values, str) else values
        visitor = [event["visitor"]["id"]] if field == "external_id" and "visitor" in event else []
        yield RAW[field], listed + visitor


FIELDS = [
    pytest.param(field, values, row["user_data"], id=f"{event['id']}-{field}")
    for pair in PAIRS
    for event, row in [pair.values]
    for field, values in user_fields(event)
]
WITH_COOKIES = [pair for pair in PAIRS if {"fbc", "fbp"} & pair.values[1]["user_data"].keys()]


def as_sdk_event(row):
    keys, facts = dict(row["user_data"]), dict(row.get("custom_data", {}))
    lists = {LISTS[key]: keys.pop(key) for key in list(keys) if key in LISTS}
    genders = [GENDERS[digest] for digest in keys.pop("ge", [])]
    contents = [Content(product_id=item.pop("id"), **item) for item in map(dict, facts.pop("contents", []))]
    delivery = facts.pop("delivery_category", None)
    standard = {key: facts.pop(key) for key in list(facts) if key in STANDARD}
    custom = CustomData(
        contents=contents or None,
        delivery_category=DeliveryCategory(delivery) if delivery else None,
        custom_properties=facts,
        **standard,
    )
    plain = {key: value for key, value in row.items() if key not in {"user_data", "custom_data", "action_source"}}
    return Event(
        user_data=UserData(genders=genders or None, **lists, **keys),
        custom_data=custom if row.get("custom_data") else None,
        action_source=ActionSource(row["action_source"]),
        **plain,
    )


@pytest.mark.parametrize("row", ROWS)
def test_the_business_sdk_would_send_the_same_row(row):
    theirs = as_sdk_event(row).normalize()
    ours = json.loads(json.dumps(row))
    for key in LISTS:
        for side in (ours, theirs):
            if key in side["user_data"]:
                side["user_data"][key] = sorted(side["user_data"][key])
    # Two that are no accident: it folds the currency we send in capitals, and hashes the library's suffixed digests again.
    if "currency" in ours.get("custom_data", {}):
        ours["custom_data"]["currency"] = ours["custom_data"]["currency"].lower()
    for key, digests in ours["user_data"].items():
        if isinstance(digests, list):
            ours["user_data"][key] = [sha256_hex(one.lower()) if "." in one else one for one in digests]
    assert theirs == ours


@pytest.mark.parametrize(("name", "bodies"), [(name, bodies) for name, _, bodies in CASES if bodies])
def test_the_business_sdk_takes_the_whole_request(name, bodies):
    for body in bodies:
        request = EventRequest(
            pixel_id="1234567890",
            events=[as_sdk_event(row) for row in body["data"]],
            test_event_code=body.get("test_event_code"),
            partner_agent=body.get("partner_agent"),
        )
        sent = [json.loads(one) if isinstance(one, str) else one for one in request.normalize()]
        assert [row["event_id"] for row in sent] == [row["event_id"] for row in body["data"]]
        params = request.get_request_params()
        assert params.get("test_event_code") == body.get("test_event_code")
        assert params.get("partner_agent") == body.get("partner_agent")


@pytest.mark.parametrize(("field", "values", "keys"), FIELDS)
def test_the_business_sdk_hashes_the_same_or_the_difference_is_on_record(field, values, keys):
    expected = {}
    for value in values:
        theirs = sdk_digest(field, value)
        known = [entry for entry in KNOWN if (entry["field"], entry["input"]) == (field, value)]
        ours = our_digest(known[0]) if known else theirs
        assert not known or ours != theirs, f"no disagreement any more: {known}"
        if ours is not None:
            expected[ours] = None
    assert keys.get(field, []) == list(expected)


def sdk_digest(field, value):
    try:
        return value if field == "external_id" else Normalize.normalize_field(field, value)
    except (TypeError, ValueError):
        return None


def our_digest(entry):
    """`ours`: the text we hash; null: we drop it; `kept`: we send it as it is."""
    if entry.get("kept"):
        return entry["input"]
    return None if entry["ours"] is None else sha256_hex(entry["ours"])


def test_every_recorded_disagreement_is_about_a_golden_case():
    met = {(param.values[0], value) for param in FIELDS for value in param.values[1]}
    assert {(entry["field"], entry["input"]) for entry in KNOWN} <= met


def test_the_business_sdk_signs_calls_the_same_way():
    body = next(bodies[0] for name, _, bodies in CASES if name == "test_code_and_proof")
    assert Util.appsecret_proof("SECRET-FOR-TESTS", "TOKEN-FOR-TESTS") == body["appsecret_proof"]


@pytest.mark.parametrize(("event", "row"), WITH_COOKIES)
def test_the_parameter_builder_reads_the_same_click_and_browser(event, row):
    """Cookies as our collector sets them, the page's address, the same clock: then its fbc and fbp are ours."""
    ids = row["user_data"]
    cookies = {f"_{name}": ids[name] for name in ("fbc", "fbp") if name in ids}
    builder = ParamBuilder(["shop.example"])
    query = {"fbclid": [match[1]]} if (match := re.search(r"fbclid=([^&#]+)", event["page"]["url"])) else {}
    builder.process_request("www.shop.example", query, cookies, None)
    for name, read in (("fbc", builder.get_fbc()), ("fbp", builder.get_fbp())):
        if name in ids:
            assert core(read) == core(ids[name])


def core(value):
    """The four parts that count; the library adds a fifth."""
    return LIBRARY_MARK.sub("", value) if value.count(".") > 3 else value
