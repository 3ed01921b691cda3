"""One file per resource family: its operations as data, its handlers, its state machine."""

from __future__ import annotations
