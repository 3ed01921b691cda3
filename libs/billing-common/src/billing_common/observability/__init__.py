"""Logs, metrics, health and the open-transaction guard."""

from __future__ import annotations
