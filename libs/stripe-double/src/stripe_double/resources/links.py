"""Addresses that a caller gives: checked before they are kept."""

from __future__ import annotations

from urllib.parse import urlsplit

from stripe_double.engine.errors import parameter_invalid


def checked_url(value: str | None, param: str) -> str | None:
    """An absolute http(s) address, None for an absent or empty one; else ApiError 400."""
    if not value:
        return None
    if not is_address(value):
        raise parameter_invalid(param, "Not a valid URL", "url_invalid")
    return value


def is_address(value: str) -> bool:
    """Whether it is an absolute http(s) address with a host and nothing that no address has."""
    try:
        parts = urlsplit(value)
        usable_port = parts.port is None or parts.port > 0
    except ValueError:
        return False
    odd = any(character.isspace() or not character.isprintable() for character in value)
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and usable_port and not odd
