"""How a service runs as a process: its server, its signals, its instance name."""

from __future__ import annotations
