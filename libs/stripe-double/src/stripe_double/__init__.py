"""A stateful, honest Stripe double for development and tests. See the README beside it."""

from __future__ import annotations

API_VERSION = "2026-10-28.endive"
"""The one Stripe API version that this double renders."""
