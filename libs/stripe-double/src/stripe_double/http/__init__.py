"""The HTTP surface: API pipeline, hosted checkout page, control plane, dashboard."""

from __future__ import annotations
