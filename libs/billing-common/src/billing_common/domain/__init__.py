"""The pure core: values, state tables and decisions. Standard library only."""

from __future__ import annotations
