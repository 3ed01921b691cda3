"""Amounts as people read them. Inside, money is integer minor units and a currency."""

from __future__ import annotations

from datetime import UTC, datetime

_NO_DECIMALS = {
    *("bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga"),
    *("pyg", "rwf", "ugx", "vnd", "vuv", "xaf", "xof", "xpf"),
}
_SYMBOLS = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥"}


def readable(amount_minor: int, currency: str) -> str:
    """`$12.00` for 1200 usd, `¥500` for 500 jpy, `12.00 CHF` for 1200 chf."""
    whole = f"{amount_minor:,}" if currency in _NO_DECIMALS else f"{amount_minor / 100:,.2f}"
    symbol = _SYMBOLS.get(currency)
    return f"{symbol}{whole}" if symbol else f"{whole} {currency.upper()}"


def day_of(second: int) -> str:
    """`07 Jan 2026`, in UTC."""
    return datetime.fromtimestamp(second, UTC).strftime("%d %b %Y")
