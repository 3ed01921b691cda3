"""SQL of projection, by what it is about. Every method names its intent and returns values."""

from __future__ import annotations
