"""What a request for the portal asks for, in one normal form."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from api_gateway.decisions.return_paths import path_error
from billing_common.domain.idempotency import Action


class PortalStep(StrEnum):
    """What the customer came for, by the names of the wire."""

    CANCEL = "cancel"
    UPDATE = "update"
    PAYMENT_METHOD = "paymentMethod"


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalRequest:
    """A valid request. `step` None: the portal's own first page."""

    return_path: str
    step: PortalStep | None

    def normalized(self, billable_entity_id: int) -> dict[str, Any]:
        """The one form of equal requests: what was omitted is stated."""
        return {
            "action": Action.PORTAL.value,
            "billableEntityId": billable_entity_id,
            "returnPath": self.return_path,
            "step": None if self.step is None else self.step.value,
        }


def decide_portal_request(
    *, return_path: str, step: PortalStep | None
) -> PortalRequest | dict[str, str]:
    """The request, or field errors by the names of the wire."""
    error = path_error(return_path)
    if error is not None:
        return {"returnPath": error}
    return PortalRequest(return_path=return_path, step=step)
