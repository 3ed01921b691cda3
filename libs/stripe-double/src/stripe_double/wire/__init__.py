"""Stripe's wire format: form bodies, parameter tables, lists, expansion. No state of its own."""

from __future__ import annotations
