"""The imperative shell: leased runs, and what each scope does in one."""

from __future__ import annotations
