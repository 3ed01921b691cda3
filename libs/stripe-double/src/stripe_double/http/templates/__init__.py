"""The pages' templates (jinja2, autoescaped)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from stripe_double.engine.records import Record
from stripe_double.resources.invoice_lines import interval_of
from stripe_double.resources.test_accounts import SOON_SECONDS, Account
from stripe_double.resources.test_cards import Card
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


def _test_card(source: Card | Account) -> str:
    return f"{spaced(source.number)} ({outcome_of(source)})"


def spaced(number: str) -> str:
    """A number as people read it, in groups of four."""
    return " ".join(number[at : at + 4] for at in range(0, len(number), 4))


def outcome_of(source: Card | Account) -> str:
    """What a test card or account does, in a few words."""
    if isinstance(source, Account):
        later = "later" if source.settles_after_seconds > SOON_SECONDS else "at once"
        ending = "pays" if source.failure_code is None else _words(source.failure_code)
        return f"{_words(source.kind)}: {ending} {later}"
    if source.decline_code is not None:
        return _words(source.decline_code)
    remarks = [
        *(["asks for authentication"] if source.authentication != "never" else []),
        *([f"disputed as {_words(source.dispute_reason)}"] if source.dispute_reason else []),
        *(["early fraud warning"] if source.fraud_type else []),
        *([f"refund {source.refunds}"] if source.refunds != "succeeded" else []),
    ]
    return ", ".join(["pays", *remarks])


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
