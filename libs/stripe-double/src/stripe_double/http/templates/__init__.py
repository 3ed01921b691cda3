"""The pages' templates (jinja2, autoescaped)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from stripe_double.resources.invoice_lines import interval_of
from stripe_double.wire.money import readable

_environment = Environment(
    loader=PackageLoader("stripe_double.http", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def _moment(second: float | None) -> str:
    if second is None:
        return ""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%d %H:%M:%S")


_environment.filters.update(money=readable, interval=interval_of, moment=_moment)


def render(name: str, **values: Any) -> str:
    """The page `name` as text."""
    return _environment.get_template(name).render(**values)
