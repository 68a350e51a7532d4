"""Amounts of money as JSON can carry them without loss, as a number or as text, and their currency. Pure."""

from __future__ import annotations

import re
from decimal import Context, Decimal

DIGITS = 15  # before the point; more is no amount of money, and no double keeps it
_CENT = Decimal("0.01")
_SMALLEST = Decimal(1).scaleb(-DIGITS)
_DECIMALS = 4  # more than any currency has
_CURRENCY = re.compile(r"[A-Z]{3}")
_ROOMY = Context(prec=2 * DIGITS + 1)  # the default of 28 digits raises on 15 before and 15 after the point


def exact(amount: Decimal | None) -> Decimal | None:
    """Exact to 15 places; None for what is no amount (infinite, not a number, 16 digits before the point)."""
    if amount is None or not amount.is_finite() or amount.adjusted() >= DIGITS:
        return None
    if amount.same_quantum(_CENT):  # most are
        return amount
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -DIGITS:
        return amount.quantize(_SMALLEST, context=_ROOMY)
    return amount if exponent <= 0 else Decimal(f"{amount:f}")


def text(amount: Decimal | None) -> str | None:
    """As `exact`, for platforms that want a string: `24.90`, `1000`, never `1E+3`; a sum of doubles without its noise
    (`59.900000000000`) is `59.9`."""
    number = exact(amount)
    if number is None:
        return None
    shown = f"{number:f}"
    return shown.rstrip("0").rstrip(".") if len(shown.partition(".")[2]) > _DECIMALS else shown


def currency(given: str | None, default: str | None, value: Decimal | None) -> str | None:
    """ISO 4217 in upper case; `default` only for a value that comes without any. None when it is no currency."""
    code = (given or "").strip().upper()
    if not code and value is not None:
        code = (default or "").upper()
    return code if _CURRENCY.fullmatch(code) else None
