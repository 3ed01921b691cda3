"""HTTP: one module per resource, and the boundary that every request crosses."""

from __future__ import annotations
