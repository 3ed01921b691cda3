"""The functional core: an entity's state and one event in, the new state out. No IO, no clock."""

from __future__ import annotations
