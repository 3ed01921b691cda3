"""All actions, found by the command that starts them and by the row that they left."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

from billing_common.contracts.commands import BillingWrite
from billing_common.domain.errors import BugError
from billing_common.domain.idempotency import Operation
from checkout.handlers.actions.one_off_checkout import ONE_OFF_CHECKOUT
from checkout.handlers.actions.payment_link import PAYMENT_LINK, PAYMENT_LINK_WITHDRAWAL
from checkout.handlers.actions.portal import PORTAL
from checkout.handlers.actions.subscription_checkout import SUBSCRIPTION_CHECKOUT
from checkout.handlers.write_action import WriteAction

AnyAction = WriteAction[Any, Any, Any]

ACTIONS: Final[tuple[AnyAction, ...]] = (
    SUBSCRIPTION_CHECKOUT,
    ONE_OFF_CHECKOUT,
    PORTAL,
    PAYMENT_LINK,
    PAYMENT_LINK_WITHDRAWAL,
)

_BY_PAYLOAD: Final = MappingProxyType({action.payload: action for action in ACTIONS})
_BY_ROW: Final = MappingProxyType(
    {(action.name, action.flow and action.flow.value): action for action in ACTIONS}
)


def action_of_payload(payload: BillingWrite) -> AnyAction:
    """Which action executes this command."""
    return _BY_PAYLOAD[type(payload)]


def action_of_row(operation: Operation) -> AnyAction:
    """Which action left this row. Raises BugError for a pair that nobody writes."""
    action = _BY_ROW.get((operation.action, operation.flow))
    if action is None:
        raise BugError(f"row {operation.id} is {operation.action}, {operation.flow}: no action")
    return action
