"""The one door to Stripe: the only importer of the SDK."""

from __future__ import annotations
