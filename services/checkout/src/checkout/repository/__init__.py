"""SQL of checkout, by table. Every function names its intent and says whether it won."""

from __future__ import annotations
