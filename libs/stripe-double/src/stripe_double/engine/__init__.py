"""The state engine: store, clock, ids, idempotency, events, delivery, ledger. It knows no HTTP."""

from __future__ import annotations
