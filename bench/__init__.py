"""Benchmarks: every figure is a ratio to a limit that the same run measured on the same machine."""

from __future__ import annotations
