"""SQL of reconciler, by what it is about."""

from __future__ import annotations
