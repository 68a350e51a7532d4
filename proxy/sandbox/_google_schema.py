"""The body of Data Manager's `events:ingest` as tables, and how Google's JSON reader takes it.

Source: docs/destinations/google_ads.md (checked 2026-11), schema of version 1.9. Like the real reader: names in
snake_case count as well, a null is not given, numbers may stand in quotes, an enum may be its number, and every key
that the schema does not have is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from proxy.sandbox.schema import Flag, Many, Number, Path, Shape, Table, Text, Whole, Wrong, check

_TEXT, _NUMBER, _INT64 = Text(), Number(from_text=True), Whole(from_text=True)
_TIMES = frozenset({"eventTimestamp", "lastUpdatedTimestamp", "startTimestamp"})
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)\Z")


def _message(*texts: str, **fields: Shape) -> Table:
    return Table(fields={**dict.fromkeys(texts, _TEXT), **fields}, null_is_absent=True)


def _enum(*names: str) -> Text:
    return Text(choices=frozenset(names))


_CONSENT_STATUS = _enum("CONSENT_STATUS_UNSPECIFIED", "CONSENT_GRANTED", "CONSENT_DENIED")
_CONSENT = _message(adUserData=_CONSENT_STATUS, adPersonalization=_CONSENT_STATUS)
_ACCOUNT = _message(
    "accountId",
    accountType=_enum(
        "ACCOUNT_TYPE_UNSPECIFIED",
        "GOOGLE_ADS",
        "GOOGLE_ANALYTICS_PROPERTY",
        "FLOODLIGHT_CONFIG",
        "DISPLAY_VIDEO_PARTNER",
        "DISPLAY_VIDEO_ADVERTISER",
        "DATA_PARTNER",
        "GOOGLE_AD_MANAGER",
        "GOOGLE_AD_MANAGER_AUDIENCE_LINK",
    ),
)
_DESTINATION = _message(
    "reference", "productDestinationId", operatingAccount=_ACCOUNT, loginAccount=_ACCOUNT, linkedAccount=_ACCOUNT
)
_ADDRESS = _message("givenName", "familyName", "regionCode", "postalCode", "addressLine", "city", "administrativeArea")
_USER_DATA = _message(
    userIdentifiers=Many(of=_message("emailAddress", "phoneNumber", address=_ADDRESS)),
)
_DEVICE = _message(
    *("userAgent ipAddress category languageCode operatingSystem operatingSystemVersion model brand browser".split()),
    "browserVersion",
    screenHeight=_INT64,
    screenWidth=_INT64,
)
_AD_IDENTIFIERS = _message(
    *("gclid gbraid wbraid dclid impressionId matchId mobileDeviceId sessionAttributes ppid visitorPpid".split()),
    landingPageDeviceInfo=_DEVICE,
    encryptedUserIds=Many(of=Table(fields={}, is_open=True)),
)
_VARIABLE = _message("variable", "value", destinationReferences=Many(of=_TEXT))
_ITEM = _message(
    *("merchantProductId itemId merchantId merchantFeedLabel merchantFeedLanguageCode".split()),
    quantity=_INT64,
    unitPrice=_NUMBER,
    conversionValue=_NUMBER,
    additionalItemParameters=Many(of=_message("parameterName", "value")),
    customVariables=Many(of=_VARIABLE),
)
_EVENT = _message(
    *("transactionId eventTimestamp lastUpdatedTimestamp currency eventName clientId appInstanceId userId".split()),
    destinationReferences=Many(of=_TEXT),
    eventSource=_enum("EVENT_SOURCE_UNSPECIFIED", "WEB", "APP", "IN_STORE", "PHONE", "MESSAGE", "OTHER"),
    userData=_USER_DATA,
    adIdentifiers=_AD_IDENTIFIERS,
    consent=_CONSENT,
    conversionValue=_NUMBER,
    conversionCount=_NUMBER,
    eventDeviceInfo=_DEVICE,
    cartData=_message(
        *("merchantId merchantFeedLabel merchantFeedLanguageCode".split()),
        transactionDiscount=_NUMBER,
        couponCodes=Many(of=_TEXT),
        items=Many(of=_ITEM),
    ),
    customVariables=Many(of=_VARIABLE),
    userProperties=_message(
        customerType=_enum("CUSTOMER_TYPE_UNSPECIFIED", "NEW", "RETURNING", "REENGAGED"),
        customerValueBucket=_enum("CUSTOMER_VALUE_BUCKET_UNSPECIFIED", "LOW", "MEDIUM", "HIGH"),
        additionalUserProperties=Many(of=_message("propertyName", "value")),
    ),
    additionalEventParameters=Many(of=_message("parameterName", "value")),
    eventLocation=_message(
        *("storeId city subdivisionCode regionCode subcontinentCode continentCode".split()),
    ),
    experimentalFields=Many(of=_message("field", "value")),
    thirdPartyUserData=Table(fields={}, is_open=True),
    callInfo=_message("startTimestamp"),
)
REQUEST = _message(
    destinations=Many(of=_DESTINATION),
    events=Many(of=_EVENT),
    consent=_CONSENT,
    validateOnly=Flag(),
    encoding=_enum("ENCODING_UNSPECIFIED", "HEX", "BASE64"),
    encryptionInfo=Table(fields={}, is_open=True),
)


class Violation(msgspec.Struct, frozen=True):
    """One of `fieldViolations`. `reason`: None where Google's JSON reader speaks, which has none."""

    field: str
    description: str
    reason: str | None = None

    def as_json(self) -> dict[str, str]:
        named = {"field": self.field, "description": self.description}
        return named if self.reason is None else {**named, "reason": self.reason}


def normal(value: Any) -> Any:
    """The body as our tables spell it: camelCase names, no nulls."""
    match value:
        case dict():
            return {_camel(key): normal(inner) for key, inner in value.items() if inner is not None}
        case list():
            return [normal(inner) for inner in value]
        case _:
            return value


def violations(body: Any) -> Iterator[Violation]:
    """What Google's JSON reader refuses in a body made `normal`."""
    for wrong in check(REQUEST, body):
        is_enum_number = wrong.rule == "type" and isinstance(wrong.value, int) and _is_enum(wrong.path)
        if not is_enum_number:
            yield Violation(field(wrong.path), _words(wrong))
    for path, value in _leaves(body, ()):
        if path and path[-1] in _TIMES and isinstance(value, str) and not is_timestamp(value):
            yield Violation(field(path), f"Invalid value ({value}): not an RFC 3339 time with an offset")


def is_timestamp(value: str) -> bool:
    if not _RFC3339.match(value):
        return False
    try:
        timestamp_ms(value)
    except ValueError:
        return False
    return True


def timestamp_ms(value: str) -> int:
    """Unix ms of what `is_timestamp`; a ValueError otherwise."""
    return int(datetime.fromisoformat(re.sub(r"(\.\d{1,6})\d*", r"\1", value)).timestamp() * 1000)


def field(path: Path) -> str:
    """A path as Google's errors write it: `events[1].user_data.user_identifiers[0]`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{_snake(part)}" for part in path)
    return "".join(parts).lstrip(".")


def _words(wrong: Wrong) -> str:
    match wrong.rule:
        case "unknown":
            return f'Invalid JSON payload received. Unknown name "{wrong.what}": Cannot find field.'
        case "choice":
            return f"Invalid value: {wrong.value!r} is none of {wrong.what}"
        case _:
            return f"Invalid value: expected {wrong.what}"


def _is_enum(path: Path) -> bool:
    shape: Shape = REQUEST
    for part in path:
        match shape:
            case Table():
                shape = shape.fields[str(part)]
            case Many():
                shape = shape.of
    return isinstance(shape, Text) and shape.choices is not None


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    match value:
        case dict():
            for key, inner in value.items():
                yield from _leaves(inner, (*path, key))
        case list():
            for position, inner in enumerate(value):
                yield from _leaves(inner, (*path, position))
        case _:
            yield path, value


def _camel(name: str) -> str:
    return re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), name)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])[A-Z]", lambda found: f"_{found[0].lower()}", name)
