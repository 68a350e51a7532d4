"""The protobufs of Google's own Data Manager library parse every golden request of ours. `make oracles` runs this.

Their JSON parser refuses unknown fields, wrong types, unknown enum words and two members of a oneof; what their comments
call Required is checked beside it. Read back, a request must say what we wrote.
"""

import json
import re
from pathlib import Path

import pytest

pytest.importorskip("google.ads.datamanager_v1", reason="make oracles")
from google.ads.datamanager_v1.types import (
    ErrorReason,
    EventSource,
    IngestEventsRequest,
    IngestEventsResponse,
)
from google.protobuf import json_format

from proxy.destinations import _google_ads_errors as errors

TESTS = Path(__file__).parents[1]
GOLDEN = TESTS / "golden" / "google_ads"
VECTORS = json.loads((TESTS / "vectors" / "google-vectors.json").read_text())
REST_ONLY = {"SERVICE_DISABLED", "ACCESS_TOKEN_SCOPE_INSUFFICIENT", "USER_PROJECT_DENIED", "BILLING_DISABLED"}
"""Reasons of google.api.ErrorReason, which every Google API may answer with."""


def bodies():
    for file in sorted(GOLDEN.glob("*.txt")):
        lower = file.read_text().partition("\n----------\n")[2]
        for place, block in enumerate(re.findall(r"^\{\n.*?^\}$", lower, re.MULTILINE | re.DOTALL)):
            yield pytest.param(json.loads(block), id=f"{file.stem}-{place}")


BODIES = list(bodies())


def parsed(body, message=IngestEventsRequest):
    found = message.pb(message())
    json_format.ParseDict(body, found)
    return found


@pytest.mark.parametrize("body", BODIES)
def test_every_golden_request_is_parsed_and_says_the_same(body):
    found = parsed(body)
    assert as_written(json_format.MessageToDict(found)) == as_written(body)


def as_written(request):
    """The two places where one request has two spellings: int64 may be text, a price of zero has no presence."""
    for event in request["events"]:
        for item in event.get("cartData", {}).get("items", []):
            item["quantity"] = int(item["quantity"])
            item.setdefault("unitPrice", 0)
    return request


@pytest.mark.parametrize("body", BODIES)
def test_nothing_required_is_missing(body):
    found = parsed(body)
    assert 1 <= len(found.destinations) <= 10
    assert 1 <= len(found.events) <= 2000
    references = {one.reference for one in found.destinations}
    assert len(references) == len(found.destinations)
    for one in found.destinations:
        assert one.operating_account.account_type
        assert one.operating_account.account_id.isdigit()
        assert one.product_destination_id.isdigit()
    for event in found.events:
        assert event.HasField("event_timestamp")
        assert event.event_source != EventSource.EVENT_SOURCE_UNSPECIFIED
        assert set(event.destination_references) <= references
        assert len(event.user_data.user_identifiers) <= 10
        assert event.user_data.user_identifiers or event.HasField("ad_identifiers")
        for identifier in event.user_data.user_identifiers:
            assert identifier.WhichOneof("identifier")
            if identifier.HasField("address"):
                address = identifier.address
                assert all((address.given_name, address.family_name, address.region_code, address.postal_code))
    assert found.encoding or not any(event.HasField("user_data") for event in found.events)


@pytest.mark.parametrize("reason", sorted(set(errors.REASONS) - REST_ONLY))
def test_every_reason_we_know_is_googles(reason):
    assert reason in ErrorReason.__members__


@pytest.mark.parametrize(
    "vector", [v for v in VECTORS["payloads"] if v["message"].startswith("dm.")], ids=lambda v: v["id"]
)
def test_the_vectors_still_say_what_the_parser_says(vector):
    if vector["parser"] == "ok":
        parsed(vector["payload"])
    else:
        with pytest.raises(json_format.ParseError):
            parsed(vector["payload"])


@pytest.mark.parametrize(
    "vector", [v for v in VECTORS["responses"] if v["message"] == "dm.IngestEventsResponse"], ids=lambda v: v["id"]
)
def test_the_answers_we_read_are_googles(vector):
    assert parsed(vector["body"], IngestEventsResponse).request_id == vector["body"].get("requestId", "")
