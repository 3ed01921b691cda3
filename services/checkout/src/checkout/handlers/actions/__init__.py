"""Every billing write that checkout executes: one file each, and a row in the registry."""

from __future__ import annotations
