"""The functional core: what is due, and what to do about it. No IO, no clock."""

from __future__ import annotations
