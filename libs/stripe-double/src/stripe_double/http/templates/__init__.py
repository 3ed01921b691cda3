"""The pages' templates (jinja2, autoescaped)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from stripe_double.engine.records import Record
from stripe_double.resources.invoice_lines import interval_of
from stripe_double.resources.payment_methods import Card
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


def _day(second: float | None) -> str:
    return "" if second is None else f"{datetime.fromtimestamp(second, UTC):%-d %B %Y}"


def _card(method: Record) -> str:
    card = method.get("card")
    if card is None:
        return str(method["type"]).replace("_", " ")
    return f"{card['brand'].title()} •••• {card['last4']}"


def _test_card(card: Card) -> str:
    groups = " ".join(card.number[at : at + 4] for at in range(0, len(card.number), 4))
    return f"{groups} ({'pays' if card.decline_code is None else _words(card.decline_code)})"


def _words(name: str) -> str:
    return name.replace("_", " ")


_environment.filters.update(
    money=readable,
    interval=interval_of,
    moment=_moment,
    day=_day,
    card=_card,
    test_card=_test_card,
    words=_words,
)


def render(name: str, /, **values: Any) -> str:
    """The page `name` as text."""
    return _environment.get_template(name).render(**values)
