"""Stripe's JSON to Holdfast's values, for API version 2026-10-28.endive.

Older shapes are lifted to it before, by `versions`. Works on plain mappings, so webhook payloads
and API answers go through the same door. A missing or mistyped required field fails closed: a
guess about money is worse than a retry.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from billing_common.domain.errors import PoisonError
from billing_common.domain.money import AMOUNT_MINOR_MAX
from billing_common.domain.provider_metadata import ENTITY_ID, OPERATION_KEY
from billing_common.domain.provider_objects import (
    ProviderCustomer,
    ProviderInvoice,
    ProviderObject,
    ProviderPaymentLink,
    ProviderPortalSession,
    ProviderSession,
    ProviderSessionStatus,
    ProviderSubscription,
)
from billing_common.domain.subscription import SubscriptionItem, SubscriptionStatus

Json = Mapping[str, Any]
T = TypeVar("T")

# Printable ASCII without spaces. Stripe says ids may grow to 255 characters.
_ID: Final = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)
_WORD: Final = re.compile(r"[a-z][a-z0-9_.]{0,63}", re.ASCII)
_CURRENCY: Final = re.compile(r"[a-z]{3}", re.ASCII)
# What our own metadata may hold; other products of the account write there as well.
_OPERATION_KEY: Final = re.compile(r"[\x21-\x7e]{1,64}", re.ASCII)
_ENTITY_ID: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_COUNT_MAX: Final = 2**32 - 1


class StripeShapeUnexpected(PoisonError):  # noqa: N818 - exceptions are facts here
    """Stripe's object lacks a field that this API version promises. Nothing was guessed."""

    code = "stripe_shape_unexpected"


def session_from_stripe(source: Json) -> ProviderSession:
    """A `checkout.session` object. Raises StripeShapeUnexpected."""
    metadata = _metadata(source)
    return ProviderSession(
        id=_id(source),
        status=_word(source, "status", ProviderSessionStatus),
        payment_status=_required(source, "payment_status", _as_word),
        mode=_required(source, "mode", _as_word),
        url=_optional(source, "url", _as_text),
        created_at=_time(source, "created"),
        expires_at=_time(source, "expires_at"),
        customer_id=_reference(source, "customer"),
        subscription_id=_reference(source, "subscription"),
        operation_key=_claim(metadata, OPERATION_KEY, _OPERATION_KEY),
        billable_entity_id=_claimed_entity(metadata),
    )


def subscription_from_stripe(source: Json) -> ProviderSubscription:
    """A `subscription` object. Raises StripeShapeUnexpected."""
    metadata = _metadata(source)
    items = _mapping(source, "items").get("data")
    if not isinstance(items, list) or not items:
        raise StripeShapeUnexpected("subscription.items.data is missing or empty")
    return ProviderSubscription(
        id=_id(source),
        status=_word(source, "status", SubscriptionStatus),
        customer_id=_required_reference(source, "customer"),
        created_at=_time(source, "created"),
        cancel_at_period_end=_flag(source, "cancel_at_period_end"),
        cancel_at=_optional(source, "cancel_at", _as_time),
        canceled_at=_optional(source, "canceled_at", _as_time),
        ended_at=_optional(source, "ended_at", _as_time),
        trial_end=_optional(source, "trial_end", _as_time),
        items=tuple(_item(item) for item in items),
        operation_key=_claim(metadata, OPERATION_KEY, _OPERATION_KEY),
        billable_entity_id=_claimed_entity(metadata),
    )


def invoice_from_stripe(source: Json) -> ProviderInvoice:
    """An `invoice` object: the subscription is named by `parent` since basil."""
    details = _subscription_details(source)
    metadata = details.get("metadata") if isinstance(details.get("metadata"), Mapping) else {}
    metadata = {**_metadata(source), **(metadata or {})}
    transitions = _optional(source, "status_transitions", _as_mapping) or {}
    return ProviderInvoice(
        id=_id(source),
        status=_required(source, "status", _as_word),
        customer_id=_required_reference(source, "customer"),
        subscription_id=_reference(details, "subscription"),
        currency=_required(source, "currency", _as_currency),
        amount_due_minor=_amount(source, "amount_due"),
        amount_paid_minor=_amount(source, "amount_paid"),
        amount_remaining_minor=_amount(source, "amount_remaining"),
        attempt_count=_required(source, "attempt_count", _as_count),
        created_at=_time(source, "created"),
        due_at=_optional(source, "due_date", _as_time),
        paid_at=_optional(transitions, "paid_at", _as_time),
        operation_key=_claim(metadata, OPERATION_KEY, _OPERATION_KEY),
        billable_entity_id=_claimed_entity(metadata),
    )


def customer_from_stripe(source: Json) -> ProviderCustomer:
    """A `customer` object. Raises StripeShapeUnexpected."""
    return ProviderCustomer(id=_id(source), billable_entity_id=_claimed_entity(_metadata(source)))


def portal_session_from_stripe(source: Json) -> ProviderPortalSession:
    """A `billing_portal.session` object. Raises StripeShapeUnexpected."""
    return ProviderPortalSession(
        id=_id(source),
        url=_text(source, "url"),
        customer_id=_required_reference(source, "customer"),
    )


def payment_link_from_stripe(source: Json) -> ProviderPaymentLink:
    """A `payment_link` object. Raises StripeShapeUnexpected."""
    metadata = _metadata(source)
    return ProviderPaymentLink(
        id=_id(source),
        url=_text(source, "url"),
        is_active=_flag(source, "active"),
        operation_key=_claim(metadata, OPERATION_KEY, _OPERATION_KEY),
        billable_entity_id=_claimed_entity(metadata),
    )


TRANSLATORS: Final[Mapping[str, Callable[[Json], ProviderObject]]] = {
    "checkout.session": session_from_stripe,
    "subscription": subscription_from_stripe,
    "invoice": invoice_from_stripe,
}


def object_from_stripe(source: Json) -> ProviderObject:
    """Any object of TRANSLATORS by its `object` word. Raises StripeShapeUnexpected."""
    translator = TRANSLATORS.get(_text(source, "object"))
    if translator is None:
        raise StripeShapeUnexpected("this kind of object is not translated")
    return translator(source)


def _item(source: Any) -> SubscriptionItem:
    if not isinstance(source, Mapping):
        raise StripeShapeUnexpected("a subscription item is not an object")
    return SubscriptionItem(
        provider_subscription_item_id=_id(source),
        provider_price_id=_id(_mapping(source, "price")),
        quantity=_optional(source, "quantity", _as_count),
        current_period_start=_time(source, "current_period_start"),
        current_period_end=_time(source, "current_period_end"),
    )


def _subscription_details(invoice: Json) -> Json:
    parent = invoice.get("parent")
    details = parent.get("subscription_details") if isinstance(parent, Mapping) else None
    return details if isinstance(details, Mapping) else {}


def _metadata(source: Json) -> Json:
    metadata = source.get("metadata")
    return metadata if isinstance(metadata, Mapping) else {}


def _claim(metadata: Json, name: str, form: re.Pattern[str]) -> str | None:
    """None also for what we cannot have written: then it is somebody else's, and no claim."""
    value = metadata.get(name)
    return value if isinstance(value, str) and form.fullmatch(value) else None


def _claimed_entity(metadata: Json) -> int | None:
    value = _claim(metadata, ENTITY_ID, _ENTITY_ID)
    return None if value is None else int(value)


def _required(source: Json, name: str, read: Callable[[Any], T]) -> T:
    value = source.get(name)
    if value is None:
        raise StripeShapeUnexpected(f"{_kind(source)}.{name} is missing")
    try:
        return read(value)
    except (TypeError, ValueError) as error:
        raise StripeShapeUnexpected(f"{_kind(source)}.{name} has an unexpected shape") from error


def _kind(source: Json) -> str:
    """What the message calls the object; it is stored and shown, so it never quotes at length."""
    kind = source.get("object")
    return kind if isinstance(kind, str) and _WORD.fullmatch(kind) else "object"


def _optional(source: Json, name: str, read: Callable[[Any], T]) -> T | None:
    return None if source.get(name) is None else _required(source, name, read)


def _as_text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError("text expected")
    return value


def _as_id(value: Any) -> str:
    return _as_matching(value, _ID)


def _as_word(value: Any) -> str:
    return _as_matching(value, _WORD)


def _as_currency(value: Any) -> str:
    return _as_matching(value, _CURRENCY)


def _as_matching(value: Any, form: re.Pattern[str]) -> str:
    if not isinstance(value, str) or not form.fullmatch(value):
        raise TypeError("text of another form expected")
    return value


def _as_whole(value: Any, *, at_most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= at_most:
        raise TypeError("a whole number within its bounds expected")
    return value


def _as_amount(value: Any) -> int:
    return _as_whole(value, at_most=AMOUNT_MINOR_MAX)


def _as_count(value: Any) -> int:
    return _as_whole(value, at_most=_COUNT_MAX)


def _as_time(value: Any) -> datetime:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise TypeError("epoch seconds expected")
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, OSError) as error:
        raise ValueError("epoch seconds out of range") from error


def _as_flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("true or false expected")
    return value


def _as_mapping(value: Any) -> Json:
    if not isinstance(value, Mapping):
        raise TypeError("an object expected")
    return value


def _as_reference(value: Any) -> str:
    """An id, or the expanded object that carries it."""
    return _as_id(value.get("id")) if isinstance(value, Mapping) else _as_id(value)


def _text(source: Json, name: str) -> str:
    return _required(source, name, _as_text)


def _id(source: Json) -> str:
    return _required(source, "id", _as_id)


def _amount(source: Json, name: str) -> int:
    return _required(source, name, _as_amount)


def _time(source: Json, name: str) -> datetime:
    return _required(source, name, _as_time)


def _flag(source: Json, name: str) -> bool:
    return _required(source, name, _as_flag)


def _mapping(source: Json, name: str) -> Json:
    return _required(source, name, _as_mapping)


def _reference(source: Json, name: str) -> str | None:
    return _optional(source, name, _as_reference)


def _required_reference(source: Json, name: str) -> str:
    return _required(source, name, _as_reference)


def _word(source: Json, name: str, words: Callable[[str], T]) -> T:
    return _required(source, name, lambda value: words(_as_text(value)))
