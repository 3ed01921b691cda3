"""Withdrawing a payment link: it can be paid no more. Harmless twice."""

from __future__ import annotations

import json
from typing import Any, Final, Protocol

from billing_common.domain.failure_codes import FailureCode
from billing_common.domain.idempotency import FrozenRequest, OperationEvent
from billing_common.domain.provider_objects import ProviderPaymentLink
from checkout.decisions.answers import RETRY_SOON_SECONDS
from checkout.decisions.finalisation import Binding, Close
from checkout.decisions.payment_link import link_answer
from checkout.decisions.situation import Admitted, Blocked, Refused, Situation

SCHEMA_VERSION: Final = "stripe_payment_link_deactivate_params_v1"
_LINK: Final = "payment_link"


class OwnedLink(Protocol):
    """A link at the provider, and whose it is."""

    @property
    def billable_entity_id(self) -> int:
        """Whose."""
        ...

    @property
    def provider_payment_link_id(self) -> str | None:
        """At the provider; None while it is being made."""
        ...


def decide_withdrawal(situation: Situation[Any, OwnedLink | None]) -> Refused | Blocked | Admitted:
    """Total. Another entity's link is none; one that is being made can be withdrawn soon."""
    link = situation.gathered
    if link is None or link.billable_entity_id != situation.names.billable_entity_id:
        return Refused(FailureCode.PAYMENT_LINK_NOT_FOUND)
    if link.provider_payment_link_id is None:
        return Blocked(FailureCode.REQUEST_IN_PROGRESS, {}, RETRY_SOON_SECONDS)
    return Admitted({_LINK: link.provider_payment_link_id, "active": False})


def link_of(frozen: FrozenRequest) -> str:
    """Which link the frozen request withdraws."""
    return str(json.loads(frozen.params_json)[_LINK])


def bind_withdrawal(binding: Binding[ProviderPaymentLink]) -> Close:
    """The answer says what the provider says; a link that was paid before stays a paid one."""
    found = binding.found
    return Close(
        event=OperationEvent.SESSION_BOUND,
        failure_code=None,
        provider_object_id=found.id,
        answer=link_answer(binding.operation, found),
        clean_ups=(),
        withdrawn_payment_link_id=None if found.is_active else found.id,
    )
