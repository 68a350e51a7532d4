"""Amounts of money as JSON can carry them without loss; for every platform that takes numbers. Pure."""

from __future__ import annotations

from decimal import Context, Decimal

DIGITS = 15  # before the point; more is no amount of money, and no double keeps it
_SMALLEST = Decimal(1).scaleb(-DIGITS)
_ROOMY = Context(prec=2 * DIGITS + 1)  # the default of 28 digits raises on 15 before and 15 after the point


def exact(amount: Decimal | None) -> Decimal | None:
    """Exact to 15 places; None for what is no amount (infinite, not a number, 16 digits before the point)."""
    if amount is None or not amount.is_finite() or amount.adjusted() >= DIGITS:
        return None
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -DIGITS:
        return amount.quantize(_SMALLEST, context=_ROOMY)
    return amount if exponent <= 0 else Decimal(f"{amount:f}")
