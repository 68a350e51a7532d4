"""What gives a person away in free text and in properties a site made up itself; platforms forbid sending it there.

Match keys have their own place (`Event.user`) and leave hashed; this keeps them from leaving a second time, unhashed.
Names are compared in any case, with `-` and `_` alike. Not a detector of everything personal: a site that writes a
name into `custom.note` is not caught, docs/destinations/*.md say so.
"""

from __future__ import annotations

from proxy.identity import page_url

_NAMES = frozenset(
    "em email e_mail mail user_email customer_email ph phone phone_number tel telephone mobile customer_phone "
    "fn ln first_name last_name firstname lastname full_name name customer_name db dob birth_date birthday birthdate "
    "ge gender zp zip zip_code zipcode postcode postal_code address address1 address2 street "
    "ip ip_address client_ip_address user_agent client_user_agent external_id user_id password".split()
)


def names_a_person(key: str) -> bool:
    """True for a property called `email`, `First-Name` and the like, or whose very name holds an e-mail address."""
    return key.lower().replace("-", "_") in _NAMES or page_url.holds_email(key)


def harmless(text: str | None) -> str | None:
    """The text unchanged; None when there is none or an e-mail address stands in it."""
    return None if not text or page_url.holds_email(text) else text
