"""The gateway's rules, pure: facts in, decision out. No clock, no IO."""

from __future__ import annotations
