"""The pure core of checkout: rows in, decisions out. No IO, no clock: `now` is an argument."""

from __future__ import annotations
