"""The portal: where an entity's customer changes, pays and ends what it has. Harmless twice."""

from __future__ import annotations

import json
from typing import Any, Final, Literal, Protocol

from billing_common.domain.canonical_json import canonical_json
from billing_common.domain.canonical_subscription import select_canonical
from billing_common.domain.failure_codes import FailureCode
from billing_common.domain.idempotency import FrozenRequest, OperationEvent, OperationStatus
from billing_common.domain.provider_objects import ProviderPortalSession
from checkout.decisions.answers import Answer
from checkout.decisions.finalisation import Binding, Close
from checkout.decisions.return_urls import absolute_url
from checkout.decisions.situation import Admitted, Refused, Situation

SCHEMA_VERSION: Final = "stripe_billing_portal_session_create_params_v1"
HTTP_STATUS: Final = 200

Step = Literal["cancel", "update", "payment_method"]
# What the provider calls a step, and whether it is a step of one subscription.
_FLOWS: Final[dict[Step, tuple[str, bool]]] = {
    "cancel": ("subscription_cancel", True),
    "update": ("subscription_update", True),
    "payment_method": ("payment_method_update", False),
}


class PortalVisit(Protocol):
    """Where the customer returns to, and the step that it came for."""

    @property
    def return_path(self) -> str:
        """A path on our own site."""
        ...

    @property
    def step(self) -> Step | None:
        """None: the portal's own first page."""
        ...


def decide_portal(situation: Situation[PortalVisit, None]) -> Refused | Admitted:
    """Total, but for ReturnPathInvalid. Only who has a subscription has something to manage."""
    current = select_canonical(situation.subscriptions)
    if current is None or situation.provider_customer_id is None:
        return Refused(FailureCode.PORTAL_SUBSCRIPTION_REQUIRED)
    return_url = absolute_url(situation.public_url, situation.payload.return_path)
    params: dict[str, Any] = {
        "customer": situation.provider_customer_id,
        "return_url": return_url,
    }
    step = situation.payload.step
    if step is not None:
        params["flow_data"] = _flow(step, current.provider_subscription_id, return_url)
    return Admitted(params)


def _flow(step: Step, provider_subscription_id: str, return_url: str) -> dict[str, Any]:
    name, is_of_subscription = _FLOWS[step]
    flow: dict[str, Any] = {
        "type": name,
        "after_completion": {"type": "redirect", "redirect": {"return_url": return_url}},
    }
    if is_of_subscription:
        flow[name] = {"subscription": provider_subscription_id}
    return flow


def is_for_customer(frozen: FrozenRequest, found: ProviderPortalSession) -> bool:
    """A portal session carries no metadata: whose it is must agree with what was sent."""
    return bool(json.loads(frozen.params_json)["customer"] == found.customer_id)


def bind_portal(binding: Binding[ProviderPortalSession]) -> Close:
    """Nothing can stand in the way: an unused portal session is a closed door minutes later."""
    operation, found = binding.operation, binding.found
    body = canonical_json(
        {
            "billableEntityId": str(operation.billable_entity_id),
            "operationKey": operation.operation_key,
            "portalSession": {"url": found.url},
        }
    )
    return Close(
        event=OperationEvent.SESSION_BOUND,
        failure_code=None,
        provider_object_id=found.id,
        answer=Answer(HTTP_STATUS, body, OperationStatus.SUCCEEDED.value),
        clean_ups=(),
    )
