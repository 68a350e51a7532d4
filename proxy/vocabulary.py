"""Event names: the words other tools use, onto the canonical ones. Sites write the name they know.

Only the name is looked at. Case, spaces, dashes and underscores do not matter (`Order Completed`, `order_completed`,
`orderCompleted` are one name). A name nobody claims is a custom event and stays exactly as it was written.

Left alone on purpose, because two tools mean different things by them: `checkout` (Pinterest: bought; others: began),
`PlaceAnOrder` (TikTok: before payment), `Registration`, `Cart Viewed`, `Order Placed`, `save`, `custom`.
"""

from __future__ import annotations

CANONICAL = frozenset(
    {
        "page_view",
        "view_content",
        "view_category",
        "search",
        "add_to_cart",
        "add_to_wishlist",
        "initiate_checkout",
        "add_payment_info",
        "purchase",
        "lead",
        "complete_registration",
        "contact",
        "subscribe",
        "start_trial",
        "schedule",
        "find_location",
        "customize_product",
        "donate",
        "submit_application",
        "login",
        "share",
        "download",
    }
)

# Meta's and TikTok's standard names are the canonical ones in another spelling; below is what differs.
GA4 = {
    "view_item": "view_content",
    "view_item_list": "view_category",
    "view_search_results": "search",
    "begin_checkout": "initiate_checkout",
    "ecommerce_purchase": "purchase",
    "generate_lead": "lead",
    "sign_up": "complete_registration",
    "file_download": "download",
}
SEGMENT = {
    "Page Viewed": "page_view",
    "Product Viewed": "view_content",
    "Product List Viewed": "view_category",
    "Products Searched": "search",
    "Product Added": "add_to_cart",
    "Product Added to Wishlist": "add_to_wishlist",
    "Checkout Started": "initiate_checkout",
    "Payment Info Entered": "add_payment_info",
    "Order Completed": "purchase",
    "Signed Up": "complete_registration",
    "Signed In": "login",
    "Trial Started": "start_trial",
    "Product Shared": "share",
}
TIKTOK = {
    "CompletePayment": "purchase",  # renamed to Purchase in 2025
    "SubmitForm": "lead",  # renamed to Lead in 2025
}
SNAPCHAT = {
    "ADD_CART": "add_to_cart",
    "START_CHECKOUT": "initiate_checkout",
    "ADD_BILLING": "add_payment_info",
    "LIST_VIEW": "view_category",
}
PINTEREST = {
    "page_visit": "page_view",
    "signup": "complete_registration",
}
SHOPIFY = {
    "collection_viewed": "view_category",
    "search_submitted": "search",
    "product_added_to_cart": "add_to_cart",
    "payment_info_submitted": "add_payment_info",
    "checkout_completed": "purchase",
}

_SEPARATORS = str.maketrans("", "", " _-")


def _fold(name: str) -> str:
    return name.lower().translate(_SEPARATORS)


_BY_FOLDED = {_fold(name): name for name in CANONICAL} | {
    _fold(alias): name
    for table in (GA4, SEGMENT, TIKTOK, SNAPCHAT, PINTEREST, SHOPIFY)
    for alias, name in table.items()
}

TAG_NAMES = {_fold(alias): _fold(name) for table in (GA4, TIKTOK, SNAPCHAT, PINTEREST) for alias, name in table.items()}
"""What browser tags call one thing, for the tracker script: it compares names without case and separators."""


def canonical(name: str) -> str:
    """The canonical name for what any of these tools calls it; a custom name unchanged."""
    return name if name in CANONICAL else _BY_FOLDED.get(_fold(name), name)
