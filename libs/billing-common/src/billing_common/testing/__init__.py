"""Builders and recorders for tests; production code never imports this."""

from __future__ import annotations
