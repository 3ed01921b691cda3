"""Wire shapes: what travels on topics and over HTTP. No IO."""

from __future__ import annotations
