"""What the gateway does with a request once it is read: gather, decide, apply."""

from __future__ import annotations
