"""Outbox rows to Kafka: above storage and messaging."""

from __future__ import annotations
