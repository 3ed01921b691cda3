"""Addresses that a caller gives: checked before they are kept."""

from __future__ import annotations

from urllib.parse import urlsplit

from stripe_double.engine.errors import parameter_invalid


def checked_url(value: str | None, param: str) -> str | None:
    """An absolute http(s) address, None for an absent or empty one; else ApiError 400."""
    if not value:
        return None
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise parameter_invalid(param, "Not a valid URL", "url_invalid")
    return value
