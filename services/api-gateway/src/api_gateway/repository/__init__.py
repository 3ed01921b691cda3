"""SQL of the gateway: reads of everything, writes of the identity directory only."""

from __future__ import annotations
