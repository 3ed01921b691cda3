"""Rows to domain values and back, for the rows that several services read under lock."""

from __future__ import annotations
