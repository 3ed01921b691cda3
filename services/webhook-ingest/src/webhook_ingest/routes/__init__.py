"""The HTTP edge: one webhook endpoint, and the connections it is reached through."""

from __future__ import annotations
