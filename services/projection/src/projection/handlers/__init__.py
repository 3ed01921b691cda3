"""The imperative shell: gather, decide, apply; one transaction per batch of a partition."""

from __future__ import annotations
