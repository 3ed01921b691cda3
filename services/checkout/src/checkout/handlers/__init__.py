"""The shell of checkout: gather, decide, apply. One transaction each, the provider in between."""

from __future__ import annotations
